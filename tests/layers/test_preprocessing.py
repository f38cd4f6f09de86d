"""Standardize and Rescale: equal to the formula, part of a saved model, and with gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tensorgrad
from tensorgrad import CNN, Tensor
from tensorgrad.data import standardize
from tensorgrad.layers import FFL, Flatten, Rescale, Standardize
from tensorgrad.testing import gradcheck

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 6, 4, 3), np.uint8)


def test_standardize_is_the_function_of_that_name() -> None:
    images = IMAGES.copy()
    images[2] = 7  # of one colour
    found = Standardize(input_shape=(6, 4, 3))(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(found, standardize(images), atol=2e-6)
    assert (found[2] == 0).all()


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (2.0, -1.0), ((1.0, 2.0, 3.0), (0.5, 0.0, -0.5))])
def test_rescale(scale: float, offset: float) -> None:
    found = Rescale(scale, offset)(IMAGES.astype(np.float32)).numpy()
    np.testing.assert_allclose(found, IMAGES * np.array(scale) + np.array(offset), rtol=1e-6)
    assert found.dtype == np.float32


def test_gradients() -> None:
    x = RNG.standard_normal((2, 3, 2))
    gradcheck(lambda t: Standardize()(t.reshape((2, 3, 2, 1))), x, order=2)
    gradcheck(lambda t: Rescale((2.0, 3.0), 1.0)(t), RNG.standard_normal((2, 2, 2, 2)), order=2)


def test_a_model_keeps_them(tmp_path: Path) -> None:
    model = CNN(seed=0)
    for layer in (Rescale((1.0, 2.0, 3.0), 0.5, input_shape=(6, 4, 3)), Standardize(), Flatten(), FFL(neurons=2)):
        model.add(layer)
    model.save_model(tmp_path / "m.tgrad")
    again = tensorgrad.load_model(tmp_path / "m.tgrad")
    np.testing.assert_array_equal(again.predict(IMAGES), model.predict(IMAGES))
    assert again.layers[0].config()["scale"] == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rescale("a"), "scale must be a finite number, or one for each channel; received 'a'"),
        (lambda: Rescale(np.nan), "scale must be a finite number"),
        (lambda: Rescale(1.0, ()), "offset must be a finite number"),
        (lambda: Rescale(True), "scale must be a finite number"),
        (
            lambda: Rescale((1.0, 2.0))(Tensor(np.ones((1, 2, 2, 3)))),
            "scale has 2 numbers, but samples have 3 channels",
        ),
    ],
)
def test_what_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
