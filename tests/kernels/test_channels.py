"""Numbers for each channel against broadcasting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.kernels import channels, threads
from tensorgrad.ops import total
from tests.kernels.test_convolution import normal


@pytest.mark.usefixtures("any_threads")
@given(st.lists(st.integers(0, 12), max_size=3), st.sampled_from([1, 3, 64, 1100]), st.sampled_from([1, 5000]))
def test_numbers_for_each_channel_are_broadcasting_and_sums_over_pixels(
    shape: list[int], count: int, tile: int
) -> None:
    x, y = (normal(seed, (*shape, count)) for seed in (0, 1))
    a, axes = normal(2, (count,)), tuple(range(len(shape)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "TILE", tile)
        np.testing.assert_array_equal(channels.scale_channels(x, a), x * a)
        np.testing.assert_array_equal(channels.shift_channels(x, a), x + a)
        np.testing.assert_array_equal(channels.spread_channels(a, x.shape), np.broadcast_to(a, x.shape))
        np.testing.assert_allclose(channels.channel_sums(x), x.sum(axes), atol=1e-9)
        np.testing.assert_allclose(channels.channel_dots(x, y), (x * y).sum(axes), atol=1e-9)


@pytest.mark.parametrize("axis", [(0,), (1,), (2,), (1, 2), (0, 1), (0, 1, 2), (0, 2), (3,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_over_axes_are_numpys(axis: tuple[int, ...], keepdims: bool) -> None:
    """Those over the axes before the last are products with ones, by which an infinity reaches no other channel."""
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 2))
    x[0, 1, 2, 0], x[2, 1, 2, 1] = np.inf, np.nan
    for array in (x, x.astype(np.float32), x[::-1, :, ::2], x[:0], x.astype(np.float16)):
        found = total(array, axis=axis, keepdims=keepdims)
        wide = np.float32 if array.dtype == np.float16 else None
        expected = array.sum(axis=axis, keepdims=keepdims, dtype=wide).astype(array.dtype)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(found, expected, rtol=1e-3 if array.dtype == np.float16 else 1e-5, atol=1e-5)
