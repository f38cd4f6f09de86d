"""The page with a server behind it: gradients, ascent images and training, by Python's own http.server on 127.0.0.1."""

from __future__ import annotations

import json
import secrets
import threading
import webbrowser
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import prod
from typing import Any, Protocol

import numpy as np

from tensorgrad.derivatives import grad
from tensorgrad.engine import set_recording
from tensorgrad.layers import Conv2d
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.page.description import describe
from tensorgrad.page.description import form as form_of
from tensorgrad.page.export import page
from tensorgrad.tensor import Array, Tensor

LARGEST = 1 << 20  # bytes of a request
SECONDS = 10  # that a client may take to send one
MOST_STEPS, MOST_EXAMPLES = 100, 2000
ASCENT_STEPS = 40


class Learner(Protocol):
    """What training on the page needs of a model besides its layers."""

    @property
    def iscompiled(self) -> bool:
        """Whether it was compiled."""

    def train(self, X: Any, Y: Any, **arguments: Any) -> Any:
        """Train on samples; see :meth:`tensorgrad.CNN.train`."""


class BadRequest(ValueError):
    """A request that is not what the page sends."""


class Session:
    """What the page asks of the server. A lock lets one request at a time at the network.

    Parameters
    ----------
    model : Network
        If it is compiled, it can be taught.
    classes, pixels
        See :func:`tensorgrad.page.description.describe`.
    """

    def __init__(self, model: Network, classes: Sequence[str] | None = None, pixels: str | None = None) -> None:
        self.model = model
        self.description = describe(model, classes, pixels)
        self.trainable = bool(getattr(model, "iscompiled", False))
        self.pictures: list[Array] = []
        self.labels: list[int] = []
        self.start = model.state_dict()
        self.lock = threading.Lock()
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "unit": self.unit,
            "keep": self.keep,
            "train": self.train,
            "forget": self.forget,
        }

    def answer(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, or a BadRequest."""
        if what not in self.answers:
            raise BadRequest(f"there is no {what[:40]!r}; the page asks for {', '.join(self.answers)}")
        with self.lock:
            return self.answers[what](body)

    def unit(self, body: dict[str, Any]) -> dict[str, Any]:
        """The gradient of a unit by the picture, the picture that excites it, and its filter."""
        x = self._picture(body)
        number = _whole(body, "layer", len(self.model.layers))
        layer = self.model.layers[number]
        shape = as_tuple(layer.output_shape or ())
        place = body.get("unit")
        if not isinstance(place, list) or len(place) != len(shape):
            raise BadRequest(f"unit must have {len(shape)} numbers for {layer.title}")
        index = tuple(_whole({"unit": n}, "unit", size) for n, size in zip(place, shape, strict=True))
        found = {"gradient": _grey(np.abs(self._slope(x, number, index)))}
        noise = np.asarray(np.random.default_rng(0).standard_normal(x.shape))
        ascended = (0.1 * noise).astype(x.dtype)
        for _ in range(ASCENT_STEPS):
            slope = self._slope(ascended, number, index)
            ascended += slope / (np.sqrt((slope**2).mean()) + 1e-12) * 0.1
            ascended *= 0.98
        found["ascent"] = _grey(ascended)
        if isinstance(layer, Conv2d) and layer.weights is not None:
            found["filter"] = _grey(layer.weights.numpy()[..., index[2]])
        return found

    def keep(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a picture and its label to train on."""
        picture = self._picture(body)[0]
        label = _whole(body, "label", len(self.description["classes"]))
        if len(self.pictures) >= MOST_EXAMPLES:
            raise BadRequest(f"{MOST_EXAMPLES} examples are kept, which is the most there can be")
        self.pictures.append(picture)
        self.labels.append(label)
        return {"examples": len(self.pictures)}

    def train(self, body: dict[str, Any]) -> dict[str, Any]:
        """Train on the examples: a number of steps on all of them, or an epoch of small batches."""
        if not self.trainable:
            raise BadRequest(
                "the model is not compiled, so it cannot be trained; call compile_model(...) and save it again"
            )
        if not self.pictures:
            raise BadRequest("there are no examples yet")
        steps = _whole(body, "steps", MOST_STEPS + 1) if "steps" in body else 0
        epochs, size = (steps, len(self.pictures)) if steps else (1, 8)
        learner: Any = self.model
        before = len(learner.history)
        learner.train(
            np.stack(self.pictures),
            np.array(self.labels),
            epochs=epochs,
            batch_size=size,
            val_split=0,
            verbose=0,
            first_epoch=learner.history.epoch[-1] + 1 if before else 0,
        )
        losses = learner.history["loss"][-epochs:]
        return {"examples": len(self.pictures), "losses": losses, "layers": self._layers()}

    def forget(self, body: dict[str, Any]) -> dict[str, Any]:
        """Drop the examples, and put the weights back that the server began with."""
        self.pictures.clear()
        self.labels.clear()
        self.model.load_state_dict(self.start)
        return {"examples": 0, "losses": [], "layers": self._layers()}

    def _layers(self) -> list[dict[str, Any]]:
        return [form_of(layer) for layer in self.model.layers]

    def _slope(self, x: Array, number: int, index: tuple[int, ...]) -> Array:
        pixels = Tensor(x, requires_grad=True)
        with set_recording(True):
            y = pixels
            for layer in self.model.layers[: number + 1]:
                y = layer.forward(y, training=False)
            (slope,) = grad(y[(0, *index)], pixels, allow_unused=True)
        return np.array(slope.numpy())

    def _picture(self, body: dict[str, Any]) -> Array:
        """The picture of a request, ``(1, height, width, channels)``."""
        shape = self.model.input_shape
        numbers = body.get("picture")
        if not isinstance(numbers, list) or len(numbers) != prod(shape):
            raise BadRequest(f"picture must have {prod(shape)} numbers")
        if not all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) < 1e6 for n in numbers):
            raise BadRequest("picture must have finite numbers")
        return np.array(numbers, self.model.dtype).reshape(1, *shape)


def _whole(body: dict[str, Any], key: str, limit: int) -> int:
    number = body.get(key)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < limit:
        raise BadRequest(f"{key} must be a whole number from 0 to {limit - 1}")
    return number


def _grey(image: Array) -> dict[str, Any]:
    """An image, or a batch of one, as its mean over the channels."""
    flat = image.reshape(image.shape[-3:]).mean(-1)
    return {"shape": flat.shape, "data": [float(x) for x in np.nan_to_num(flat).ravel()]}


class Server(ThreadingHTTPServer):
    """Serves a session under an address with a random token, to this machine only."""

    daemon_threads = True
    request_queue_size = 128  # connections that wait to be taken

    def __init__(self, session: Session, port: int = 0, title: str = "Look into a network") -> None:
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) else "it must be from 0 to 65535"
            raise OSError(
                f"serve: port {port} cannot be used: {why}; give another, or 0 for any that is free"
            ) from None
        self.session = session
        self.token = secrets.token_urlsafe(16)
        self.html = page(
            session.description | {"server": f"/{self.token}", "trainable": session.trainable}, title
        ).encode()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that vanished."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    server_version, sys_version = "tensorgrad", ""

    def do_GET(self) -> None:
        """The page."""
        if self._is_for_us() and self.path == f"/{self.server.token}/":
            self._send(200, self.server.html, "text/html; charset=utf-8")
        else:
            self._refuse(404, "there is nothing here; use the address that was printed when the server started")

    def do_POST(self) -> None:
        """What the page asks for."""
        start = f"/{self.server.token}/"
        if not self._is_for_us() or not self.path.startswith(start):
            return self._refuse(404, "there is nothing here")
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            return self._refuse(413, f"a request has at most {LARGEST} bytes, and says how many")
        try:
            body = json.loads(self.rfile.read(int(length)))
            if not isinstance(body, dict):
                raise BadRequest("expected an object")
            found = self.server.session.answer(self.path.removeprefix(start), body)
        except BadRequest as error:
            return self._refuse(400, str(error))
        except (ValueError, RecursionError):
            return self._refuse(400, "expected JSON")
        except ArithmeticError as error:
            return self._refuse(500, str(error))
        self._send(200, json.dumps(found).encode(), "application/json")

    def _is_for_us(self) -> bool:
        """Whether a request names this server, and comes from its own page or from none."""
        here = f"127.0.0.1:{self.server.server_address[1]}"
        hosts = {here, here.replace("127.0.0.1", "localhost")}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (origin is None or origin.removeprefix("http://") in hosts)

    def _refuse(self, status: int, reason: str) -> None:
        self.close_connection = True  # what it may have sent besides is not read
        self._send(status, json.dumps({"error": reason}).encode(), "application/json")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob: data:; "
            "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for each request."""


def serve(
    model: Network,
    port: int = 0,
    *,
    classes: Sequence[str] | None = None,
    pixels: str | None = None,
    open_browser: bool = True,
) -> None:
    """Serve the page for a model on this machine, until Ctrl-C.

    Parameters
    ----------
    model : Network
        Of images. If it is compiled, the page can teach it; the file that it was loaded from stays as it is.
    port : int
        0 for any that is free.
    classes, pixels
        See :func:`tensorgrad.page.description.describe`.
    open_browser : bool
        Show the page in the browser, where there is one.
    """
    with Server(Session(model, classes, pixels), port) as server:
        print(f"The page is at {server.address} (Ctrl-C ends it)", flush=True)
        if open_browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
