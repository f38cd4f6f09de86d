"""Convolution and its lowerings against the definition, in float64, and against one another."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from tensorgrad.kernels import (
    blas,
    convolution,
    depthwise,
    elementwise,
    full,
    groups,
    lowering,
    pixels,
    plan,
    pooling,
    shifted,
    strips,
    winograd,
)
from tensorgrad.kernels.lowering import NO_FRAME
from tensorgrad.kernels.plan import Columns, Geometry, Pieces, Plan
from tests import reference

Array = np.ndarray[Any, Any]
ONE = (1, 1)
BOTH = (ONE, ONE)  # a pixel on every side


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw: st.DrawFn, groups: int | None = None, dilated: bool = True, least: int = 0) -> dict[str, Any]:
    """A geometry in which at least one window fits, and a seed for the values."""
    size, stride, padding = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(st.tuples(pairs(0, 5), pairs(0, 5)))
    dilation = draw(pairs(1, 3)) if dilated else ONE
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    image = tuple(max(r - sum(p), 1) + draw(st.integers(0, 8)) for r, p in zip(reach, padding, strict=True))
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


@pytest.mark.usefixtures("any_threads", "any_blas")
@given(convolutions())
def test_convolution_is_its_definition_and_its_gradients_are_its_transposes(case: dict[str, Any]) -> None:
    x, w, geometry = operands(case)
    y = convolution.conv2d(x, w, *geometry)
    np.testing.assert_allclose(y, reference.conv2d(x, w, *geometry), atol=1e-12)
    g = normal(1, y.shape)
    by_input = convolution.conv2d_input(g, w, x.shape, *geometry)
    by_weight = convolution.conv2d_weight(x, g, w.shape[:2], *geometry)
    assert by_input.shape == x.shape
    assert by_weight.shape == w.shape
    np.testing.assert_allclose((by_input * x).sum(), (y * g).sum(), atol=1e-9)
    np.testing.assert_allclose((by_weight * w).sum(), (y * g).sum(), atol=1e-9)


@pytest.mark.usefixtures("any_threads")
@given(convolutions(), st.sampled_from([1, 2, 5]))
def test_tiles_of_any_size_give_the_same(case: dict[str, Any], images: int) -> None:
    x, w, geometry = operands(case)
    y = convolution.conv2d(x, w, *geometry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolution, "plan", lambda *args, **kwargs: plan.plan(*args, **kwargs)._replace(images=images))
        np.testing.assert_allclose(convolution.conv2d(x, w, *geometry), y, atol=1e-12)
        weights = convolution.conv2d_weight(x, y, w.shape[:2], *geometry)
    np.testing.assert_allclose(convolution.conv2d_weight(x, y, w.shape[:2], *geometry), weights, atol=1e-9)


def test_a_product_too_large_for_one_piece_is_cut() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 6, 40, 33)), rng.standard_normal((3, 3, 33, 130))
    np.testing.assert_allclose(
        convolution.conv2d(x, w, ONE, BOTH, ONE, 1), reference.conv2d(x, w, ONE, BOTH, ONE, 1), atol=1e-10
    )


@given(convolutions())
def test_bias_and_activation_on_the_way_are_the_same_as_afterwards(case: dict[str, Any]) -> None:
    x, w, (stride, padding, dilation, groups) = operands(case)
    geometry: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    b = normal(2, w.shape[3])
    y = convolution.conv2d(x, w, **geometry)
    np.testing.assert_allclose(convolution.conv2d(x, w, **geometry, bias=b), y + b, atol=1e-12)
    for activation, after in (
        (elementwise.relu_, np.maximum(y + b, 0)),
        (elementwise.tanh_, np.tanh(y + b)),
        (elementwise.sigmoid_, special.expit(y + b)),
    ):
        on_the_way = convolution.conv2d(x, w, **geometry, bias=b, activation=activation)
        np.testing.assert_allclose(on_the_way, after, atol=1e-12)


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
    np.testing.assert_allclose(y, reference.conv2d(x, w, *geometry), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures("any_threads")
def test_every_run_gives_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((37, 13, 13, 5), np.float32)
    w = rng.standard_normal((3, 3, 5, 7), np.float32)

    def run() -> list[bytes]:
        y = convolution.conv2d(x, w, ONE, BOTH, ONE, 1)
        pooled = pooling.average(y, (2, 2), (2, 2), NO_FRAME)
        return [
            y.tobytes(),
            pooled.tobytes(),
            convolution.conv2d_weight(x, y, (3, 3), ONE, BOTH, ONE, 1).tobytes(),
            convolution.conv2d_input(y, w, x.shape, ONE, BOTH, ONE, 1).tobytes(),
        ]

    first = run()
    assert all(run() == first for _ in range(5))


@given(convolutions(groups=1))
def test_im2col_and_col2im_are_each_others_transpose(case: dict[str, Any]) -> None:
    x, _, (stride, padding, dilation, _) = operands(case)
    size = case["size"]
    cols = lowering.im2col(x, size, stride, padding, dilation)
    expected = reference.windows(x, size, stride, padding, dilation)
    np.testing.assert_array_equal(cols, expected.reshape(cols.shape))
    g = normal(3, cols.shape)
    image = lowering.col2im(g, x.shape, size, stride, padding, dilation)
    np.testing.assert_allclose((image * x).sum(), (cols * g).sum(), atol=1e-9)


@pytest.mark.usefixtures("any_blas")
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("shape", [(3, 9, 9, 1), (2, 8, 8, 4)])
def test_a_pixel_that_is_not_finite_reaches_its_own_windows_only(bad: float, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    w = np.ones((3, 3, shape[3], 8), np.float32)
    clean = convolution.conv2d(x, w, ONE, NO_FRAME, ONE, 1)
    x[1, 4, 3, 0] = bad
    with np.errstate(invalid="ignore"):  # NumPy reports what BLAS does in the unused part of a register
        y = convolution.conv2d(x, w, ONE, NO_FRAME, ONE, 1)
    reached = np.zeros(y.shape, bool)
    reached[1, 2:5, 1:4] = True
    assert not np.isfinite(y[reached]).any()
    np.testing.assert_allclose(y[~reached], clean[~reached], rtol=1e-5, atol=1e-5)


def geometry_of(x: Array, w: Array, stride: Any = ONE, dilation: Any = ONE, groups: int = 1) -> Geometry:
    return Geometry(x.shape[1:], w.shape[:2], w.shape[3], stride, dilation, groups, x.dtype)


def agrees(module: Any, planned: Plan, x: Array, w: Array, seed: int = 8) -> None:
    """A lowering, told how by a plan, is the definition, and its gradient by the weights is the transpose."""
    _, _, _, stride, dilation, groups, _ = planned.geometry
    expected = reference.conv2d(x, w, stride, (0, 0), dilation, groups)
    y: Array = np.full(expected.shape, np.nan)
    module.correlate(x, w, y, planned)
    np.testing.assert_allclose(y, expected, atol=1e-11)
    g = normal(seed, y.shape)
    weight = module.correlate_weight(x, g, planned)
    assert weight.shape == w.shape
    np.testing.assert_allclose((weight * w).sum(), (expected * g).sum(), atol=1e-9)
    if module is not pixels and (module is winograd or all(columns.block == 1 for columns in planned.columns)):
        wide = np.full((*y.shape[:3], 2 * y.shape[3]), np.nan)  # nothing is written beside the result
        module.correlate(x, w, wide[..., ::2], planned)
        np.testing.assert_allclose(wide[..., ::2], expected, atol=1e-11)
        assert np.isnan(wide[..., 1::2]).all()


PIECES = st.one_of(st.none(), st.builds(Pieces, st.integers(1, 9), st.integers(1, 9)))


@given(convolutions(groups=1, dilated=False, least=1), st.data())
def test_strips_in_any_blocks_and_pieces_are_convolution(case: dict[str, Any], data: st.DataObject) -> None:
    x, w, (stride, padding, _, _) = operands(case)
    frame = lowering.framed(x, padding)
    geometry = geometry_of(frame, w, stride)
    ow = geometry.out[1]
    block = data.draw(st.integers(1, min(3, ow)))
    cut = ow - ow % block
    drawn = st.tuples(st.booleans(), PIECES, st.integers(1, 9))
    columns = [Columns(0, cut, block, *data.draw(drawn))]
    columns += [Columns(cut, ow, 1, *data.draw(drawn))] if cut < ow else []
    agrees(strips, Plan("strips", "", geometry, 1, 1.0, geometry.out, tuple(columns)), frame, w)


@given(*(st.integers(1, most) for most in (3, 5, 5, 9, 4, 4)), PIECES)
def test_winograd_is_convolution(n: int, kh: int, oh: int, ow: int, c: int, f: int, pieces: Pieces | None) -> None:
    """On whole numbers to the bit: sums of them, halved, are exact."""
    rng = np.random.default_rng(n)
    x, w = (rng.integers(-9, 10, shape).astype(float) for shape in ((n, oh + kh - 1, ow + 2, c), (kh, 3, c, f)))
    geometry = geometry_of(x, w)
    planned = Plan("winograd", "", geometry, 1, 1.0, geometry.out, (Columns(0, ow, 2, True, pieces),))
    agrees(winograd, planned, x, w)
    y = np.empty((n, oh, ow, f))
    winograd.correlate(x, w, y, planned)
    np.testing.assert_array_equal(y, reference.conv2d(x, w))


@given(*(st.integers(1, most) for most in (3, 5, 5, 4, 4)), st.booleans(), PIECES)
def test_pixels_are_convolution(n: int, h: int, wd: int, c: int, f: int, together: bool, pieces: Pieces | None) -> None:
    x, w = normal(0, (n, h, wd, c)), normal(1, (1, 1, c, f))
    geometry = geometry_of(x, w)
    agrees(pixels, Plan("pixels", "", geometry, 1, 1.0, geometry.out, (Columns(0, wd, 1, together, pieces),)), x, w)


@given(convolutions(groups=1, least=1))
def test_full_im2col_is_convolution(case: dict[str, Any]) -> None:
    x, w, (stride, padding, dilation, _) = operands(case)
    frame = lowering.framed(x, padding)
    geometry = geometry_of(frame, w, stride, dilation)
    agrees(full, Plan("full", "", geometry, 1, 1.0, geometry.out), frame, w)


@given(convolutions(groups=1, dilated=False, least=1))
def test_shifted_products_are_convolution(case: dict[str, Any]) -> None:
    x, w, (_, padding, _, _) = operands(case)
    frame = lowering.framed(x, padding)
    geometry = geometry_of(frame, w)
    expected = reference.conv2d(frame, w)
    wide: Array = np.full((*expected.shape[:3], 2 * expected.shape[3]), np.nan)
    shifted.correlate(frame, w, wide[..., ::2], Plan("shifted", "", geometry, 1, 1.0, geometry.out))
    np.testing.assert_allclose(wide[..., ::2], expected, atol=1e-11)
    assert np.isnan(wide[..., 1::2]).all()


@pytest.mark.usefixtures("any_blas", "any_threads")
@pytest.mark.parametrize(("channels", "filters", "groups"), [(16, 1, 1), (20, 4, 1), (30, 6, 3)])
def test_few_filters_of_many_channels_are_convolution(channels: int, filters: int, groups: int) -> None:
    """With a gradient by images that have few channels, and infinities that stay in their own windows."""
    x, w = normal(0, (5, 7, 6, channels)), normal(1, (3, 2, channels // groups, filters))
    geometry = (ONE, ((1, 0), (0, 2)), ONE, groups)
    np.testing.assert_allclose(convolution.conv2d(x, w, *geometry), reference.conv2d(x, w, *geometry), atol=1e-12)
    g, v = normal(2, (5, 6, 7, channels)), normal(3, (3, 2, filters // groups, channels))
    images = normal(4, (5, 7, 6, filters))
    by_images = convolution.conv2d_input(g, v, images.shape, *geometry)
    np.testing.assert_allclose((by_images * images).sum(), (convolution.conv2d(images, v, *geometry) * g).sum())
    for x[1, 0, 0, 0] in (np.inf, np.nan):
        with np.errstate(invalid="ignore"):
            y = convolution.conv2d(x, w, *geometry)
        reached = np.zeros(y.shape, bool)
        reached[1, :2, :1, : filters // groups] = True
        assert not np.isfinite(y[reached]).any()
        assert np.isfinite(y[~reached]).all()


@pytest.mark.usefixtures("any_blas")
@given(convolutions(groups=3, least=1), st.booleans())
def test_groups_are_convolutions(case: dict[str, Any], finite: bool) -> None:
    x, w, (stride, padding, dilation, _) = operands(case)
    frame = lowering.framed(x, padding)
    planned = plan.plan(len(x), geometry_of(frame, w, stride, dilation, groups=3))
    if planned.lowering == "groups":
        agrees(groups, planned if finite or planned.if_not_finite is None else planned.if_not_finite, frame, w)


@given(convolutions(groups=1, dilated=False, least=1))
def test_depthwise_is_convolution_in_as_many_groups_as_channels(case: dict[str, Any]) -> None:
    x, w, (stride, padding, _, _) = operands(case)
    w = np.tile(w[:, :, :1, :1], (1, 1, 1, x.shape[3])) * np.arange(1.0, x.shape[3] + 1)
    frame = lowering.framed(x, padding)
    geometry = geometry_of(frame, w, stride, groups=x.shape[3])
    agrees(depthwise, Plan("depthwise", "", geometry, 1, 1.0, geometry.out), frame, w)


@pytest.mark.usefixtures("any_blas")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_plan_that_would_spread_infinities_has_another_with_it(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many channels go by Winograd, while all numbers are finite."""
    monkeypatch.setattr(plan, "PAIRS", 1)
    plan._plan.cache_clear()
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((6, 15, 19, 64)).astype(dtype), rng.standard_normal((2, 3, 64, 65)).astype(dtype)
    geometry = (ONE, ((0, 0), (3, 1)), ONE, 1)
    g = rng.standard_normal((6, 14, 21, 65)).astype(dtype)
    used: list[str] = []

    def results(otherwise: bool) -> list[Array]:
        def settled(planned: Plan, *operands: Array) -> Plan:
            assert planned.lowering == "winograd"
            assert planned.if_not_finite is not None
            chosen = planned.if_not_finite if otherwise else usual(planned, *operands)
            used.append(chosen.lowering)
            return chosen

        with pytest.MonkeyPatch.context() as patch, np.errstate(invalid="ignore"):
            patch.setattr(convolution, "settled", settled)
            return [
                convolution.conv2d(x, w, *geometry),
                convolution.conv2d_input(g, w, x.shape, *geometry),
                convolution.conv2d_weight(x, g, (2, 3), *geometry),
            ]

    usual = convolution.settled
    for result, other in zip(results(False), results(True), strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(result / scale, other / scale, atol=2e-6 if dtype is np.float32 else 1e-14)
    assert set(used) == {"winograd", "strips"}
    for bad in (np.inf, np.nan):  # what is beside it is not spoilt
        for spoilt in (x, w, g):
            before, spoilt[1, 0, 1, 1] = spoilt[1, 0, 1, 1].copy(), bad
            for result, other in zip(results(False), results(True), strict=True):
                np.testing.assert_array_equal(np.isfinite(result), np.isfinite(other))
                np.testing.assert_array_equal(np.isnan(result), np.isnan(other))
            spoilt[1, 0, 1, 1] = before
    plan._plan.cache_clear()


@pytest.mark.parametrize("size", [(3, 3), (1, 4), (2, 1)])
@pytest.mark.parametrize("padding", [BOTH, ((0, 2), (3, 1)), ((5, 5), (5, 5))])
@pytest.mark.parametrize("filters", [1, 4, 8])
def test_windows_of_a_narrow_gradient_give_the_same_as_windows_of_the_images(
    size: tuple[int, int], padding: Any, filters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An infinity or NaN at the edge of an image meets those weights alone that reach it."""
    monkeypatch.setattr(convolution, "gradient_is_narrow", lambda image, result: image[2] >= 2 * result[2])
    x, geometry = normal(0, (5, 7, 6, 16)), (ONE, padding, ONE, 1)
    g = normal(1, convolution.conv2d(x, normal(2, (*size, 16, filters)), *geometry).shape)
    assert convolution.turned_around(size, *geometry) is not None
    for number in (1.0, np.inf, np.nan):
        x[2, 0, 0, 3] = number
        with np.errstate(invalid="ignore"):
            found = convolution.conv2d_weight(x, g, size, *geometry)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(convolution, "turned_around", lambda *_: None)
                windows_of_images = convolution.conv2d_weight(x, g, size, *geometry)
        np.testing.assert_allclose(found, windows_of_images, atol=1e-11)


@pytest.mark.usefixtures("any_threads")
@pytest.mark.parametrize(("channels", "filters"), [(3, 4), (16, 16), (48, 40)])  # blocks of two, strips, Winograd
@pytest.mark.parametrize("size", [(3, 3), (2, 3), (1, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_gradients_from_the_same_windows_are_those_of_windows_of_their_own(
    channels: int, filters: int, size: tuple[int, int], dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An infinity or NaN in an image, a gradient or a kernel spoils no more of them either."""
    monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda: False)
    monkeypatch.setattr(plan, "PAIRS", 1)
    plan._plan.cache_clear()
    geometry: Any = (ONE, ((1, 0), (2, size[1] - 2)), ONE, 1)
    shapes = (20, 13, 10, channels), (*size, channels, filters)
    x, w = (normal(seed, shape).astype(dtype) for seed, shape in enumerate(shapes))
    g = normal(2, convolution.conv2d(x, w, *geometry).shape).astype(dtype)
    for spoilt in (None, x, w, g):
        if spoilt is not None:
            before, spoilt[-1, 0, 1, 1] = spoilt[-1, 0, 1, 1].copy(), np.inf if spoilt is g else np.nan
        with np.errstate(invalid="ignore"):
            found = convolution.conv2d_gradients(g, x, w, *geometry)
            apart = (
                convolution.conv2d_input(g, w, x.shape, *geometry),
                convolution.conv2d_weight(x, g, size, *geometry),
            )
        for both, own in zip(found, apart, strict=True):
            clean = np.isfinite(own)  # where an infinite gradient meets padding alone, windows of their own make NaN
            scale = np.abs(own[clean]).max()
            tolerance = 2e-6 if dtype is np.float32 else 1e-13
            np.testing.assert_allclose(both[clean] / scale, own[clean] / scale, atol=tolerance)
        if spoilt is not None:
            spoilt[-1, 0, 1, 1] = before
    plan._plan.cache_clear()


@pytest.mark.parametrize(("filters", "padding", "narrow"), [(8, 1, True), (8, 0, False), (16, 1, False), (1, 0, True)])
def test_a_narrow_gradient_is_lowered_where_blas_packs_windows(
    filters: int, padding: int, narrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 24 + 2 * padding
    for small in (False, True):
        monkeypatch.setattr(blas, "multiplies_small_matrices_as_they_are", lambda small=small: small)
        assert plan.gradient_is_narrow((26, 26, 16), (rows, rows, filters)) is (narrow and not small)


@pytest.mark.parametrize("pixels", [(), (3, 4), (3, 32, 32)])
@pytest.mark.parametrize("dtypes", ["ff", "fd", "ee", "??"])
@pytest.mark.parametrize("channels", [(3, 5), (40, 2), (0, 4)])
def test_arrays_are_put_side_by_side(pixels: tuple[int, ...], dtypes: str, channels: tuple[int, int]) -> None:
    """Few pixels or many, small pixels or large, of one dtype or two; the second array is strided."""
    left, right = (
        np.random.default_rng(0).integers(0, 9, (*pixels, 2 * c)).astype(d)
        for c, d in zip(channels, dtypes, strict=True)
    )
    parts = [left[..., : channels[0]].copy(), right[..., ::2]]
    y = np.empty((*pixels, sum(channels)), dtypes[1])
    lowering.side_by_side(parts, y)
    np.testing.assert_array_equal(y, np.concatenate(parts, axis=-1))
