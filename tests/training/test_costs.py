"""Data of any kind costs what is used of it: nothing is read or copied whole, and memory is bounded by bytes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN
from tensorgrad.data import batches
from tensorgrad.layers import FFL, Conv2d, GlobalPool
from tests.test_rows import Lazy


def flat(neurons: int = 3) -> CNN:
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=neurons, activation="softmax"))
    model.compile_model(opt="adam", loss="cse", lr=0.01)
    return model


def strided(size: int) -> CNN:
    """A model of images that does nearly nothing."""
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(size, size, 3), filters=2, kernel_size=1, stride=32, padding=None))
    model.add(GlobalPool())
    model.add(FFL(neurons=2, activation="softmax"))
    model.compile_model(opt="adam", loss="cse")
    return model


def peak(function: Callable[[], Any]) -> int:
    """The most bytes that a call has at a time, of those that NumPy allocates."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_lazy_data_is_never_read_whole_and_trains_as_an_array_does() -> None:
    x, y = np.random.default_rng(0).standard_normal((64, 4)), np.arange(64) % 3
    lazy, expected, model = Lazy(x), flat(), flat()
    history = model.train(lazy, y, epochs=2, batch_size=8, verbose=0)
    assert {k: v for k, v in history.history.items() if k != "time"} == {
        k: v for k, v in expected.train(x, y, epochs=2, batch_size=8, verbose=0).history.items() if k != "time"
    }
    for mine, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(model.predict(lazy), expected.predict(x))
    assert dict(model.evaluate(lazy, y).items()) == dict(expected.evaluate(x, y).items())
    assert lazy.whole == 0


def test_lazy_data_that_is_not_finite_is_found_in_its_batch() -> None:
    x = np.zeros((64, 4))
    x[40] = np.nan
    with pytest.raises(FloatingPointError, match="epoch 0, batch 5; X holds NaN or infinity in that batch"):
        flat().train(Lazy(x), np.zeros(64, int), batch_size=8, shuffle=False, val_split=0, verbose=0)


@pytest.mark.parametrize("given", [lambda: (row for row in np.zeros((4, 4))), lambda: Lazy(np.full((4, 4), "a"))])
def test_lazy_data_of_the_wrong_kind(given: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match="train: X must be"):
        flat().train(given(), np.zeros(4, int))


def test_checks_and_the_split_copy_nothing_of_the_images() -> None:
    x, y = np.zeros((300, 96, 96, 3), np.uint8), np.arange(300) % 2  # 8.3 MB
    model = strided(96)
    assert peak(lambda: model.check_trainnable(x, y)) < 1e6
    assert peak(lambda: model.train(x, y, batch_size=4, verbose=0)) < 6e6
    floats = np.zeros((300, 96, 96, 3), np.float32)  # 33 MB
    assert peak(lambda: model.check_trainnable(floats, y)) < 8e6


def test_evaluation_is_bounded_by_bytes() -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(128, 128, 3), filters=16, activation="relu"))
    model.add(GlobalPool())
    model.add(FFL(neurons=2, activation="softmax"))
    model.compile_model(opt="adam", loss="cse")
    x, y = np.zeros((128, 128, 128, 3), np.uint8), np.arange(128) % 2  # 134 MB after the first layer
    assert peak(lambda: model.evaluate(x, y)) < 90e6
    assert peak(lambda: model.predict(x)) < 90e6
    np.testing.assert_allclose(model.predict(x[:20], batch_size=3), model.predict(x[:20]), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_batch_sizes_that_make_no_sense(batch_size: Any) -> None:
    for call in (flat().predict, lambda x, **options: flat().evaluate(x, [0, 1], **options)):
        with pytest.raises(ValueError, match="batch_size must be an int of at least 1, or None, received"):
            call(np.zeros((2, 4)), batch_size=batch_size)


@pytest.mark.parametrize("found", [None, np.zeros((3, 4)), [1.0]])
def test_an_augmentation_that_gives_no_batch(found: Any) -> None:
    with pytest.raises(ValueError, match="batches: augment must return an array of 4 samples"):
        list(batches(np.zeros((8, 4)), batch_size=4, augment=lambda x, rng: found))
    model = flat()
    before = model.get_weights()
    with pytest.raises(ValueError, match="augment must return an array"):
        model.train(np.zeros((8, 4)), np.zeros(8, int), augment=lambda x, rng: found, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
