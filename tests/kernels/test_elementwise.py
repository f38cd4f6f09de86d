"""Activations and what they make of gradients, at their edges."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import special

from tensorgrad.kernels import elementwise


@pytest.mark.parametrize("dtypes", ["ee", "ff", "dd", "fd", "ef", "FF", "gg"])
def test_where_positive_takes_numbers_at_their_edges(dtypes: str) -> None:
    tiny = float(np.finfo(dtypes[1]).smallest_subnormal)
    y = np.array([0.0, -0.0, tiny, -tiny, np.inf, -np.inf, 2, -2], dtypes[1])
    g = np.array([np.inf, np.nan, 3, np.nan, -4, np.inf, -0.5, 1], dtypes[0])
    expected = np.where(y > 0, g, 0)
    for shape in ((8,), (2, 2, 2), (4, 2)):
        given, by = g.reshape(shape), y.reshape(shape)
        np.testing.assert_array_equal(elementwise.where_positive(given, by), expected.reshape(shape))
        np.testing.assert_array_equal(elementwise.where_positive(given.T, by.T), expected.reshape(shape).T)
    stretched = np.broadcast_to(g[2:3], (8,))
    np.testing.assert_array_equal(elementwise.where_positive(stretched, y), np.where(y > 0, stretched, 0))


@pytest.mark.parametrize("dtypes", ["ee", "ff", "dd", "fd", "ef"])
@pytest.mark.parametrize("slope", [0.01, -0.25, 0.0, 1.0, 3.0])
def test_a_leaky_relu_takes_numbers_at_their_edges(dtypes: str, slope: float) -> None:
    tiny = float(np.finfo(dtypes[1]).smallest_subnormal)
    y = np.array([0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.inf, -2], dtypes[1])
    g = np.array([3, -2, np.inf, 4, -np.inf, -0.5, 1, np.nan], dtypes[0])
    scaled = g * np.array(slope, g.dtype) if slope else np.zeros_like(g)
    expected = np.where(y > 0, g, scaled)
    for gradient, by, wanted in ((g, y, expected), (g.reshape(2, 4).T, y.reshape(2, 4).T, expected.reshape(2, 4).T)):
        np.testing.assert_array_equal(elementwise.times_leaky_slope(gradient, by, slope), wanted)
    for i in range(8):  # of no axes
        single = elementwise.times_leaky_slope(g[i : i + 1].reshape(()), y[i : i + 1].reshape(()), slope)
        np.testing.assert_array_equal(single, expected[i])
    x = np.array([0.0, -0.0, tiny, -tiny, np.inf, -3, 7, -np.inf if slope else -1, np.nan if slope else 2], dtypes[1])
    scaled = x * np.array(slope, x.dtype) if slope else np.zeros_like(x)
    np.testing.assert_array_equal(elementwise.leaky_relu(x, slope), np.where(x > 0, x, scaled))
    assert elementwise.leaky_relu(x, slope).dtype == x.dtype


def test_an_elu_is_its_definition_at_its_ends_and_in_pieces() -> None:
    x = np.array([-np.inf, -800, -1e-30, 0, 1e-30, 800, np.inf, np.nan])
    np.testing.assert_allclose(elementwise.elu(x, 2.0), [-2, -2, -2e-30, 0, 1e-30, 800, np.inf, np.nan])
    large = np.random.default_rng(0).uniform(-3, 3, (9, 1 << 17))  # nine tiles
    np.testing.assert_array_equal(elementwise.elu(large, 1.0), np.where(large > 0, large, np.expm1(large)))
    np.testing.assert_array_equal(elementwise.leaky_relu(large, 0.1), np.where(large > 0, large, 0.1 * large))
    np.testing.assert_array_equal(
        elementwise.times_leaky_slope(large[::-1], large, 0.1), np.where(large > 0, 1, 0.1) * large[::-1]
    )


@pytest.mark.parametrize("dtype", ["e", "f", "d", "F"])
def test_a_gradient_times_a_slope_is_its_definition_in_pieces_too(dtype: str) -> None:
    rng = np.random.default_rng(0)
    g, y = (rng.uniform(-1, 1, (2, 3, 4, 5)).astype(dtype) for _ in "gy")
    expected = g * (1 - y * y)
    one = (0, 0, 0, 0)
    for gradient, by, slope in ((g, y, expected), (g.T, y.T, expected.T), (g[one], y[one], expected[one])):
        result = elementwise.times_tanh_slope(gradient, by)
        np.testing.assert_allclose(result, slope, rtol=1e-2 if dtype == "e" else 1e-6)
        assert result.dtype == dtype
    large, by = (rng.uniform(-1, 1, (9, 1 << 17)) for _ in "gy")  # nine tiles
    np.testing.assert_array_equal(elementwise.times_tanh_slope(large, by), large * (1 - by * by))
    np.testing.assert_array_equal(elementwise.times_sigmoid_slope(large, by), large * (by * (1 - by)))
    np.testing.assert_allclose(elementwise.sigmoid(large), special.expit(large), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_sigmoid_at_its_ends(dtype: Any) -> None:
    x = np.array([-np.inf, -1e4, -80, -20, 0, 20, 1e4, np.inf, np.nan], dtype)
    result = elementwise.sigmoid(x)
    np.testing.assert_allclose(result, special.expit(x), rtol=2e-3 if dtype is np.float16 else 1e-6, atol=1e-7)
    assert result.dtype == dtype


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float16, 1e-3), (np.float32, 4e-7), (np.float64, 4e-16)])
def test_a_softplus_keeps_its_digits_on_both_sides(dtype: Any, tolerance: float) -> None:
    least = np.log(np.finfo(dtype).tiny) + 1
    x = np.array([-np.inf, least, least / 2, -3, -1e-3, 0, 1e-3, 3, 20, 1e4, np.inf], dtype)
    result = elementwise.softplus(x)
    np.testing.assert_allclose(result, np.logaddexp(0, x.astype(np.longdouble)), rtol=tolerance)
    assert result.dtype == dtype
    assert np.isnan(elementwise.softplus(np.array(np.nan, dtype)))
    large = np.random.default_rng(0).uniform(-3, 3, (9, 1 << 17))  # nine tiles
    np.testing.assert_allclose(elementwise.softplus(large), np.log1p(np.exp(large)), rtol=1e-14)


def test_a_gelu_of_float32_is_as_exact_as_float32() -> None:
    x = np.linspace(-12, 12, 100_001, dtype=np.float32).reshape(-1, 11)
    wide = x.astype(np.float64)
    bell = np.exp(-wide * wide / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(elementwise.gelu(x), wide * special.ndtr(wide), rtol=1e-6, atol=3e-7)
    slope = elementwise.times_gelu_slope(2 - x, x)
    np.testing.assert_allclose(slope, (2 - wide) * (special.ndtr(wide) + wide * bell), rtol=1e-6, atol=3e-6)
    assert elementwise.gelu(x[::2].T).dtype == slope.dtype == np.float32
    np.testing.assert_array_equal(elementwise.gelu(x[::2].T), elementwise.gelu(x)[::2].T)


@pytest.mark.parametrize(
    "kernel",
    [
        elementwise.where_positive,
        elementwise.times_tanh_slope,
        elementwise.times_sigmoid_slope,
        partial(elementwise.times_leaky_slope, slope=0.1),
        partial(elementwise.times_leaky_slope, slope=0.0),
    ],
)
def test_a_slope_may_be_written_over_the_gradient(kernel: Any) -> None:
    g, y = (np.random.default_rng(0).uniform(-1, 1, (2, 9, 1 << 15)).astype(np.float32) for _ in "gy")
    expected = kernel(g, y)
    for gradient, by, wanted in (
        (g, y, expected),
        (g.T.copy().T, y, expected),
        (g[0, 0, :0], y[0, 0, :0], g[0, 0, :0]),
    ):
        assert kernel(gradient, by, out=gradient) is gradient
        np.testing.assert_array_equal(gradient, wanted)
