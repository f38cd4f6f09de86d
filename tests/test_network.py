"""Network: parameters and running statistics by name, random streams, prediction in blocks."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np
import pytest

import tensorgrad
from tensorgrad.kernels import blas
from tensorgrad.layers import FFL, BatchNorm, Conv2d, GlobalPool, Layer, Pool2d, Sequential
from tensorgrad.network import Network
from tensorgrad.predictor import Plan, Slices
from tensorgrad.tensor import Tensor

Array = np.ndarray[Any, Any]


def made(seed: int, classes: int = 3) -> Network:
    network = Network(seed=seed)
    network.add(FFL(input_shape=4, neurons=8, activation="relu"))
    network.add(BatchNorm())
    network.add(FFL(neurons=classes, activation="softmax"))
    return network


X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)


def moved(network: Network) -> Network:
    """With running statistics that are not those of a new network."""
    network(X * 3 + 1, training=True)
    return network


@pytest.mark.parametrize("frozen", [False, True])
def test_a_state_is_parameters_and_running_statistics_frozen_or_not(frozen: bool) -> None:
    one = moved(made(0))
    for parameter in one.parameters() if frozen else []:
        parameter.requires_grad = False
    state = one.state_dict()
    assert list(state) == [
        "0.weights", "0.biases", "1.weights", "1.biases", "1.running_mean", "1.running_var", "2.weights", "2.biases",
    ]  # fmt: skip
    by_name, by_order = made(1), made(2)
    assert not by_name.load_state_dict(state)
    by_order.set_weights(one.get_weights())
    for other in (by_name, by_order):
        np.testing.assert_array_equal(other.predict(X), one.predict(X))
    state["0.weights"][...] = 0  # a copy
    np.testing.assert_array_equal(by_name.predict(X), one.predict(X))


def test_a_state_is_loaded_whole_or_not_at_all() -> None:
    network, state = made(0), made(1, classes=5).state_dict()
    del state["0.biases"]
    state["3.weights"] = np.ones(2)
    before = network.state_dict()
    message = (
        "load_state_dict: the state does not fit. missing: 0.biases; unexpected: 3.weights; of another shape: "
        "2.weights has shape (8, 3), received (8, 5), 2.biases has shape (3,), received (5,). Load it into"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        network.load_state_dict(state)
    with pytest.raises(TypeError, match=re.escape("load_state_dict: 0.weights must be numbers, received dtype <U1")):
        network.load_state_dict(state | {"0.weights": np.full((4, 8), "a")}, strict=False)
    for name, values in network.state_dict().items():
        np.testing.assert_array_equal(values, before[name])
    found = network.load_state_dict(state, strict=False)
    assert (found.missing, found.unexpected) == (("0.biases",), ("3.weights",))
    assert found.reshaped == ("2.weights", "2.biases")
    after = network.state_dict()
    np.testing.assert_array_equal(after["0.weights"], state["0.weights"])
    np.testing.assert_array_equal(after["2.weights"], before["2.weights"])


def test_streams_depend_on_seed_and_key_alone() -> None:
    one, other = Network(seed=7), Network(seed=7)
    one.stream(3).random(100)
    assert one.stream(3).random() == other.stream(3).random() != other.stream(4).random()
    assert Network().seed != Network().seed


def test_prediction_goes_in_blocks_bounded_by_bytes() -> None:
    network = Network(seed=0)
    network.add(Conv2d(input_shape=(128, 128, 3), filters=16))
    network.add(GlobalPool())
    sizes = {block.stop - block.start for block in network.blocks(64, None, "predict")}
    assert max(sizes) * 128 * 128 * (3 + 16) * 4 < 2**26
    small = made(0)
    np.testing.assert_allclose(small.predict(X, batch_size=3), small.predict(X), rtol=1e-5)


def images_and_network() -> tuple[Array, Network]:
    network = Network(seed=0)
    network.add(Conv2d(input_shape=(8, 8, 2), filters=5, activation="relu"))
    for layer in (BatchNorm(), Pool2d(), Conv2d(filters=3), GlobalPool()):
        network.add(layer)
    return np.random.default_rng(0).standard_normal((150, 8, 8, 2)).astype(np.float32), network


@pytest.mark.parametrize("threads", [1, 2])
def test_large_batches_go_in_slices_that_change_nothing(threads: int) -> None:
    images, network = images_and_network()
    before = tensorgrad.get_num_threads()
    tensorgrad.set_num_threads(threads)
    try:
        for dtype, error in (("float32", 1e-6), ("float64", 1e-14)):
            network.astype(dtype)
            one_by_one = network.predict(images, batch_size=1)
            for count in (150, 128, 64, 63, 2, 150):
                found = network.predict(images[:count])
                np.testing.assert_allclose(found, one_by_one[:count], rtol=0, atol=error * 10)
            assert not np.shares_memory(found, network.predict(images))
    finally:
        tensorgrad.set_num_threads(before)


def test_slices_see_what_changes() -> None:
    images, network = images_and_network()
    network.predict(images)
    changes: list[Callable[[], object]] = [
        lambda: network.load_state_dict({name: value + 1 for name, value in network.state_dict().items()}),
        lambda: setattr(network.layers[0], "activation", "tanh"),
        lambda: setattr(network.layers[3], "forward", lambda x, training: x[..., :3] * 2),
        lambda: network.add(FFL(neurons=2)),
    ]
    for change in changes:
        before = network.predict(images)
        change()
        after = network.predict(images)
        np.testing.assert_allclose(after, network.predict(images, batch_size=7), rtol=1e-5, atol=1e-5)
        assert before.shape != after.shape or not np.allclose(before, after)


def test_memory_of_slices_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda: False)
    images, network = images_and_network()
    network.predict(images)
    plans = [ref(each) for each in gc.get_objects() if type(each) is Plan]
    assert plans
    tensorgrad.release_memory()
    assert not any(plan() for plan in plans)
    network.predict(images)


def test_slices_are_left_where_blas_packs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images, network = images_and_network()
    sliced = network.predict(images)
    monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda: True)
    monkeypatch.setattr(Slices, "run", None)
    np.testing.assert_allclose(network.predict(images), sliced, rtol=0, atol=1e-5)
    np.testing.assert_allclose(network.predictor(150)(images), sliced, rtol=0, atol=1e-5)


def test_what_cannot_be_prepared_is_not_sliced() -> None:
    class Centred(Layer):
        def forward(self, x: Tensor, training: bool) -> Tensor:
            return x - x.mean(axis=0)

    images, network = images_and_network()
    network.add(Centred())
    np.testing.assert_allclose(network.predict(images).mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("seed", ["abc", 1.5, -1, True])
def test_a_seed_must_be_an_int(seed: Any) -> None:
    with pytest.raises(
        ValueError,
        match=re.escape(f"Network: seed must be an int of at least 0, or None for a new one, received {seed!r}"),
    ):
        Network(seed=seed)


@pytest.mark.parametrize("size", [0, 2.5, True])
def test_a_batch_size_must_be_an_int(size: Any) -> None:
    with pytest.raises(ValueError, match="predict: batch_size must be an int of at least 1, or None, received"):
        made(0).predict(X, batch_size=size)


def test_astype_converts_parameters_and_statistics_at_any_depth() -> None:
    network = Network(seed=0)
    for layer in (FFL(input_shape=3, neurons=4), Sequential([BatchNorm(), FFL(neurons=2)])):
        network.add(layer)
    x = np.random.default_rng(0).standard_normal((5, 3))
    before = network.predict(x)
    network.astype("float64")
    assert {np.asarray(item).dtype for item in network.state_dict().values()} == {np.dtype("float64")}
    np.testing.assert_allclose(network.predict(x), before, rtol=1e-5)
    assert network.predict(x).dtype == network(x, training=True).dtype == np.float64
    with pytest.raises(TypeError, match="astype needs a floating dtype"):
        network.astype(int)
