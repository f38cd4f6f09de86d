"""Predictors: they give what predict gives, see what changes, and refuse what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad
from tensorgrad import CNN, layers
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Concatenate,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Reshape,
    Sequential,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.tensor import Tensor

IMAGE = (7, 6, 3)


class Halved(Layer):
    """A user's layer."""

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return x / 2 if training else x * 0.25


class Doubled(Conv2d):
    """A user's convolution, that computes something else."""

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return super().forward(x, training) * 2


class Negative:
    """Comes before a layer, and changes what it computes."""

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        return -super().affine(x, activation)  # type: ignore[misc]


class Mixed(Negative, Conv2d):
    """Says by nothing but its bases that it is no plain convolution."""


MAKERS: list[Callable[[], Layer]] = [
    lambda: Conv2d(filters=4, activation="relu"),
    lambda: Conv2d(filters=4, padding=None, activation="tanh", isbias=False),
    lambda: Conv2d(filters=4, padding="same", activation="gelu"),
    lambda: Conv2d(filters=4, padding="keep", stride=2, kernel_size=(2, 3)),
    lambda: Conv2d(filters=4, kernel_size=2, dilation=(1, 2), activation="softmax"),
    lambda: Conv2d(filters=4, kernel_size=1, padding=None, activation="sigmoid"),
    lambda: Conv2d(filters=6, groups=3, activation="leaky_relu"),
    lambda: Sequential([Conv2d(filters=1), Conv2d(filters=3, kernel_size=(3, 2), stride=(1, 2))]),
    lambda: ConvTranspose2d(filters=2, stride=2, activation="relu"),
    lambda: Pool2d(),
    lambda: Pool2d(3, stride=2, kind="min", padding=1),
    lambda: Pool2d(2, stride=1, kind="average", padding="keep"),
    lambda: Pool2d((1, 2), kind="max"),
    lambda: GlobalPool(),
    lambda: GlobalPool("max"),
    lambda: BatchNorm(),
    lambda: LayerNorm(),
    lambda: Activation("relu"),
    lambda: Activation("swish"),
    lambda: Dropout(0.5),
    lambda: Upsample((2, 3)),
    lambda: ZeroPadding2d(((0, 1), (2, 0))),
    lambda: Reshape((-1, 3)),
    lambda: Add([[Conv2d(filters=3, activation="relu")], []]),
    lambda: Add([[]]),
    lambda: Add([[Dropout(0.1)], [BatchNorm(), Activation("relu")], []]),
    lambda: Concatenate([[Conv2d(filters=2), Activation("tanh")], [], [Halved()]]),
    Halved,
    lambda: Doubled(filters=3),
    lambda: Mixed(filters=3),
]


def network(*parts: Layer, shape: tuple[int, ...] = IMAGE, dtype: str = "float32") -> CNN:
    """Layers as a model that has seen some data, so that no statistic and no bias is what it starts with."""
    model = CNN(seed=0)
    parts[0].input_shape = shape
    for part in parts:
        model.add(part)
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(rng.normal(size=w.shape)).astype(w.dtype) / 2 for w in model.get_weights()])
    model.astype(dtype)
    return model


def samples(count: int, shape: tuple[int, ...] = IMAGE) -> np.ndarray[Any, Any]:
    return np.random.default_rng(count).normal(size=(count, *shape)).astype(np.float32)


def largest(model: CNN, X: Any) -> float:
    """The largest number that a layer computes, before its activation too."""
    found = [1.0]
    t = Tensor(np.asarray(X, model.dtype))
    for layer in model.layers:
        if hasattr(layer, "linear"):
            found.append(np.abs(layer.linear(t).numpy()).max())
        t = layer(t)
        found.append(np.abs(t.numpy()).max())
    return max(found)


def agree(model: CNN, X: Any, found: Any, dtype: str = "float32") -> None:
    """To rounding in the layer whose numbers are the largest: BLAS adds up in an order of its own for each shape."""
    expected = model.predict(X)
    assert found.dtype == expected.dtype == dtype
    assert found.shape == expected.shape
    error = largest(model, X) * (1e-6 if dtype == "float32" else 1e-14)
    np.testing.assert_allclose(found, expected, rtol=0, atol=error)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_layer_is_what_predict_has(make: Callable[[], Layer], dtype: str) -> None:
    model = network(Conv2d(filters=3, padding=1), make(), dtype=dtype)
    for count in (1, 3, 17):
        p = model.predictor(count)
        for start in range(2):  # the second time, memory holds what the first has left
            X = samples(count + 5)[start : start + count]
            agree(model, X, p(X), dtype)


def test_the_table_has_every_layer_that_prepares_itself() -> None:
    every = list(vars(layers).values())
    prepared = {kind for kind in every if isinstance(kind, type) and issubclass(kind, Layer)}
    prepared = {kind for kind in prepared if kind.bind is not Layer.bind}
    assert prepared - {FFL, Flatten} <= {type(part) for make in MAKERS for part in make().walk()}


@given(st.lists(st.sampled_from(MAKERS), min_size=1, max_size=5), st.sampled_from([1, 2, 3, 16]), st.integers(5, 12))
def test_random_networks(makers: list[Callable[[], Layer]], count: int, size: int) -> None:
    model = CNN(seed=1)
    model.add(Conv2d((size, size, 2), filters=3))
    for make in makers:
        try:
            model.add(make())
        except ValueError:  # it does not fit what is there
            continue
    model.add(Flatten())
    model.add(FFL(neurons=5, activation="softmax"))
    X = samples(count, (size, size, 2))
    agree(model, X, model.predictor(count)(X))


def test_large_batches_take_the_lowerings_of_predict() -> None:
    model = network(
        Conv2d(filters=32, padding=1, activation="relu"), Conv2d(filters=32, padding=1), Flatten(), FFL(neurons=40),
        shape=(24, 24, 16),
    )  # fmt: skip
    X = samples(12, (24, 24, 16))
    agree(model, X, model.predictor(12)(X))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [64, 101])
def test_large_batches_go_in_slices_on_all_threads(threads: int, count: int) -> None:
    model = network(Conv2d(filters=4, activation="relu"), Pool2d(), Flatten(), FFL(neurons=3))
    before = tensorgrad.get_num_threads()
    tensorgrad.set_num_threads(threads)
    try:
        p = model.predictor(count)
        for X in (samples(count), samples(count) + 1):
            found = p(X)
            one_by_one = np.concatenate([model.predict(x[None]) for x in X])
            np.testing.assert_allclose(found, one_by_one, rtol=0, atol=1e-6 * largest(model, X))
    finally:
        tensorgrad.set_num_threads(before)


def trained(model: CNN) -> None:
    model.compile_model(lr=0.1, opt="sgd", loss="mse")
    model.train(samples(8), np.ones((8, *model.output_shape)), epochs=1, verbose=0, val_split=0)


def test_what_changes_is_seen() -> None:
    model = network(Conv2d(filters=4), BatchNorm(), Activation("relu"), Flatten(), FFL(neurons=2))
    p, X = model.predictor(2), samples(2)
    before = [p(X)]

    def changed(change: Callable[[], object], dtype: str = "float32") -> None:
        change()
        agree(model, X, p(X), dtype)
        assert before[-1].shape != p(X).shape or not np.allclose(before[-1], p(X))
        before.append(p(X))

    changed(lambda: trained(model))
    changed(lambda: model.set_weights([w * 0.5 for w in model.get_weights()]))
    changed(lambda: model.load_state_dict({k: v * 3 for k, v in model.state_dict().items()}))
    changed(lambda: setattr(model.layers[0], "weights", np.ones((3, 3, 3, 4), np.float32)))
    changed(lambda: setattr(model.layers[1], "running_mean", np.full(4, 2.0, np.float32)))
    changed(lambda: model.add(FFL(neurons=3)))
    model.astype("float64")
    agree(model, X, p(X), "float64")
    setattr(model.layers[-1], "forward", lambda x, training: x * 0 + 7)  # noqa: B010
    assert (model.predictor(2)(X) == model.predict(X)).all()


def test_results_are_the_callers_own() -> None:
    model = network(Flatten(), shape=(2, 2))
    p = model.predictor()
    X = samples(1, (2, 2))
    first = p(X)
    first[...] = 9
    X2 = X + 1
    assert (p(X2) == X2.reshape(1, 4)).all()
    assert (first == 9).all()


def test_threads_do_not_share_memory() -> None:
    model = network(Conv2d(filters=8, activation="relu"), Pool2d(), Flatten(), FFL(neurons=4, activation="softmax"))
    p, X = model.predictor(), samples(200)
    expected = model.predict(X, batch_size=1)
    with ThreadPoolExecutor(4) as pool:
        found = np.concatenate(list(pool.map(lambda i: p(X[i : i + 1]), range(200))))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * largest(model, X))


def test_kinds_of_samples() -> None:
    model = network(Conv2d(filters=2), Flatten(), FFL(neurons=2))
    p, X = model.predictor(), np.random.default_rng(0).integers(0, 5, (1, *IMAGE))
    agree(model, X, p(X))
    agree(model, X[0], p(X[0]))
    agree(model, X.tolist(), p(X.tolist()))
    agree(model, X.astype(np.uint8)[:, ::-1], p(X.astype(np.uint8)[:, ::-1]))
    agree(model, tensorgrad.tensor(X.astype(np.float32)), p(tensorgrad.tensor(X.astype(np.float32))))


def test_no_graph_is_recorded() -> None:
    seen: list[bool] = []

    class Watching(Layer):
        def forward(self, x: Tensor, training: bool) -> Tensor:
            seen.append((x * self.scale).requires_grad)
            return x

        def build(self, input_shape: Any) -> None:
            self.scale = Tensor(np.ones(1, np.float32), requires_grad=True)

    model = network(Watching())
    seen.clear()
    model.predictor()(samples(1))
    assert seen
    assert not any(seen)


def test_what_does_not_fit_is_refused() -> None:
    model = network(Conv2d(filters=2), Flatten())
    with pytest.raises(ValueError, match=r"predictor: batch_size must be an int of at least 1, received 0"):
        model.predictor(0)
    with pytest.raises(ValueError, match="predictor: batch_size must be an int of at least 1, received True"):
        model.predictor(True)
    with pytest.raises(ValueError, match="predictor: the model has no layers yet"):
        CNN().predictor()
    p = model.predictor(2)
    message = r"expected a batch of 2 samples, received 3; use predict, or make another with predictor\(batch_size=3\)"
    with pytest.raises(ValueError, match=message):
        p(samples(3))
    with pytest.raises(
        ValueError, match=r"predictor: .* expects samples of shape \(7, 6, 3\), but X has shape \(2, 7, 6\)"
    ):
        p(samples(2)[..., 0])
    with pytest.raises(ValueError, match="it is one sample"):
        p(samples(1)[0])
    with pytest.raises(TypeError, match="predictor: "):
        p(np.full((2, *IMAGE), "x"))


def test_a_layer_whose_output_changes_its_shape_is_refused() -> None:
    class Positive(Layer):
        def forward(self, x: Tensor, training: bool) -> Tensor:
            return Tensor(x.numpy()[x.numpy() >= 0][None])

        def infer_shape(self, input_shape: Any) -> int:
            return 4

    model = network(Positive(), shape=(4,))
    p = model.predictor()
    assert (p([0.0, 1.0, 2.0, 3.0]) == [[0, 1, 2, 3]]).all()
    with pytest.raises(
        ValueError, match=r"Positive.*: a predictor needs outputs of one shape and dtype; first .* use predict"
    ):
        p([-1.0, 1.0, 2.0, 3.0])
