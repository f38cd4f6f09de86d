"""The page in a real browser: Chromium, without a window."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tensorgrad import CNN
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d
from tensorgrad.page import export_html
from tensorgrad.page.server import Server, Session
from tests import browser as chromium

SEVEN = [(-60, -80), (60, -80), (0, 90)]  # corners, from the middle of the drawing


def started(*more: str) -> Any:
    """Chromium; without it a test is skipped, which in CI is a failure."""
    try:
        return chromium.started(*more)
    except chromium.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = started()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def digits() -> CNN:
    """A network that reads digits well enough to tell a seven."""
    (x, y), _ = mnist()
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=8, kernel_size=5, padding=None, activation="relu"))
    for layer in (Pool2d(), Flatten(), FFL(neurons=32, activation="relu"), FFL(neurons=10, activation="softmax")):
        model.add(layer)
    model.compile_model(lr=0.003, opt="adam", loss="cse")
    model.train(standardize(x[:6000]), y[:6000], epochs=2, val_split=0, verbose=0)
    return model


@pytest.fixture
def address(digits: CNN) -> Iterator[str]:
    with Server(Session(digits)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


def draw(browser: Any, corners: list[tuple[int, int]] = SEVEN) -> None:
    from selenium.webdriver import ActionChains

    canvas = browser.find_element("id", "drawing")
    hand = ActionChains(browser, duration=20).move_to_element_with_offset(canvas, *corners[0]).click_and_hold()
    for corner in corners[1:]:
        hand.move_to_element_with_offset(canvas, *corner)
    hand.release().perform()


def wait(browser: Any, condition: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(f"return {condition}"))


def said(browser: Any) -> str:
    return str(wait(browser, "document.getElementById('said').dataset.answer"))


def complaints(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]]


def test_a_seven_is_read_from_a_file_without_a_server(browser: Any, digits: CNN, tmp_path: Path) -> None:
    export_html(digits, tmp_path / "digits.html")
    browser.get((tmp_path / "digits.html").as_uri())
    wait(browser, "document.documentElement.dataset.ready")
    draw(browser)
    assert said(browser) == "7"
    times = browser.find_element("id", "time").text
    assert float(times.split()[2]) < 50, times
    assert len(browser.find_elements("css selector", ".tiles canvas")) == 8 + 8 + 1 + 1 + 1
    assert not browser.find_element("id", "teach").is_displayed()
    browser.find_element("id", "clear").click()
    wait(browser, "document.getElementById('said').textContent == 'Draw something.'")
    assert complaints(browser) == []


def test_the_browser_computes_what_python_computes(browser: Any, digits: CNN, tmp_path: Path) -> None:
    export_html(digits, tmp_path / "digits.html")
    browser.get((tmp_path / "digits.html").as_uri())
    images = standardize(mnist().test.images[:20])
    found = browser.execute_script(
        "const network = Network.load(JSON.parse(document.getElementById('model').textContent));"
        "return arguments[0].map((picture) => [...network.run(picture).at(-1).data]);",
        images.reshape(20, -1).tolist(),
    )
    np.testing.assert_allclose(found, digits.predict(images), atol=1e-5)


def test_the_keyboard_draws(browser: Any, address: str) -> None:
    from selenium.webdriver import ActionChains, Keys

    browser.get(address)
    wait(browser, "document.documentElement.dataset.ready")
    browser.execute_script("document.getElementById('drawing').focus()")
    keys = ActionChains(browser).key_down(Keys.SHIFT)
    for _ in range(14):
        keys.send_keys(Keys.ARROW_DOWN)
    keys.key_up(Keys.SHIFT).perform()
    wait(browser, "document.getElementById('said').dataset.answer == '1'")  # after answers to the first of the strokes


def test_a_picture_in_a_file_is_read(browser: Any, address: str, tmp_path: Path) -> None:
    browser.get(address)
    wait(browser, "document.documentElement.dataset.ready")
    test = mnist().test
    for digit in (0, 1, 7):
        Image.fromarray(test.images[np.flatnonzero(test.labels == digit)[0]]).resize((140, 140)).save(
            tmp_path / "it.png"
        )
        browser.find_element("id", "file").send_keys(str(tmp_path / "it.png"))
        wait(browser, f"document.getElementById('said').dataset.answer == '{digit}'")
    (tmp_path / "words.png").write_text("no picture")
    browser.find_element("id", "file").send_keys(str(tmp_path / "words.png"))
    wait(browser, "document.getElementById('said').textContent.startsWith('words.png is not a picture')")
    assert complaints(browser) == []


def test_a_unit_is_opened_and_the_network_is_taught(browser: Any, address: str) -> None:
    browser.get(address)
    wait(browser, "document.documentElement.dataset.ready")
    draw(browser)
    assert said(browser) == "7"
    browser.find_elements("css selector", ".tiles button")[2].click()
    wait(browser, "document.querySelectorAll('#unit-pictures figure').length == 4")
    browser.execute_script("document.getElementById('unit').close()")
    browser.execute_script("document.getElementById('label').value = '3'")
    browser.find_element("id", "keep").click()
    wait(browser, "!document.getElementById('epoch').disabled")
    for _ in range(30):  # teach it that this is a three
        browser.find_element("id", "epoch").click()
        if browser.find_element("id", "said").get_attribute("data-answer") == "3":
            break
        wait(browser, "!document.getElementById('epoch').disabled")
    wait(browser, "document.getElementById('said').dataset.answer == '3'")
    assert browser.find_element("id", "curve").is_displayed()
    browser.find_element("id", "forget").click()
    wait(browser, "document.getElementById('said').dataset.answer == '7'")
    assert complaints(browser) == []


@pytest.mark.parametrize("scheme", chromium.SCHEMES)
@pytest.mark.parametrize("width", [1100, 390])
@pytest.mark.parametrize("place", ["server", "file"])
def test_anyone_can_use_it(
    scheme: str, width: int, place: str, digits: CNN, address: str, axe: str, tmp_path: Path
) -> None:
    """axe-core finds nothing to complain about: contrast, names, order; and nothing is wider than a phone."""
    if place == "file":
        export_html(digits, tmp_path / "digits.html")
        address = (tmp_path / "digits.html").as_uri()
    browser = started(*chromium.SCHEMES[scheme])
    try:
        chromium.resize(browser, width)
        browser.get(address)
        wait(browser, "document.documentElement.dataset.ready")
        draw(browser)
        said(browser)
        dark = browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
        assert dark == (scheme == "dark")
        assert chromium.violations(browser, axe) == []
        if place == "server":
            browser.find_elements("css selector", ".tiles button")[2].click()
            wait(browser, "document.querySelectorAll('#unit-pictures figure').length == 4")
            assert chromium.violations(browser, axe) == []
    finally:
        browser.quit()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, from npm."""
    try:
        return chromium.axe(tmp_path_factory.mktemp("axe"))
    except chromium.Missing as missing:
        pytest.skip(str(missing))
