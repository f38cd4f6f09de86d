"""Pooling against its definition, and where gradients go."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.kernels import pooling
from tensorgrad.kernels.lowering import NO_FRAME
from tests import reference
from tests.kernels.test_convolution import ONE, normal, pairs

Array = np.ndarray[Any, Any]


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    size, stride = draw(pairs(1, 4)), draw(pairs(1, 4))
    padding = tuple((draw(st.integers(0, k - 1)), draw(st.integers(0, k - 1))) for k in size)
    image = tuple(max(k - sum(p), 1) + draw(st.integers(0, 8)) for k, p in zip(size, padding, strict=True))
    shape = (draw(st.integers(0, 4)), *image, draw(st.sampled_from([1, 2, 8, 20])))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.integers(-2, 3, shape).astype(draw(st.sampled_from([np.float32, np.float64])))  # many equal values
    special = draw(st.sampled_from([0.0, np.nan, -np.inf, np.inf]))
    x[rng.random(shape) < 0.2] = special
    return {"x": np.asfortranarray(x) if draw(st.booleans()) else x, "windows": (size, stride, padding)}


@pytest.fixture(params=[0, pooling.MANY])
def _copied_taps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taps of many pixels, or of any number, are copied into one piece."""
    monkeypatch.setattr(pooling, "MANY", request.param)


@pytest.mark.usefixtures("_copied_taps")
@given(pools(), st.booleans())
def test_the_extreme_of_each_window_and_its_place(case: dict[str, Any], largest: bool) -> None:
    x, (size, stride, padding) = case["x"], case["windows"]
    view = reference.windows(x, size, stride, padding, ONE, fill=-np.inf if largest else np.inf)
    inside = reference.windows(np.ones_like(x), size, stride, padding, ONE) > 0
    n, oh, ow, kh, kw, c = view.shape
    y = pooling.extreme(x, size, stride, padding, largest)
    np.testing.assert_array_equal(y, view.max((3, 4)) if largest else view.min((3, 4)))
    assert y.dtype == x.dtype

    # The first of a window's pixels, row-major, that equals the extreme or, if that is NaN, is NaN; never padding.
    hit = inside & ((view == y[:, :, :, None, None]) | (np.isnan(view) & np.isnan(y)[:, :, :, None, None]))
    first = hit.reshape(n, oh, ow, kh * kw, c).argmax(3)
    g = normal(4, y.shape).astype(x.dtype)
    g[g > 2] = np.inf
    (top, bottom), (left, right) = padding
    expected = np.zeros((n, top + x.shape[1] + bottom, left + x.shape[2] + right, c), x.dtype)
    for index in np.ndindex(y.shape):
        b, i, j, f = index
        a, d = divmod(int(first[index]), kw)
        expected[b, i * stride[0] + a, j * stride[1] + d, f] += g[index]
    placed = pooling.place(g, x, y, size, stride, padding)
    np.testing.assert_allclose(
        placed, expected[:, top : top + x.shape[1], left : left + x.shape[2]], rtol=1e-5, atol=1e-5
    )

    v = normal(5, x.shape)
    selected = pooling.select(v, x, y, size, stride, padding)
    flat = reference.windows(v, size, stride, padding, ONE).reshape(n, oh, ow, kh * kw, c)
    np.testing.assert_array_equal(selected, np.take_along_axis(flat, first[:, :, :, None], 3)[:, :, :, 0])


@pytest.mark.usefixtures("_copied_taps")
@given(pools())
def test_the_average_of_each_window_and_its_transpose(case: dict[str, Any]) -> None:
    (size, stride, padding) = case["windows"]
    x = normal(6, case["x"].shape)
    inside = reference.windows(np.ones_like(x), size, stride, padding, ONE).sum((3, 4))
    y = pooling.average(x, size, stride, padding)
    np.testing.assert_allclose(y, reference.windows(x, size, stride, padding, ONE).sum((3, 4)) / inside, atol=1e-12)
    g = normal(7, y.shape)
    image = pooling.spread(g, x.shape, size, stride, padding)
    np.testing.assert_allclose((image * x).sum(), (y * g).sum(), atol=1e-9)


def test_pools_of_complex_numbers_order_by_the_real_part() -> None:
    x = np.array([1 + 5j, 3 + 0j, 3 + 1j, 2 + 9j]).reshape(1, 2, 2, 1)
    y = pooling.extreme(x, (2, 2), (2, 2), NO_FRAME, True)
    assert y.item() == 3 + 1j
    placed = pooling.place(np.full((1, 1, 1, 1), 2j), x, y, (2, 2), (2, 2), NO_FRAME)
    np.testing.assert_array_equal(placed.ravel(), [0, 0, 2j, 0])
