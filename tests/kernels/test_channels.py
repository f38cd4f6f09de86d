"""Numbers for each channel against broadcasting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.kernels import channels, threads
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
        if x.size:
            mean, var, _ = channels.moments(x + 100)
            np.testing.assert_allclose(mean, x.mean(axes) + 100)
            np.testing.assert_allclose(var, x.var(axes), atol=1e-11)


def test_moments_of_half_precision_do_not_overflow() -> None:
    x = np.full((300, 4), 300, np.float16)
    x[::2] += 20
    mean, variance, _ = channels.moments(x)
    assert mean.dtype == variance.dtype == np.float16
    np.testing.assert_array_equal(mean, 310)
    np.testing.assert_array_equal(variance, 100)
