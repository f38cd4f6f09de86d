"""Convolution (the cross-correlation of the field) and its two transposes: three bilinear maps.

Which lowering is used is decided here, in :func:`_correlate` and :func:`_correlate_weight`, by shape (and whether all
numbers are finite); each is told where it is defined. All go over the batch in tiles, on all threads; a tile's images
are framed by their padding, so that a lowering sees none.
"""

from __future__ import annotations

from math import prod

import numpy as np

from tensorgrad.kernels import depthwise, full, strips, winograd
from tensorgrad.kernels.elementwise import add_bias_and_activate_, all_finite
from tensorgrad.kernels.lowering import Pair, framed, output_sizes
from tensorgrad.kernels.memory import Array, empty, zeros
from tensorgrad.kernels.threads import PASS, over_batch

ONE: Pair = (1, 1)
TILE = 3 << 20  # bytes of lowered images for one tile: more is no faster, and a third is 10 % slower


def _correlate(x: Array, w: Array, y: Array, stride: Pair, dilation: Pair, groups: int) -> None:
    """Write the convolution of framed images into ``y``, by the lowering that its shape calls for."""
    if dilation == ONE and groups == 1:
        if winograd.pays(x, w.shape[:2], w.shape[3], stride) and all_finite(x) and all_finite(w):
            winograd.correlate(x, w, y)
        else:
            strips.correlate(x, w, y, stride)
    elif dilation == ONE and groups == x.shape[3] == w.shape[3]:
        depthwise.correlate(x, w, y, stride)
    else:
        full.correlate(x, w, y, stride, dilation, groups)


def _correlate_weight(x: Array, g: Array, size: Pair, stride: Pair, dilation: Pair, groups: int) -> Array:
    """The transpose of _correlate in its kernels: ``(KH, KW, C / groups, F)``."""
    if dilation == ONE and groups == 1:
        if winograd.pays(x, size, g.shape[3], stride) and all_finite(x) and all_finite(g):
            return winograd.correlate_weight(x, g, size[0])
        return strips.correlate_weight(x, g, size, stride)
    if dilation == ONE and groups == x.shape[3] == g.shape[3]:
        return depthwise.correlate_weight(x, g, size, stride)
    return full.correlate_weight(x, g, size, stride, dilation, groups)


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
    kh, kw, _, f = w.shape
    oh, ow = output_sizes((x.shape[1], x.shape[2]), (kh, kw), stride, padding, dilation)
    y = empty((len(x), oh, ow, f), x.dtype)
    (ph, pw) = padding
    _convolve(x, w, y, (ph, ph), (pw, pw), stride, dilation, groups, bias, activation)
    return y


def _convolve(
    x: Array,
    w: Array,
    y: Array,
    rows: Pair,
    columns: Pair,
    stride: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
    activation: str | None = None,
) -> None:
    """Write the convolution of images, with a frame of these widths (before, after), into ``y``."""

    def tile(images: slice) -> None:
        _correlate(framed(x[images], rows, columns), w, y[images], stride, dilation, groups)
        if bias is not None or activation is not None:
            add_bias_and_activate_(y[images], bias, activation)

    framed_shape = (x.shape[1] + sum(rows), x.shape[2] + sum(columns), x.shape[3])
    over_batch(tile, len(x), _images_per_tile(framed_shape, y, w.shape), _work(framed_shape, y, w.shape))


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
                _convolve(g, part, target, rows, columns, ONE, dilation, groups)
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
    (ph, pw) = padding
    total = zeros((*size, x.shape[3] // groups, g.shape[3]), x.dtype)

    def tile(images: slice) -> Array:
        frame = framed(x[images], (ph, ph), (pw, pw))
        return _correlate_weight(frame, g[images], size, stride, dilation, groups)

    framed_shape = (x.shape[1] + 2 * ph, x.shape[2] + 2 * pw, x.shape[3])
    images, work = _images_per_tile(framed_shape, g, total.shape), _work(framed_shape, g, total.shape)
    for part in over_batch(tile, len(x), images, work):
        total += part
    return total


def _images_per_tile(image: tuple[int, ...], y: Array, kernel: tuple[int, ...]) -> int:
    """How many images, framed ones of this shape, fill a tile: their strips, KW times as large, and their results."""
    lowered = prod(image) * y.itemsize * kernel[1] + y[:1].nbytes
    return TILE // max(lowered, 1)


def _work(image: tuple[int, ...], y: Array, kernel: tuple[int, ...]) -> float:
    """What the convolution of one image costs: its multiply-adds, and passes over its strips and its result."""
    return y[:1].size * prod(kernel[:3]) + (prod(image) * kernel[1] + y[:1].size) * PASS


def _same_dtype(a: Array, b: Array) -> tuple[Array, Array]:
    dtype = np.result_type(a, b)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)
