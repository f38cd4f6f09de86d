"""Chromium without a window, and axe-core in it: what the tests of the page and the check of the site share."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

SCHEMES = {"light": [], "dark": ["--blink-settings=preferredColorScheme=0"]}


class Missing(Exception):
    """Something that a browser needs is not installed."""


def started(*more: str) -> Any:
    """Chromium, driven by selenium."""
    try:
        from selenium import webdriver
    except ImportError as error:
        raise Missing("needs selenium") from error
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        raise Missing("needs Chromium and its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1100,1400", *more):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def resize(browser: Any, width: int) -> None:
    """Show pages as on a screen of that width; a window of Chromium's cannot be as narrow as a phone."""
    size = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def axe(folder: Path) -> str:
    """The source of axe-core, fetched from npm into the folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise Missing("needs npm, for axe-core")
    command = [npm, "install", "--no-save", "--no-package-lock", "--silent", "--prefix", str(folder), "axe-core@4"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(browser: Any, source: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds wrong with the page that is shown: the rule, and the elements that break it.

    A page that is wider than its window is wrong too.
    """
    browser.execute_script(source)
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    wrong = [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found["violations"]]
    if browser.execute_script("return document.documentElement.scrollWidth > innerWidth"):
        wrong.append(("wider than the window", []))
    return wrong
