"""Batch normalization's sums against NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.kernels import batch_norm, threads
from tests.kernels.test_convolution import normal


@pytest.mark.usefixtures("any_threads")
@given(
    st.lists(st.integers(1, 12), max_size=3),
    st.sampled_from([1, 3, 64, 1100]),
    st.sampled_from([1, 5000]),
    st.sampled_from([0, 1, 100]),
)
def test_moments_are_the_mean_and_the_variance_over_the_pixels(
    shape: list[int], channels: int, tile: int, offset: int
) -> None:
    x, axes = normal(0, (*shape, channels)), tuple(range(len(shape)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "TILE", tile)
        mean, variance, _ = batch_norm.moments(x + offset)
    np.testing.assert_allclose(mean, x.mean(axes) + offset, atol=1e-12)
    np.testing.assert_allclose(variance, x.var(axes), atol=1e-11)
    assert (variance >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_variance_of_equal_numbers_is_zero_and_never_negative(dtype: type[np.floating]) -> None:
    x = np.empty((4, 5, 5, 4), dtype)
    x[...] = [0, 0.1, -1e6, 1 / 3]
    mean, variance, _ = batch_norm.moments(x)
    np.testing.assert_allclose(mean, x[0, 0, 0], rtol=1e-6)
    assert (variance >= 0).all()
    assert (variance <= np.finfo(dtype).eps ** 2 * mean**2).all()


def test_moments_of_half_precision_do_not_overflow() -> None:
    x = np.full((300, 4), 300, np.float16)
    x[::2] += 20
    mean, variance, _ = batch_norm.moments(x)
    assert mean.dtype == variance.dtype == np.float16
    np.testing.assert_array_equal(mean, 310)
    np.testing.assert_array_equal(variance, 100)


@pytest.mark.parametrize("offset", [0, 3, 5, 1000])
def test_normalization_of_float32_loses_no_digits_far_from_zero(offset: int) -> None:
    """As in float64, of the same numbers: by sums of squares near 0, and of what is centered first elsewhere."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((16, 9, 7, 3)) + np.array([0, offset, -offset])).astype(np.float32)
    g, w = rng.standard_normal(x.shape, np.float32), np.float32([1, -2, 3])
    wide = x.astype(np.float64)
    known = batch_norm.moments(x)
    np.testing.assert_allclose(known[0], wide.mean((0, 1, 2)), rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(known[1], wide.var((0, 1, 2)), rtol=1e-5)
    exact = batch_norm.batch_norm_gradients(
        g.astype(np.float64), wide, w.astype(np.float64), batch_norm.moments(wide), 1e-5
    )
    found = batch_norm.batch_norm_gradients(g, x, w, known, 1e-5)
    for a, b in zip(found, exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3)
