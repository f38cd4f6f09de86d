"""Convolutions of images that lie side by side equal those of images one by one, whatever their geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad.kernels import bound, convolution, images_last
from tensorgrad.kernels.elementwise import relu_
from tensorgrad.kernels.lowering import NO_FRAME, Frame

Array = np.ndarray[Any, Any]
AROUND: Frame = ((1, 1), (1, 1))

CASES = {
    "3 x 3": ((9, 8, 3), (3, 3), 5, (1, 1), NO_FRAME, 1),
    "3 x 3, padded": ((9, 8, 3), (3, 3), 5, (1, 1), AROUND, 1),
    "5 x 5, more padding than pixels are left": ((6, 7, 2), (5, 5), 4, (1, 1), ((4, 3), (0, 4)), 1),
    "even kernel, one-sided padding": ((7, 6, 2), (2, 4), 3, (1, 1), ((0, 1), (2, 1)), 1),
    "stride 2": ((9, 8, 3), (3, 3), 5, (2, 2), AROUND, 1),
    "stride beyond the kernel": ((10, 11, 2), (2, 2), 3, (3, 4), NO_FRAME, 1),
    "1 x 1": ((5, 6, 4), (1, 1), 3, (1, 1), NO_FRAME, 1),
    "1 x 1, stride 2": ((5, 6, 4), (1, 1), 3, (2, 2), NO_FRAME, 1),
    "1 x 1, padded": ((5, 6, 4), (1, 1), 3, (1, 2), AROUND, 1),
    "1 x 3": ((5, 9, 2), (1, 3), 3, (2, 2), ((0, 0), (1, 1)), 1),
    "one channel, one filter": ((7, 7, 1), (3, 3), 1, (1, 1), AROUND, 1),
    "depthwise": ((9, 8, 7), (3, 3), 7, (1, 1), AROUND, 7),
    "depthwise, stride 2": ((9, 8, 6), (3, 5), 6, (2, 3), ((1, 2), (2, 0)), 6),
}


def made(name: str, dtype: str, n: int = 17) -> tuple[Array, Array, Array]:
    (h, w, c), size, f, _, _, groups = CASES[name]
    rng = np.random.default_rng(0)
    shapes = (n, h, w, c), (*size, c // groups, f), (f,)
    x, w_, b = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, w_, b


@pytest.mark.parametrize("tile", [images_last.TILE, 80_000, 1])  # with 80,000, tiles of unequal size
@pytest.mark.parametrize("beside", [False, True], ids=["one by one", "side by side"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_convolutions(name: str, dtype: str, beside: bool, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_last, "TILE", tile)
    _, _, f, stride, padding, groups = CASES[name]
    x, w, b = made(name, dtype)
    given = images_last.images(images_last.rows(x).copy()) if beside else x.copy()
    for bias, activation in ((b, relu_), (None, None)):
        live = None if bias is None else lambda: b
        y, steps = images_last.conv2d(given, lambda: w, live, activation, stride, padding, groups > 1)
        for start in range(2):  # the second time, memory holds what the first has left
            given[...] = np.roll(x, start, axis=0)
            for step in steps:
                step()
            expected = convolution.conv2d(given.copy(), w, stride, padding, (1, 1), groups, bias, activation)
            assert images_last.are_last(y)
            np.testing.assert_allclose(y, expected, rtol=0, atol=2e-5 if dtype == "float32" else 1e-13)
            assert y.dtype == dtype
        assert y.shape[-1] == f


@pytest.mark.parametrize("name", ["3 x 3, padded", "depthwise", "1 x 1"])
def test_what_is_not_finite_stays_within_its_windows(name: str) -> None:
    _, _, _, stride, padding, groups = CASES[name]
    x, w, b = made(name, "float32")
    x[3, 2, 2, 1], x[5, 0, 0, 0] = np.inf, np.nan
    y, steps = images_last.conv2d(x, lambda: w, lambda: b, None, stride, padding, groups > 1)
    with np.errstate(invalid="ignore"):
        for step in steps:
            step()
        expected = convolution.conv2d(x, w, stride, padding, (1, 1), groups, b)
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(expected))


def test_other_kernels_keep_the_order_of_memory() -> None:
    x = images_last.images(np.random.default_rng(0).standard_normal((6, 3, 4, 20)).astype(np.float32))
    plain = x.copy()

    def live() -> Array:
        return np.array([2, 3, 4], np.float32)

    makers = {
        "pool": lambda x: bound.extreme(x, (2, 2), (2, 2), NO_FRAME, largest=True),
        "average": lambda x: bound.average(x, (3, 2), (1, 2), AROUND),
        "whole": lambda x: bound.average(x, (6, 4), (6, 4), NO_FRAME),
        "pad": lambda x: bound.pad(x, AROUND),
        "batch_norm": lambda x: bound.batch_norm(x, live, live, live, live, 1e-3),
        "activate": lambda x: bound.activate(x, relu_),
        "upsample": lambda x: bound.upsample(x, (2, 3)),
        "add": lambda x: bound.add([x, x, x]),
        "concatenate": lambda x: bound.concatenate([x, x]),
        "flatten": lambda x: bound.flatten(x, (72,)),
        "another shape": lambda x: bound.flatten(x, (8, 9)),
        "dilated": lambda x: bound.conv2d(
            x, lambda: np.ones((2, 2, 3, 4), np.float32), None, None, (1, 1), NO_FRAME, (2, 2), 1
        ),
        "groups": lambda x: bound.conv2d(
            x, lambda: np.ones((2, 2, 1, 6), np.float32), None, None, (1, 1), NO_FRAME, (1, 1), 3
        ),
    }
    for name, make in makers.items():
        (y, steps), (expected, plain_steps) = make(x), make(plain)
        for step in (*steps, *plain_steps):
            step()
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5, err_msg=name)
        assert y.strides[0] == y.itemsize or name in ("dilated", "groups")
