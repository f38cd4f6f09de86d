"""Each kind of thing is added to the running library from outside, and then used by its name like ours.

The registries are put back afterwards, so that no other test sees what was added.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import CNN, Tensor, functional, losses, ops
from tensorgrad.functional import ACTIVATIONS, POOLINGS
from tensorgrad.layers import FFL, Activation, Conv2d, Flatten, GlobalPool, Layer, Pool2d
from tensorgrad.losses import LOSSES
from tensorgrad.optim import OPTIMIZERS, Optimizer
from tensorgrad.saving import registry
from tensorgrad.testing import gradcheck
from tensorgrad.training import metrics
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.metrics import METRICS

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((24, 8, 8, 1)).astype(np.float32), RNG.integers(0, 3, 24)


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Take away what a test has added."""
    kept: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (known, dict(known)) for known in (ACTIVATIONS, POOLINGS, LOSSES, METRICS, OPTIMIZERS, registry._kinds)
    ]
    yield
    for known, before in kept:
        known.clear()
        known.update(before)


def trained_and_loaded(layers: list[Layer], path: Path) -> tuple[CNN, CNN]:
    """A model of these layers, and what comes back of it from a file."""
    model = CNN(seed=0)
    for layer in layers:
        model.add(layer)
    model.compile_model(opt="adam", loss="cse", lr=0.01)
    history = model.train(X, Y, epochs=8, batch_size=8, val_split=0, verbose=0)
    assert history["loss"][-1] < history["loss"][0]
    tg.save_model(model, path)
    again = tg.load_model(path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    return model, again


def test_an_activation(tmp_path: Path) -> None:
    """As a function, and, with a primitive and a kernel, as the last step of a convolution."""

    @tg.primitive
    def softsign(x: Any) -> Any:
        return x / (1 + abs(x))

    softsign.rules(lambda g, y, _x: g * (1 - abs(y)) * (1 - abs(y)))

    def in_place(y: Any) -> None:
        y /= 1 + abs(y)

    functional.register_activation("plain", lambda x: x / (1 + abs(x)), relu_like=True)
    functional.register_activation("fused", softsign, last_step=ops.LastStep(softsign, in_place))
    x, w, b = (RNG.standard_normal(shape) for shape in ((2, 5, 5, 1), (3, 3, 1, 4), 4))
    values = [tg.conv2d(x, w, b, activation=name).numpy() for name in ("plain", "fused")]
    np.testing.assert_allclose(values[0], values[1])
    linear = tg.conv2d(x, w, b).numpy()
    np.testing.assert_allclose(values[0], linear / (1 + abs(linear)))
    np.testing.assert_allclose(tg.affine(w[0, :, 0], w[0, 0].T @ b[None], b, activation="fused").numpy().shape, (3, 4))
    for name in ("plain", "fused"):
        gradcheck(lambda *a, name=name: tg.conv2d(*a, activation=name), x, w, b, order=2, directions=1)
    wide = [FFL(input_shape=900, neurons=300, activation=name).weights.numpy().std() for name in ("plain", "fused")]
    assert wide == pytest.approx([np.sqrt(2 / 900), np.sqrt(2 / 1200)], rel=0.02)
    layers = [Conv2d((8, 8, 1), filters=4, activation="fused"), Activation("plain"), Flatten()]
    model, _ = trained_and_loaded(
        [*layers, FFL(neurons=6, activation="plain"), FFL(neurons=3, activation="softmax")], tmp_path / "model.tgrad"
    )
    with tg.override_rule(softsign, 0, None):
        (g,) = tg.grad(model.layers[0](X).sum(), [model.layers[0].weights])
    assert not g.numpy().any()


def test_a_pooling(tmp_path: Path) -> None:
    """Of windows, with any padding, and of whole images."""
    functional.register_pooling(
        "rms",
        lambda x, size, stride, padding: tg.avg_pool2d(x * x, size, stride, padding).sqrt(),
        lambda x: (x * x).mean((-3, -2)).sqrt(),
    )
    framed = np.pad(X, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (2, 2), axis=(1, 2))
    expected = np.sqrt(np.nanmean(windows**2, axis=(-2, -1)))
    layer = Pool2d(2, stride=1, kind="rms", padding="keep")
    np.testing.assert_allclose(layer(X).numpy(), expected, rtol=1e-5)
    np.testing.assert_array_equal(tg.pool2d("rms", X, 2, 1, "keep").numpy(), layer(X).numpy())
    first = Conv2d((8, 8, 1), filters=4)
    layers = [first, Pool2d(kind="rms"), Conv2d(filters=6), GlobalPool("rms"), FFL(neurons=3, activation="softmax")]
    model, _ = trained_and_loaded(layers, tmp_path / "model.tgrad")
    assert "rms of 2 x 2" in model.to_mermaid()


def test_a_layer(tmp_path: Path) -> None:
    """With a setting, and a parameter whose size depends on the input."""

    @registry.register
    class Scaled(Layer):
        def __init__(self, start: float = 1.0) -> None:
            self.start = start

        def build(self, input_shape: Any) -> None:
            if not hasattr(self, "scale"):
                self.scale = Tensor(np.full(input_shape[-1], self.start, np.float32), requires_grad=True)

        def forward(self, x: Tensor, training: bool) -> Tensor:
            return x * self.scale

    layers = [Conv2d((8, 8, 1), filters=4), Scaled(0.5), Flatten(), FFL(neurons=3, activation="softmax")]
    model, again = trained_and_loaded(layers, tmp_path / "model.tgrad")
    scale = again.layers[1]
    assert scale.config() == {"start": 0.5}
    assert model.layers[1].parameter_count == 4
    assert "Scaled" in model.to_mermaid()


def cubed(outputs: Any, targets: Any) -> Any:
    """The cubed distance of each output."""
    return abs(outputs - targets) ** 3


def largest(outputs: Any, targets: Any) -> float:
    """The largest distance."""
    return float(np.abs(outputs - targets).max())


class Halving(Optimizer):
    """Steps of half of the gradient, by its sign alone where it is small."""

    name = "halving"

    def update(self, g: Any, slots: Any, scratch: Any, t: int) -> None:
        """``step = lr g / 2``."""
        g *= self.lr / 2


class Counter(Callback):
    """Counts what it is told of."""

    def __init__(self) -> None:
        self.batches: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        """Note the metric's counterpart."""
        self.batches.append(logs["loss"])


def test_a_loss_a_metric_an_optimizer_and_a_callback(tmp_path: Path) -> None:
    losses.register(cubed)
    metrics.register(largest, higher_is_better=False)
    model = CNN(seed=0)
    for layer in (Flatten((8, 8, 1)), FFL(neurons=1)):
        model.add(layer)
    model.compile_model(opt="halving", loss="cubed", lr=0.01, metrics=["largest"])
    counter, targets = Counter(), X.mean((1, 2, 3))
    history = model.train(X, targets, epochs=3, batch_size=8, val_split=0.25, verbose=0, callbacks=[counter])
    assert len(counter.batches) == 9
    assert history["loss"][-1] < history["loss"][0]
    outputs = model.predict(X)
    found = model.evaluate(X, targets)
    assert found["largest"] == pytest.approx(np.abs(outputs[:, 0] - targets).max())
    assert found["loss"] == pytest.approx((np.abs(outputs[:, 0] - targets) ** 3).mean())
    tg.save_model(model, tmp_path / "m.tgrad")
    again = tg.load_model(tmp_path / "m.tgrad")
    for one in (model, again):
        one.resume(X, targets, 4, batch_size=8, val_split=0.25, verbose=0)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: functional.register_activation("relu", tg.relu), "there is an activation 'relu' already"),
        (lambda: functional.register_activation("my own", tg.relu), "expected a name such as 'softsign'"),
        (lambda: functional.register_activation("mine", 3), "expected a function from a tensor to a tensor"),
        (lambda: functional.register_pooling("max", ops.max_pool2d), "there is a pooling 'max' already"),
        (lambda: functional.register_pooling("", ops.max_pool2d), "expected a name such as 'median'"),
        (lambda: functional.register_pooling("mine", None), "windows must be a function of images"),
        (lambda: GlobalPool("min"), "GlobalPool: unknown kind 'min'; known are 'max', 'average'"),
    ],
)
def test_what_cannot_be_added(call: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        call()
