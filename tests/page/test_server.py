"""The server behind the page: what it answers, and what it refuses, whoever asks."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d
from tensorgrad.page.server import Server, Session


def model(compiled: bool = True) -> CNN:
    made = CNN(seed=0)
    made.add(Conv2d(input_shape=(8, 8, 1), filters=3, activation="tanh"))
    for layer in (Pool2d(kind="average"), Flatten(), FFL(neurons=4, activation="softmax")):
        made.add(layer)
    if compiled:
        made.compile_model(opt="adam", loss="cse", lr=0.02)
    return made


PICTURE = np.random.default_rng(0).standard_normal(64).round(3).tolist()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(Session(model())) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: Server, what: str, body: Any, method: str = "POST", **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, what if what.startswith("/") else f"/{server.token}/{what}", data, headers)
    response = connection.getresponse()
    found = json.loads(response.read())
    connection.close()
    return response.status, found


def test_the_page_has_all_that_it_needs(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    connection.request("GET", f"/{server.token}/")
    response = connection.getresponse()
    text = response.read().decode()
    assert response.status == 200
    assert "connect-src 'self'" in response.headers["Content-Security-Policy"]
    assert f'"server": "/{server.token}"' in text
    assert "{{" not in text
    connection.close()


def test_the_gradient_of_a_unit_is_that_of_the_network(server: Server) -> None:
    status, found = ask(server, "unit", {"layer": 3, "unit": [2], "picture": PICTURE})
    assert status == 200
    network = server.session.model
    x = np.array(PICTURE, np.float32).reshape(1, 8, 8, 1)
    step = 1e-2
    slopes = [
        (network.predict(x + step * unit)[0, 2] - network.predict(x - step * unit)[0, 2]) / (2 * step)
        for unit in np.eye(64, dtype=np.float32).reshape(64, 1, 8, 8, 1)
    ]
    np.testing.assert_allclose(found["gradient"]["data"], np.abs(slopes), atol=2e-4)
    assert found["ascent"]["shape"] == [8, 8]
    ascended = np.array(found["ascent"]["data"], np.float32).reshape(1, 8, 8, 1)
    assert network.predict(ascended)[0, 2] > network.predict(np.zeros_like(x))[0, 2]
    assert ask(server, "unit", {"layer": 0, "unit": [1, 2, 0], "picture": PICTURE})[1]["filter"]["shape"] == [3, 3]


def test_it_learns_what_it_is_taught_and_forgets(server: Server) -> None:
    network = server.session.model
    before = network.predict(np.reshape(PICTURE, (1, 8, 8, 1)))
    assert ask(server, "train", {"steps": 1}) == (400, {"error": "there are no examples yet"})
    assert ask(server, "keep", {"picture": PICTURE, "label": 3}) == (200, {"examples": 1})
    losses = [loss for _ in range(20) for loss in ask(server, "train", {"steps": 2})[1]["losses"]]
    assert len(losses) == 40
    assert losses[-1] < losses[0] / 3
    status, found = ask(server, "train", {"epochs": 1})
    assert (status, found["examples"], len(found["layers"])) == (200, 1, 4)
    after = network.predict(np.reshape(PICTURE, (1, 8, 8, 1)))
    assert after.argmax() == 3
    status, found = ask(server, "forget", {})
    assert (found["examples"], found["losses"]) == (0, [])
    np.testing.assert_array_equal(network.predict(np.reshape(PICTURE, (1, 8, 8, 1))), before)


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "another token": ({"what": "/nope/keep"}, 404, "there is nothing here"),
    "no token": ({"what": "/", "method": "GET"}, 404, "use the address that was printed"),
    "another origin": ({"Origin": "http://evil.example"}, 404, "there is nothing here"),
    "another host": ({"Host": "evil.example"}, 404, "there is nothing here"),
    "a gigabyte": ({"Content-Length": str(1 << 30)}, 413, "has at most"),
    "no length": ({"Content-Length": "many"}, 413, "says how many"),
    "no JSON": ({"body": b"{"}, 400, "expected JSON"),
    "no object": ({"body": []}, 400, "expected an object"),
    "too deep": ({"body": b"[" * 100_000}, 400, "expected JSON"),
    "another question": ({"what": "secrets"}, 400, "there is no 'secrets'"),
    "a short picture": ({"body": {"picture": [1], "label": 0}}, 400, "picture must have 64 numbers"),
    "a picture of words": ({"body": {"picture": ["a"] * 64, "label": 0}}, 400, "finite numbers"),
    "a picture with NaN": ({"body": b'{"label": 0, "picture": [' + b"NaN," * 63 + b"1]}"}, 400, "finite numbers"),
    "no such label": ({"body": {"picture": PICTURE, "label": 4}}, 400, "label must be a whole number from 0 to 3"),
    "no such layer": ({"what": "unit", "body": {"picture": PICTURE, "layer": 9}}, 400, "layer must be"),
    "no such unit": ({"what": "unit", "body": {"picture": PICTURE, "layer": 0, "unit": [0]}}, 400, "3 numbers"),
    "a unit outside": ({"what": "unit", "body": {"picture": PICTURE, "layer": 3, "unit": [9]}}, 400, "from 0 to 3"),
    "too many steps": ({"what": "train", "body": {"steps": 10**9}}, 400, "there are no examples yet|steps must be"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(server: Server, case: str, capfd: pytest.CaptureFixture[str]) -> None:
    request, status, reason = REFUSED[case]
    request = {"what": "keep", "body": {"picture": PICTURE, "label": 0}} | request
    found = ask(server, **request)
    assert found[0] == status
    assert any(part in found[1]["error"] for part in reason.split("|"))
    assert server.session.pictures == []
    assert capfd.readouterr().err == ""  # no traceback
    assert ask(server, "keep", {"picture": PICTURE, "label": 0})[0] == 200  # and it goes on


def test_fifty_at_once(server: Server) -> None:
    found: list[int] = []
    body = {"layer": 3, "unit": [0], "picture": PICTURE}
    threads = [threading.Thread(target=lambda: found.append(ask(server, "unit", body)[0])) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [200] * 50


def test_clients_that_vanish(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    for text in (b"", b"GET /", b"POST /" + server.token.encode() + b"/keep HTTP/1.1\r\nContent-Length: 500\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", server.server_address[1])) as connection:
            connection.sendall(text)
    time.sleep(0.1)
    assert ask(server, "keep", {"picture": PICTURE, "label": 0})[0] == 200
    assert capfd.readouterr().err == ""


def test_it_listens_to_this_machine_only(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_a_model_that_is_not_compiled_cannot_be_taught() -> None:
    network = model(compiled=False)
    session = Session(network)
    session.answer("keep", {"picture": PICTURE, "label": 0})
    with pytest.raises(ValueError, match="the model is not compiled"):
        session.answer("train", {"steps": 1})


def test_a_port_that_cannot_be_used_is_named(server: Server) -> None:
    for port, why in ((server.server_address[1], "in use"), (99_999, "0 to 65535"), (-1, "0 to 65535")):
        with pytest.raises(OSError, match=f"serve: port {port} cannot be used: .*{why}; give another, or 0"):
            Server(Session(model()), int(port))
