"""Convolution (the cross-correlation of the field) and its two transposes: three bilinear maps.

All go over the batch in tiles, on all threads: a tile's images are framed by their padding, and then convolved by the
lowering that :mod:`tensorgrad.kernels.plan` has chosen for the shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.kernels import depthwise, strips, winograd
from tensorgrad.kernels import groups as in_groups
from tensorgrad.kernels.elementwise import InPlace, add_bias_and_activate_, all_finite
from tensorgrad.kernels.lowering import Frame, Pair, framed
from tensorgrad.kernels.memory import Array, empty, zeros
from tensorgrad.kernels.plan import ONE, Geometry, Plan, gradient_is_narrow, gradient_suits_both, plan
from tensorgrad.kernels.threads import over_batch, over_first_axis

LOWERINGS: dict[str, Any] = {**in_groups.ALONE, "depthwise": depthwise, "groups": in_groups}
FOR_BOTH: dict[str, Any] = {"strips": strips, "winograd": winograd}  # whose windows serve two products


def conv2d(
    x: Array,
    w: Array,
    stride: Pair,
    padding: Frame,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
    activation: InPlace | None = None,
) -> Array:
    """y[n, i, j, f] = sum over a, b, c of x[n, i s + a d - p, j s + b d - p, c] w[a, b, c, f]. ``(N, OH, OW, F)``.

    A bias ``(F,)`` and an activation, if given, are applied to each tile while it is in the cache.
    """
    x, w = _same_dtype(x, w)
    planned = plan(len(x), geometry_of(x.shape, padding, w.shape[:2], w.shape[3], stride, dilation, groups, x.dtype))
    y = empty((len(x), *planned.out, w.shape[3]), x.dtype)
    convolve(planned, x, padding, w, y, bias, activation)
    return y


def convolve(
    planned: Plan,
    x: Array,
    frame: Frame,
    w: Array,
    y: Array,
    bias: Array | None = None,
    activation: InPlace | None = None,
) -> None:
    """Write the convolution of images in a frame into ``y``, as the plan says."""

    def tile(images: slice) -> None:
        framed_images, result = framed(x[images], frame), y[images]
        chosen = settled(planned, framed_images, w)
        LOWERINGS[chosen.lowering].correlate(framed_images, w, result, chosen)
        if bias is not None or activation is not None:
            add_bias_and_activate_(result, bias, activation)

    over_batch(tile, len(x), planned.images, planned.work)


def settled(planned: Plan, *operands: Array) -> Plan:
    """The plan itself, or the one for numbers that are not finite, by which an infinity reaches no other window."""
    other = planned.if_not_finite
    return planned if other is None or all(map(all_finite, operands)) else other


def conv2d_input(
    g: Array, w: Array, shape: tuple[int, ...], stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> Array:
    """The transpose of conv2d in its images: the gradient by images of the given shape, from the gradient ``g``."""
    g, w = _same_dtype(g, w)
    if stride != ONE and dilation != ONE:
        w, dilation = _dilated(w, dilation), ONE
    kh, kw, cg, f = w.shape
    c = shape[3]
    backward = w.reshape(kh, kw, cg, groups, f // groups).swapaxes(2, 4)[::-1, ::-1].reshape(kh, kw, f // groups, c)
    in_some_window = stride[0] <= kh and stride[1] <= kw
    x = empty(shape, g.dtype) if in_some_window else zeros(shape, g.dtype)
    h, wd = shape[1:3]
    for part in parts((h, wd), g.shape[1:3], (kh, kw), stride, padding, dilation):
        kernel, target = backward[part.taps], x[(slice(None), *part.pixels)]
        geometry = geometry_of(g.shape, part.frame, kernel.shape[:2], c, ONE, dilation, groups, g.dtype)
        planned = plan(len(g), geometry, in_place=stride == ONE)
        convolve(planned, g, part.frame, kernel, target)
    return x


class Part(NamedTuple):
    """Every s-th row and column of images whose gradient is wanted: one convolution, with stride 1."""

    pixels: tuple[slice, slice]  # of the images
    taps: tuple[slice, slice]  # of the kernel, upside down
    frame: Frame  # around the gradient of the result


def parts(image: Pair, out: Pair, size: Pair, stride: Pair, padding: Frame, dilation: Pair) -> list[Part]:
    """The parts of :func:`conv2d_input`: one with stride 1, up to s s with stride s.

    Pixel X, with p pixels of padding before the image, meets the kernel's row a where X + p = i s + a. With
    X + p = u s + r, where r < s, that is i = u - t for the rows a = r + t s: for each remainder r, every s-th row of
    the images is a convolution, with stride 1, of the gradient and every s-th row of the kernel, upside down. So are
    the columns.
    """
    axes = ([*_along(*axis)] for axis in zip(image, out, size, stride, padding, dilation, strict=True))
    return [Part(*zip(*both, strict=True)) for both in product(*axes)]


def _along(
    pixels: int, out: int, size: int, stride: int, padding: Pair, dilation: int
) -> Iterator[tuple[slice, slice, Pair]]:
    """The pixels, taps and frame of each part, along one axis."""
    before, _ = padding
    for r in range(min(stride, size)):
        first = -(-(before - r) // stride)  # the first u at or after the image's edge
        last = (before + pixels - 1 - r) // stride
        taps = -(-(size - r) // stride)
        if first <= last:
            frame = (taps - 1) * dilation - first, last - (out - 1)
            yield slice(first * stride + r - before, None, stride), slice((size - 1 - r) % stride, None, stride), frame


def _dilated(w: Array, dilation: Pair) -> Array:
    """The kernel with the zeros between its taps written out."""
    kh, kw, cg, f = w.shape
    spread = np.zeros(((kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1, cg, f), w.dtype)
    spread[:: dilation[0], :: dilation[1]] = w
    return spread


def conv2d_weight(x: Array, g: Array, size: Pair, stride: Pair, padding: Frame, dilation: Pair, groups: int) -> Array:
    """The transpose of conv2d in its kernels: ``(KH, KW, C / groups, F)``."""
    x, g = _same_dtype(x, g)
    turned = turned_around(size, stride, padding, dilation, groups)
    narrow = turned is not None and gradient_is_narrow(x.shape[1:], g.shape[1:])
    if turned and narrow and all(over_first_axis(lambda some: all_finite(x[some]), x)):  # 0 times infinity is NaN
        return upside_down(conv2d_weight(g, x, size, ONE, turned, ONE, 1))
    planned = plan(
        len(x), geometry_of(x.shape, padding, size, g.shape[3], stride, dilation, groups, x.dtype), by_weights=True
    )

    def tile(images: slice) -> Array:
        framed_images, gradient = framed(x[images], padding), g[images]
        chosen = settled(planned, framed_images, gradient)
        total: Array = LOWERINGS[chosen.lowering].correlate_weight(framed_images, gradient, chosen)
        return total

    total = zeros((*size, x.shape[3] // groups, g.shape[3]), x.dtype)
    for part in over_batch(tile, len(x), planned.images, planned.work):
        total += part
    return total


def conv2d_gradients(
    g: Array, x: Array, w: Array, stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> tuple[Array, Array]:
    """What conv2d_input and conv2d_weight return, from the same windows of the gradient where that is faster."""
    geometry = stride, padding, dilation, groups
    turned = turned_around(w.shape[:2], *geometry)
    if turned is not None and gradient_suits_both(x.shape[1:], g.shape[1:]) and g.dtype == x.dtype == w.dtype:
        both = _from_the_same_windows(g, x, w, turned)
        if both is not None:
            return both
    return conv2d_input(g, w, x.shape, *geometry), conv2d_weight(x, g, w.shape[:2], *geometry)


def _from_the_same_windows(g: Array, x: Array, w: Array, frame: Frame) -> tuple[Array, Array] | None:
    """Both transposes, from windows of the gradient in a frame; None if x is not finite, or the lowering has none."""
    kernel = upside_down(w)  # (KH, KW, F, C)
    planned = plan(len(g), geometry_of(g.shape, frame, w.shape[:2], x.shape[3], ONE, ONE, 1, g.dtype))
    if planned.lowering not in FOR_BOTH:
        return None
    by_images = empty(x.shape, g.dtype)

    def tile(images: slice) -> Array | None:
        pixels, framed_gradient = x[images], framed(g[images], frame)
        if not all_finite(pixels):
            return None
        chosen = settled(planned, framed_gradient, kernel)
        total: Array = FOR_BOTH[chosen.lowering].correlate_both(
            framed_gradient, kernel, by_images[images], pixels, chosen
        )
        return total

    total = zeros(kernel.shape, g.dtype)
    for part in over_batch(tile, len(g), planned.images, 2 * planned.work):
        if part is None:
            return None
        total += part
    return by_images, upside_down(total)


def turned_around(size: Pair, stride: Pair, padding: Frame, dilation: Pair, groups: int) -> Frame | None:
    """The frame around the gradient of the result whose windows meet the images' pixels; None if there is none.

    With stride 1, pixel X meets the kernel's row a at the result's row X + p - a. So the gradient by the images is a
    convolution of the result's gradient, in a frame of k - 1 - p rows, with the kernel upside down; and the sum over
    all pairs of a pixel and a tap, by the weights, may also go over windows of the gradient: images and gradient
    change places.
    """
    if stride != ONE or dilation != ONE or groups != 1 or size == ONE:
        return None
    (top, bottom), (left, right), (kh, kw) = *padding, size
    return (kh - 1 - top, kh - 1 - bottom), (kw - 1 - left, kw - 1 - right)


def upside_down(w: Array) -> Array:
    """A kernel as it is when images and results change places: ``(KH, KW, C, F)`` to ``(KH, KW, F, C)``."""
    return np.ascontiguousarray(w[::-1, ::-1].swapaxes(2, 3))


def geometry_of(
    shape: tuple[int, ...],
    frame: Frame,
    size: Pair,
    filters: int,
    stride: Pair,
    dilation: Pair,
    groups: int,
    dtype: Any,
) -> Geometry:
    """The convolution of images of a shape (N, H, W, C), in a frame."""
    (top, bottom), (left, right) = frame
    _, h, w, c = shape
    return Geometry((top + h + bottom, left + w + right, c), size, filters, stride, dilation, groups, dtype)


def _same_dtype(a: Array, b: Array) -> tuple[Array, Array]:
    if a.dtype == b.dtype:
        return a, b
    dtype = np.result_type(a, b)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)
