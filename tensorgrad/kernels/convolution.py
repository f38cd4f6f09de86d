"""Convolution (the cross-correlation of the field) and its two transposes: three bilinear maps.

All go over the batch in tiles, on all threads: a tile's images are framed by their padding, and then convolved by the
lowering that :mod:`tensorgrad.kernels.plan` has chosen for the shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels import depthwise, full, pixels, strips, winograd
from tensorgrad.kernels.elementwise import add_bias_and_activate_, all_finite
from tensorgrad.kernels.lowering import Frame, Pair, framed
from tensorgrad.kernels.memory import Array, empty, zeros
from tensorgrad.kernels.plan import ONE, Geometry, Plan, plan
from tensorgrad.kernels.threads import over_batch

LOWERINGS: dict[str, Any] = {
    "pixels": pixels,
    "strips": strips,
    "winograd": winograd,
    "depthwise": depthwise,
    "full": full,
}


def conv2d(
    x: Array,
    w: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
    activation: str | None = None,
) -> Array:
    """y[n, i, j, f] = sum over a, b, c of x[n, i s + a d - p, j s + b d - p, c] w[a, b, c, f]. ``(N, OH, OW, F)``.

    While a tile is in the cache, a bias, ``(F,)``, is added, and an activation applied, if given (of IN_PLACE).
    """
    x, w = _same_dtype(x, w)
    frame = (padding[0], padding[0]), (padding[1], padding[1])
    planned = plan(len(x), _geometry(x, frame, w.shape[:2], w.shape[3], stride, dilation, groups))
    y = empty((len(x), *planned.out, w.shape[3]), x.dtype)
    _convolve(planned, x, frame, w, y, bias, activation)
    return y


def _convolve(
    planned: Plan, x: Array, frame: Frame, w: Array, y: Array, bias: Array | None = None, activation: str | None = None
) -> None:
    """Write the convolution of images, in a frame, into ``y``."""

    def tile(images: slice) -> None:
        framed_images, result = framed(x[images], *frame), y[images]
        chosen = settled(planned, framed_images, w)
        LOWERINGS[chosen.lowering].correlate(framed_images, w, result, chosen)
        if bias is not None or activation is not None:
            add_bias_and_activate_(result, bias, activation)

    over_batch(tile, len(x), planned.images, planned.work)


def settled(planned: Plan, *operands: Array) -> Plan:
    """The plan itself, or the one to use if not all numbers are finite: here an infinity reaches no other window."""
    other = planned.if_not_finite
    return planned if other is None or all(map(all_finite, operands)) else other


def conv2d_input(
    g: Array, w: Array, shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The transpose of conv2d in its images, of the given shape: what a gradient of the result makes of them.

    Pixel X of an image padded by p meets the kernel's row a where X + p = i s + a. With X + p = u s + r, where
    r < s, that is i = u - t for the rows a = r + t s: for each remainder r, every s-th row of the result is a
    convolution, with stride 1, of the gradient and every s-th row of the kernel, upside down. So are the columns.
    """
    g, w = _same_dtype(g, w)
    if stride != ONE and dilation != ONE:
        w, dilation = _dilated(w, dilation), ONE
    h, wd, c = shape[1:]
    kh, kw, cg, f = w.shape
    backward = w.reshape(kh, kw, cg, groups, f // groups).swapaxes(2, 4)[::-1, ::-1].reshape(kh, kw, f // groups, c)
    (sh, sw), (ph, pw) = stride, padding
    in_some_window = sh <= kh and sw <= kw
    x = empty(shape, g.dtype) if in_some_window else zeros(shape, g.dtype)
    for r in range(min(sh, kh)):
        for q in range(min(sw, kw)):
            part = backward[(kh - 1 - r) % sh :: sh, (kw - 1 - q) % sw :: sw]
            top, rows = _meeting(h, g.shape[1], part.shape[0], r, sh, ph, dilation[0])
            left, columns = _meeting(wd, g.shape[2], part.shape[1], q, sw, pw, dilation[1])
            target = x[:, top::sh, left::sw]
            if target.size:
                geometry = _geometry(g, (rows, columns), part.shape[:2], c, ONE, dilation, groups)
                planned = plan(len(g), geometry, in_place=target.flags.c_contiguous)
                _convolve(planned, g, (rows, columns), part, target)
    return x


def _meeting(size: int, out: int, taps: int, r: int, stride: int, padding: int, dilation: int) -> tuple[int, Pair]:
    """Along one axis, for the remainder ``r``: the first pixel of the image, and the frame that the gradient needs."""
    first = -(-(padding - r) // stride)  # the first u at or after the image's edge
    last = (padding + size - 1 - r) // stride
    return first * stride + r - padding, ((taps - 1) * dilation - first, last - (out - 1))


def _dilated(w: Array, dilation: Pair) -> Array:
    """The kernel with the zeros between its taps written out."""
    kh, kw, cg, f = w.shape
    spread = np.zeros(((kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1, cg, f), w.dtype)
    spread[:: dilation[0], :: dilation[1]] = w
    return spread


def conv2d_weight(x: Array, g: Array, size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Array:
    """The transpose of conv2d in its kernels: ``(KH, KW, C / groups, F)``."""
    x, g = _same_dtype(x, g)
    frame = (padding[0], padding[0]), (padding[1], padding[1])
    planned = plan(len(x), _geometry(x, frame, size, g.shape[3], stride, dilation, groups), by_weights=True)

    def tile(images: slice) -> Array:
        framed_images, gradient = framed(x[images], *frame), g[images]
        chosen = settled(planned, framed_images, gradient)
        total: Array = LOWERINGS[chosen.lowering].correlate_weight(framed_images, gradient, chosen)
        return total

    total = zeros((*size, x.shape[3] // groups, g.shape[3]), x.dtype)
    for part in over_batch(tile, len(x), planned.images, planned.work):
        total += part
    return total


def _geometry(x: Array, frame: Frame, size: Pair, filters: int, stride: Pair, dilation: Pair, groups: int) -> Geometry:
    """The convolution of images in a frame."""
    (top, bottom), (left, right) = frame
    _, h, w, c = x.shape
    return Geometry((top + h + bottom, left + w + right, c), size, filters, stride, dilation, groups, x.dtype)


def _same_dtype(a: Array, b: Array) -> tuple[Array, Array]:
    dtype = np.result_type(a, b)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)
