"""The kernels against their definitions, in float64, and against one another."""

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from tensorgrad.kernels import (
    blas,
    channels,
    convolution,
    depthwise,
    elementwise,
    full,
    lowering,
    matrix,
    memory,
    pooling,
    strips,
    threads,
    winograd,
)

Array = np.ndarray[Any, Any]
ONE = (1, 1)


@pytest.fixture(params=[1, 2, 3], autouse=True)
def _threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything holds at any number of threads, and for the smallest slices."""
    before = threads.get_num_threads()
    threads.set_num_threads(request.param)
    monkeypatch.setattr(threads, "SHARE", 1 if request.param > 1 else threads.SHARE)
    yield
    threads.set_num_threads(before)


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw: st.DrawFn, groups: int | None = None, dilated: bool = True, least: int = 0) -> dict[str, Any]:
    """A geometry in which at least one window fits, and a seed for the values."""
    size, stride, padding = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(0, 5))
    dilation = draw(pairs(1, 3)) if dilated else ONE
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    image = tuple(max(r - 2 * p, 1) + draw(st.integers(0, 8)) for r, p in zip(reach, padding, strict=True))
    g = draw(st.integers(1, 3)) if groups is None else groups
    return {
        "x": (draw(st.integers(least, 5)), *image, g * draw(st.integers(1, 4))),
        "filters": g * draw(st.sampled_from([1, 2, 3, 8, 17])),
        "size": size,
        "geometry": (stride, padding, dilation, g),
        "seed": draw(st.integers(0, 99)),
    }


def normal(seed: int, shape: tuple[int, ...]) -> Array:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


def operands(case: dict[str, Any], dtype: Any = np.float64) -> tuple[Array, Array, Any]:
    rng = np.random.default_rng(case["seed"])
    groups = case["geometry"][3]
    x = rng.standard_normal(case["x"]).astype(dtype)
    w = rng.standard_normal((*case["size"], case["x"][3] // groups, case["filters"])).astype(dtype)
    return x, w, case["geometry"]


def windows_of(x: Array, size: Any, stride: Any, padding: Any, dilation: Any, fill: float = 0) -> Array:
    """All windows by plain indexing: ``(N, OH, OW, KH, KW, C)``."""
    (ph, pw), (sh, sw), (dh, dw) = padding, stride, dilation
    framed = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=fill)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(framed, reach, axis=(1, 2))  # (N, OH, OW, C, reach)
    return view[:, ::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 2, 4, 5, 3)


def plain_conv2d(x: Array, w: Array, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    """The definition: a sum over the windows, group by group."""
    kh, kw, cg, f = w.shape
    view = windows_of(x, (kh, kw), stride, padding, dilation)
    parts = [
        np.einsum(
            "nijabc,abcf->nijf", view[..., g * cg : (g + 1) * cg], w[..., g * f // groups : (g + 1) * f // groups]
        )
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=3)


@given(convolutions())
def test_convolution_is_its_definition_and_its_gradients_are_its_transposes(case: dict[str, Any]) -> None:
    x, w, geometry = operands(case)
    y = convolution.conv2d(x, w, *geometry)
    np.testing.assert_allclose(y, plain_conv2d(x, w, *geometry), atol=1e-12)
    g = normal(1, y.shape)
    by_input = convolution.conv2d_input(g, w, x.shape, *geometry)
    by_weight = convolution.conv2d_weight(x, g, w.shape[:2], *geometry)
    assert by_input.shape == x.shape
    assert by_weight.shape == w.shape
    np.testing.assert_allclose((by_input * x).sum(), (y * g).sum(), atol=1e-9)
    np.testing.assert_allclose((by_weight * w).sum(), (y * g).sum(), atol=1e-9)


@pytest.fixture(params=[True, False], ids=["small products", "large products"])
def _products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the BLAS of this machine is good at, what is done for others is right too."""
    monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda: request.param)


@pytest.mark.usefixtures("_products")
@given(convolutions(groups=1, dilated=False, least=1), st.sampled_from([10, 1000, matrix.SMALL_PRODUCT]))
def test_strips_and_full_im2col_agree(case: dict[str, Any], small: int) -> None:
    x, w, (stride, padding, dilation, groups) = operands(case)
    frame = lowering.padded(x, padding)
    y = convolution.conv2d(x, w, stride, padding, dilation, groups)
    other = np.empty_like(y)
    full.correlate(frame, w, other, stride, dilation, groups)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "SMALL_PRODUCT", small)
        patch.setattr(matrix, "SUMMANDS", small)
        strips.correlate(frame, w, y, stride)
        weight = strips.correlate_weight(frame, y, w.shape[:2], stride)
    np.testing.assert_allclose(y, other, atol=1e-12)
    np.testing.assert_allclose(
        weight, full.correlate_weight(frame, y, w.shape[:2], stride, dilation, groups), atol=1e-10
    )


@pytest.mark.usefixtures("_products")
@given(
    *(st.integers(1, most) for most in (3, 5, 5, 9, 4, 4)),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([10, matrix.SUMMANDS]),
)
def test_winograd_and_full_im2col_agree(
    n: int, kh: int, oh: int, ow: int, c: int, f: int, dtype: Any, summands: int
) -> None:
    """On whole numbers to the bit: sums of them, halved, are exact."""
    rng = np.random.default_rng(n)
    x, w = rng.integers(-9, 10, (n, oh + kh - 1, ow + 2, c)), rng.integers(-9, 10, (kh, 3, c, f))
    x, w = x.astype(dtype), w.astype(dtype)
    y, other = np.full((n, oh, ow, 2 * f), np.nan, dtype), np.empty((n, oh, ow, f), dtype)
    winograd.correlate(x, w, y[..., ::2])
    full.correlate(x, w, other, ONE, ONE, 1)
    np.testing.assert_array_equal(y[..., ::2], other)
    assert np.isnan(y[..., 1::2]).all()  # nothing is written beside its result
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matrix, "SUMMANDS", summands)
        weight = winograd.correlate_weight(x, other, kh)
    np.testing.assert_array_equal(weight, full.correlate_weight(x, other, (kh, 3), ONE, ONE, 1))


@pytest.mark.usefixtures("_products")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_channels_are_convolved_by_winograd(dtype: Any) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((6, 15, 19, 64)).astype(dtype), rng.standard_normal((2, 3, 64, 65)).astype(dtype)
    geometry = (ONE, (0, 2), ONE, 1)
    g = rng.standard_normal((6, 14, 21, 65)).astype(dtype)
    called: list[bool] = []

    def results(use: bool) -> list[Array]:
        by_shape = winograd.pays

        def pays(*args: Any) -> bool:
            called.append(by_shape(*args))
            return use and called[-1]

        with pytest.MonkeyPatch.context() as patch, np.errstate(invalid="ignore"):
            patch.setattr(winograd, "PAIRS", 1)
            patch.setattr(winograd, "pays", pays)
            return [
                convolution.conv2d(x, w, *geometry),
                convolution.conv2d_input(g, w, x.shape, *geometry),
                convolution.conv2d_weight(x, g, (2, 3), *geometry),
            ]

    for result, other in zip(results(use=True), results(use=False), strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(result / scale, other / scale, atol=2e-6 if dtype is np.float32 else 1e-14)
        assert (result != other).any()  # they were computed in two ways
    assert all(called)
    for bad in (np.inf, np.nan):  # what is beside it is not spoilt
        for spoilt in (x, w, g):
            before, spoilt[1, 0, 1, 1] = spoilt[1, 0, 1, 1].copy(), bad
            for result, other in zip(results(use=True), results(use=False), strict=True):
                np.testing.assert_array_equal(np.isfinite(result), np.isfinite(other))
                np.testing.assert_array_equal(np.isnan(result), np.isnan(other))
            spoilt[1, 0, 1, 1] = before


@given(convolutions(groups=1, dilated=False, least=1))
def test_depthwise_and_full_im2col_agree(case: dict[str, Any]) -> None:
    x, w, (stride, padding, dilation, _) = operands(case)
    channels = x.shape[3]
    w = np.tile(w[:, :, :1, :1], (1, 1, 1, channels)) * np.arange(1.0, channels + 1)
    frame = lowering.padded(x, padding)
    y = convolution.conv2d(x, w, stride, padding, dilation, channels)
    other = np.empty_like(y)
    full.correlate(frame, w, other, stride, dilation, channels)
    depthwise.correlate(frame, w, y, stride)
    np.testing.assert_allclose(y, other, atol=1e-12)
    np.testing.assert_allclose(
        depthwise.correlate_weight(frame, y, w.shape[:2], stride),
        full.correlate_weight(frame, y, w.shape[:2], stride, dilation, channels),
        atol=1e-9,
    )


@given(convolutions(), st.sampled_from([1, 2, 5]))
def test_tiles_of_any_size_give_the_same(case: dict[str, Any], images: int) -> None:
    x, w, geometry = operands(case)
    y = convolution.conv2d(x, w, *geometry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "_images_per_tile", lambda *_: images)
        np.testing.assert_allclose(convolution.conv2d(x, w, *geometry), y, atol=1e-12)
        weights = convolution.conv2d_weight(x, y, w.shape[:2], *geometry)
    np.testing.assert_allclose(convolution.conv2d_weight(x, y, w.shape[:2], *geometry), weights, atol=1e-9)


def test_a_product_too_large_for_one_piece_is_cut() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 6, 40, 33)), rng.standard_normal((3, 3, 33, 130))
    np.testing.assert_allclose(
        convolution.conv2d(x, w, ONE, ONE, ONE, 1), plain_conv2d(x, w, ONE, ONE, ONE, 1), atol=1e-10
    )


@given(convolutions())
def test_bias_and_activation_on_the_way_are_the_same_as_afterwards(case: dict[str, Any]) -> None:
    x, w, (stride, padding, dilation, groups) = operands(case)
    geometry: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    b = normal(2, w.shape[3])
    y = convolution.conv2d(x, w, **geometry)
    np.testing.assert_allclose(convolution.conv2d(x, w, **geometry, bias=b), y + b, atol=1e-12)
    for activation, after in (
        ("relu", np.maximum(y + b, 0)),
        ("tanh", np.tanh(y + b)),
        ("sigmoid", special.expit(y + b)),
    ):
        on_the_way = convolution.conv2d(x, w, **geometry, bias=b, activation=activation)
        np.testing.assert_allclose(on_the_way, after, atol=1e-12)
    np.testing.assert_allclose(channels.channel_sums(y), y.sum((0, 1, 2)), atol=1e-9)
    np.testing.assert_array_equal(elementwise.where_positive(y, y), np.maximum(y, 0))


@given(convolutions(), st.sampled_from([np.float32, np.float64, np.complex64, np.complex128]))
def test_convolution_keeps_the_dtype_and_leaves_its_inputs_alone(case: dict[str, Any], dtype: Any) -> None:
    x, w, geometry = operands(case, dtype)
    x, w = np.asfortranarray(x), np.asfortranarray(w)
    before = x.copy(), w.copy()
    x.flags.writeable = w.flags.writeable = False
    y = convolution.conv2d(x, w, *geometry)
    g = y.copy(order="F")
    results = [
        y,
        convolution.conv2d_input(g, w, x.shape, *geometry),
        convolution.conv2d_weight(x, g, w.shape[:2], *geometry),
    ]
    assert [result.dtype for result in results] == [np.dtype(dtype)] * 3
    assert not any(np.shares_memory(result, given) for result in results for given in (x, w, g) if result.size)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(w, before[1])
    np.testing.assert_allclose(y, plain_conv2d(x, w, *geometry), rtol=1e-3, atol=1e-3)


def test_every_run_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((37, 13, 13, 5), np.float32)
    w = rng.standard_normal((3, 3, 5, 7), np.float32)

    def run() -> list[bytes]:
        y = convolution.conv2d(x, w, ONE, ONE, ONE, 1)
        pooled = pooling.average(y, (2, 2), (2, 2), (0, 0))
        return [
            y.tobytes(),
            pooled.tobytes(),
            convolution.conv2d_weight(x, y, (3, 3), ONE, ONE, ONE, 1).tobytes(),
            convolution.conv2d_input(y, w, x.shape, ONE, ONE, ONE, 1).tobytes(),
        ]

    first = run()
    assert all(run() == first for _ in range(5))


@given(convolutions(groups=1))
def test_im2col_and_col2im_are_each_others_transpose(case: dict[str, Any]) -> None:
    x, _, (stride, padding, dilation, _) = operands(case)
    size = case["size"]
    cols = lowering.im2col(x, size, stride, padding, dilation)
    expected = windows_of(x, size, stride, padding, dilation)
    np.testing.assert_array_equal(cols, expected.reshape(cols.shape))
    g = normal(3, cols.shape)
    image = lowering.col2im(g, x.shape, size, stride, padding, dilation)
    np.testing.assert_allclose((image * x).sum(), (cols * g).sum(), atol=1e-9)


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    size, stride = draw(pairs(1, 4)), draw(pairs(1, 4))
    padding = tuple(draw(st.integers(0, k // 2)) for k in size)
    image = tuple(max(k - 2 * p, 1) + draw(st.integers(0, 8)) for k, p in zip(size, padding, strict=True))
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
    view = windows_of(x, size, stride, padding, ONE, fill=-np.inf if largest else np.inf)
    inside = windows_of(np.ones_like(x), size, stride, padding, ONE) > 0
    n, oh, ow, kh, kw, c = view.shape
    y = pooling.extreme(x, size, stride, padding, largest)
    np.testing.assert_array_equal(y, view.max((3, 4)) if largest else view.min((3, 4)))
    assert y.dtype == x.dtype

    # The first of a window's pixels, row-major, that equals the extreme or, if that is NaN, is NaN; never padding.
    hit = inside & ((view == y[:, :, :, None, None]) | (np.isnan(view) & np.isnan(y)[:, :, :, None, None]))
    first = hit.reshape(n, oh, ow, kh * kw, c).argmax(3)
    g = normal(4, y.shape).astype(x.dtype)
    g[g > 2] = np.inf
    expected = np.zeros((n, x.shape[1] + 2 * padding[0], x.shape[2] + 2 * padding[1], c), x.dtype)
    for index in np.ndindex(y.shape):
        b, i, j, f = index
        a, d = divmod(int(first[index]), kw)
        expected[b, i * stride[0] + a, j * stride[1] + d, f] += g[index]
    placed = pooling.place(g, x, y, size, stride, padding)
    np.testing.assert_allclose(placed, lowering.cropped(expected, padding), rtol=1e-5, atol=1e-5)

    v = normal(5, x.shape)
    selected = pooling.select(v, x, y, size, stride, padding)
    flat = windows_of(v, size, stride, padding, ONE).reshape(n, oh, ow, kh * kw, c)
    np.testing.assert_array_equal(selected, np.take_along_axis(flat, first[:, :, :, None], 3)[:, :, :, 0])


@pytest.mark.usefixtures("_copied_taps")
@given(pools())
def test_the_average_of_each_window_and_its_transpose(case: dict[str, Any]) -> None:
    (size, stride, padding) = case["windows"]
    x = normal(6, case["x"].shape)
    inside = windows_of(np.ones_like(x), size, stride, padding, ONE).sum((3, 4))
    y = pooling.average(x, size, stride, padding)
    np.testing.assert_allclose(y, windows_of(x, size, stride, padding, ONE).sum((3, 4)) / inside, atol=1e-12)
    g = normal(7, y.shape)
    image = pooling.spread(g, x.shape, size, stride, padding)
    np.testing.assert_allclose((image * x).sum(), (y * g).sum(), atol=1e-9)


def test_pools_of_complex_numbers_order_by_the_real_part() -> None:
    x = np.array([1 + 5j, 3 + 0j, 3 + 1j, 2 + 9j]).reshape(1, 2, 2, 1)
    y = pooling.extreme(x, (2, 2), (2, 2), (0, 0), True)
    assert y.item() == 3 + 1j
    placed = pooling.place(np.full((1, 1, 1, 1), 2j), x, y, (2, 2), (2, 2), (0, 0))
    np.testing.assert_array_equal(placed.ravel(), [0, 0, 2j, 0])


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


@given(st.lists(st.integers(0, 40), max_size=3), st.sampled_from([1, 3, 64, 1100]), st.sampled_from([1, 5000]))
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
            mean, var = channels.moments(x + 100)
            np.testing.assert_allclose(mean, x.mean(axes) + 100)
            np.testing.assert_allclose(var, x.var(axes), atol=1e-11)


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


# --- memory ---


@given(st.lists(st.tuples(st.sampled_from(["take", "drop", "view", "release"]), st.integers(0, 99)), max_size=40))
def test_no_two_live_arrays_share_memory(actions: list[tuple[str, int]]) -> None:
    live: list[Array] = []
    for number, (action, index) in enumerate(actions):
        if action == "take":
            array = memory.empty((memory.SMALL // 8 + index % 5, 3), np.float64)
            array[...] = number
            live.append(array)
        elif action == "release":
            memory.release()
        elif live:
            array = live.pop(index % len(live))
            if action == "view":  # the array dies, and a view of it lives on
                live.append(array[-2:].T[:2])
            del array
    for i, a in enumerate(live):
        assert (a == a.flat[0]).all()  # nobody wrote into it
        assert not any(np.may_share_memory(a, b) for b in live[:i])


def test_memory_is_used_again_and_given_back() -> None:
    memory.release()
    first = memory.empty((1 << 16,), np.float32)
    address = first.ctypes.data
    view = first[5:]
    del first
    assert memory.empty((1 << 16,), np.float32).ctypes.data != address  # the view still holds it
    del view
    memory.release()
    second = memory.empty((1 << 16,), np.float32)
    address = second.ctypes.data
    del second
    third = memory.empty((1 << 14,), np.complex128) if memory._POOLING else None
    assert third is None or third.nbytes != 1 << 18 or third.ctypes.data == address


def test_memory_is_pooled_wherever_ci_runs() -> None:
    """So that the tests below are skipped nowhere that counts."""
    assert memory._POOLING or os.environ.get("HYPOTHESIS_PROFILE") != "ci"


needs_the_pool = pytest.mark.skipif(not memory._POOLING, reason="memory is not pooled here")


@needs_the_pool
def test_an_array_is_told_from_a_view_by_its_base() -> None:
    array = memory.empty((1 << 16,), np.float32)
    assert type(array) is np.ndarray
    assert type(array.base) is memory.Buffer
    assert array[1:].base is array
    assert array.reshape(2, -1).T[0].base is array


@needs_the_pool
def test_idle_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.release()
    in_use = memory._pooled
    monkeypatch.setattr(memory, "LIMIT", in_use + (1 << 20))
    for size in range(1 << 17, 1 << 20, 1 << 16):
        memory.empty((size,), np.uint8)
    assert memory._pooled <= in_use + (1 << 20)
    monkeypatch.setattr(memory, "SWEEP", 5)
    for _ in range(12):
        memory.empty((1 << 18,), np.uint8)
    assert memory._pooled <= in_use + (1 << 18)


@needs_the_pool
def test_idle_memory_is_given_back_when_there_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.release()
    in_use, room = memory._pooled, 1 << 20
    memory.empty((1 << 17,), np.uint8)  # idle from now on, and too small
    left, buffer = in_use + room, memory.Buffer

    def scarce(size: int, dtype: Any) -> Any:
        if memory._pooled + size > left:
            raise MemoryError
        return buffer(size, dtype)

    monkeypatch.setattr(memory, "Buffer", scarce)
    assert memory.empty((room,), np.uint8).nbytes == room
    assert memory._pooled == left
    with pytest.raises(MemoryError):
        memory.empty((2 * room,), np.uint8)
    assert memory._pooled == in_use  # the attempt is not counted, and what was idle is gone


@needs_the_pool
def test_an_idle_buffer_up_to_four_times_as_large_is_used_before_a_new_one_is_made() -> None:
    memory.release()
    large = memory.empty((1 << 19,), np.uint8)
    pooled = memory._pooled
    del large
    small = memory.empty((1 << 17,), np.uint8)
    assert memory._pooled == pooled
    large = memory.empty((1 << 19,), np.uint8)
    assert not np.may_share_memory(small, large)
    assert memory._pooled == pooled + (1 << 19)
    del large
    memory.empty((1 << 16,), np.uint8)  # would leave seven eighths of it unused
    assert memory._pooled == pooled + (1 << 19) + (1 << 16)


def test_threads_never_get_the_same_memory() -> None:
    wrong: list[int] = []

    def work(mark: int) -> None:
        kept: list[Array] = []
        for i in range(400):
            array = memory.empty((memory.SMALL // 4 + i % 3,), np.float32)
            array[...] = mark
            kept.append(array[i % 7 :])
            if len(kept) > 3:
                kept.pop(i % 3)
            wrong.extend(mark for a in kept if a[0] != mark or a[-1] != mark)

    workers = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


# --- threads ---


def test_slices_cover_the_batch_in_order() -> None:
    for count in (0, 1, 2, 7, 64):
        for tile in (0, 1, 3, 100):
            slices = threads.over_batch(lambda images: images, count, tile, 1e9)
            assert [i for s in slices for i in range(s.start, s.stop)] == list(range(count))


def test_an_error_in_a_thread_is_the_callers() -> None:
    def fail(images: slice) -> None:
        if images.stop == 8:
            raise KeyError("the last slice")

    with pytest.raises(KeyError, match="the last slice"):
        threads.over_batch(fail, 8, 1, 1e9)
    assert len(threads.over_batch(lambda images: images, 8, 8, 1e9)) <= 8  # and the threads work on


def test_pieces_do_not_depend_on_which_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [(s.start, s.stop) for s in threads.over_batch(lambda images: images, 29, 100, 1e9)]
    monkeypatch.setattr(threads._pool, "tasks", SimpleQueue())  # nobody ever comes to help
    assert [(s.start, s.stop) for s in threads.over_batch(lambda images: images, 29, 100, 1e9)] == usual


def test_a_thread_that_comes_too_late_holds_nothing_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    threads.set_num_threads(2)
    late: SimpleQueue[Any] = SimpleQueue()
    monkeypatch.setattr(threads._pool, "tasks", late)
    image = np.ones(8)
    alive = weakref.ref(image)
    calls: list[slice] = []
    threads.over_batch(lambda images, image=image: calls.append(images), 8, 1, 1e9)  # type: ignore[misc]
    done = len(calls)
    del image
    assert alive() is None
    late.get()()
    assert len(calls) == done


def test_error_state_and_nested_calls_hold_in_threads() -> None:
    def tile(_: slice) -> bool:
        inner = threads.over_batch(lambda images: images, 4, 1, 1e9)
        np.float32(1e30) * np.float32(1e30)
        return len(inner) == 4

    with np.errstate(over="ignore"):
        assert all(threads.over_batch(tile, 4, 1, 1e9))


@pytest.fixture
def library() -> blas.Library:
    """OpenBLAS; tests of its threads are skipped with another BLAS, which keeps its own."""
    found = blas.library()
    if found is None:
        pytest.skip("this NumPy has another BLAS than OpenBLAS")
    return found


def test_blas_threads_are_restored(library: blas.Library) -> None:
    before = library.threads()
    inside = threads.over_batch(lambda _: library.threads(), 4, 1, 1e9)
    assert library.threads() == before
    assert set(inside) == {1}


def test_no_kernel_wakes_the_threads_of_blas(monkeypatch: pytest.MonkeyPatch, library: blas.Library) -> None:
    """They would go on spinning on the cores that ours need."""
    seen: list[int] = []
    library.set_threads(2)
    x, w = normal(0, (4, 40, 40, 8)), normal(1, (3, 3, 8, 16))

    def seeing(multiply: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            seen.append(library.threads())
            return multiply(*args, **kwargs)

        return watched

    monkeypatch.setattr(np, "matmul", seeing(np.matmul))
    monkeypatch.setattr(channels, "_column_sums", seeing(channels._column_sums))
    channels.channel_sums(x)
    assert len(seen) >= 2  # the sums of a tile's rows, and of the pixels of a row
    y = convolution.conv2d(x, w, ONE, ONE, ONE, 1, normal(2, (16,)))
    convolution.conv2d_input(y, w, x.shape, ONE, ONE, ONE, 1)
    convolution.conv2d_weight(x, y, (3, 3), ONE, ONE, ONE, 1)
    matrix.matmul(y.reshape(160, -1), y.reshape(160, -1).T)
    assert len(seen) >= 4
    assert set(seen) == {1}
    assert library.threads() == 2


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True, None])
def test_a_wrong_number_of_threads(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"set_num_threads: expected a whole number of threads from 1"):
        threads.set_num_threads(bad)


def test_the_environment_says_how_many_threads() -> None:
    program = "from tensorgrad.kernels.threads import get_num_threads; print(get_num_threads())"

    def run(value: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TENSORGRAD_NUM_THREADS": value}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )

    assert run("3").stdout.strip() == "3"
    assert int(run("").stdout) >= 1
    assert "TENSORGRAD_NUM_THREADS: expected a whole number of threads from 1, received 'many'" in run("many").stderr


def test_where_no_thread_can_be_started_the_caller_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_pool", threads._Pool())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    here = threading.get_ident()
    assert set(threads.over_batch(lambda _: threading.get_ident(), 8, 1, 1e9)) == {here}


@pytest.mark.usefixtures("_products")
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("shape", [(3, 9, 9, 1), (2, 8, 8, 4)])
def test_a_pixel_that_is_not_finite_reaches_its_own_windows_only(bad: float, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    w = np.ones((3, 3, shape[3], 8), np.float32)
    clean = convolution.conv2d(x, w, (1, 1), (0, 0), (1, 1), 1)
    x[1, 4, 3, 0] = bad
    with np.errstate(invalid="ignore"):  # NumPy reports what BLAS does in the unused part of a register
        y = convolution.conv2d(x, w, (1, 1), (0, 0), (1, 1), 1)
    reached = np.zeros(y.shape, bool)
    reached[1, 2:5, 1:4] = True
    assert not np.isfinite(y[reached]).any()
    np.testing.assert_allclose(y[~reached], clean[~reached], rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("_products")
@pytest.mark.parametrize("threads_", [1, 2, 3])
@pytest.mark.parametrize(
    ("left", "right"),
    [((4, 3), (3, 5)), ((700, 64), (64, 300)), ((9, 40, 30), (30, 20)), ((3, 1, 4, 5), (2, 5, 6)), ((0, 3), (3, 2)),
     ((2, 0), (0, 3)), ((0, 2, 3), (3, 1)), ((1, 2, 3), (6, 3, 2)), ((3000, 40), (40, 12)), ((12, 300), (300, 400)),
     ((900, 10), (10, 300))],
)  # fmt: skip
def test_matrix_products_are_numpy_s_on_any_number_of_threads(threads_: int, left: Any, right: Any) -> None:
    rng = np.random.default_rng(0)
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(threads_)
        for dtype in (np.float32, np.float64, np.complex128, np.int64):
            x, y = ((rng.standard_normal(shape) * 9).astype(dtype) for shape in (left, right))
            z = matrix.matmul(x, y)
            assert z.dtype == dtype
            np.testing.assert_allclose(z, np.matmul(x, y), rtol=2e-4 if dtype == np.float32 else 1e-10, atol=1e-3)
            swapped = matrix.matmul(y.swapaxes(-1, -2), x.swapaxes(-1, -2))
            np.testing.assert_allclose(swapped, z.swapaxes(-1, -2), rtol=2e-4, atol=1e-3)
    finally:
        threads.set_num_threads(before)
