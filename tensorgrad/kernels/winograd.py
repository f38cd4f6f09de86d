"""Convolution with kernels of three columns: four multiplications for two windows, instead of six.

Two windows side by side cover four pixels, ``d`` (a b c is a row of the kernel)::

    m0 = (d0 - d2) a                      y0 = m0 + m1 - m2        pixels     d0 d1 d2 d3
    m1 = (d1 + d2) (a + b + c) / 2        y1 = m1 + m2 - m3        windows     a  b  c
    m2 = (d1 - d2) (a - b + c) / 2                                                a  b  c
    m3 = (d1 - d3) c

With channels, each m is a matrix product of C numbers and F filters, and the rows of the kernel lie below each other as
in :mod:`tensorgrad.kernels.lowering`: *sums* of pixels are laid out as columns of images, ``(4, N, OW/2, H, C)``, so
that a window of KH C numbers is one piece, and the next one down begins C further on. This is Winograd's F(2, 3), by
Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, along rows only: in two dimensions there
are three times as many passes over sums and products, and 64 channels take 1.2 of the time of strips.

For numbers of about one size results are as exact as those of strips (64 channels: largest error 3.0e-6 against
4.5e-6). Beside a tap of 1e8, one of 1 loses its digits. Infinity minus infinity is NaN, so all must be finite.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.lowering import copy_pixels
from tensorgrad.kernels.matrix import multiply, sum_of_products
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.plan import Plan


def correlate(x: Array, w: Array, y: Array, plan: Plan) -> None:
    """Write the convolution of contiguous, framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    _multiply(_sums(x), w, y, plan)


def correlate_weight(x: Array, g: Array, plan: Plan) -> Array:
    """The transpose of correlate in its kernel, for contiguous, framed images: ``(KH, 3, C, F)``."""
    return _weight(_sums(x), g, plan)


def correlate_both(x: Array, w: Array, y: Array, g: Array, plan: Plan) -> Array:
    """Both :func:`correlate` and :func:`correlate_weight`, with sums of pixels that are computed once."""
    sums = _sums(x)
    _multiply(sums, w, y, plan)
    return _weight(sums, g, plan)


def _multiply(sums: Array, w: Array, y: Array, plan: Plan) -> None:
    (n, oh), f = y.shape[:2], y.shape[3]
    products = empty((4, oh, n, sums.shape[2], f), y.dtype)
    multiply(_windows(sums, oh, len(w)), _kernels(w)[:, None], products.reshape(4, oh, -1, f), plan.columns[0].pieces)
    of_two = empty((2, *products.shape[1:]), y.dtype)
    np.add(products[:2], products[1:3], out=of_two)
    for first in (0, 1):
        result = y[:, :, first::2].transpose(1, 0, 2, 3)
        windows = (..., slice(result.shape[2]), slice(None))
        np.subtract(of_two[first][windows], products[2 + first][windows], out=result)


def _weight(sums: Array, g: Array, plan: Plan) -> Array:
    (n, oh), f, kh = g.shape[:2], g.shape[3], plan.geometry.size[0]
    right = empty((4, oh, n, sums.shape[2], f), g.dtype)
    for first, part in enumerate((right[0], right[3])):
        source = g[:, :, first::2].transpose(1, 0, 2, 3)
        copy_pixels(source, part[:, :, : source.shape[2]])
        part[:, :, source.shape[2] :] = 0
    np.add(right[0], right[3], out=right[1])
    np.subtract(right[3], right[0], out=right[2])
    m0, m1, m2, m3 = (
        sum_of_products(left.transpose(0, 2, 1), part.reshape(oh, -1, f)).reshape(kh, -1, f)
        for left, part in zip(_windows(sums, oh, kh), right, strict=True)
    )
    outer = (m1 + m2) / 2
    return np.stack([m0 + outer, (m1 - m2) / 2, outer - m3], axis=1)


def _sums(x: Array) -> Array:
    """The four sums of pixels for each pair of windows, column by column: ``(4, N, OW/2, H, C)``."""
    n, h, width, c = x.shape
    pairs = (width - 1) // 2  # of windows in a row; the last may have one window only
    columns = empty((2, n, pairs + 1, h, c), x.dtype)  # even and odd ones
    for first, column in enumerate(columns):
        source = x[:, :, first::2].transpose(0, 2, 1, 3)
        copy_pixels(source, column[:, : source.shape[1]])
        column[:, source.shape[1] :] = 0
    sums = empty((4, n, pairs, h, c), x.dtype)
    np.subtract(columns[:, :, :-1], columns[:, :, 1:], out=sums[::3])
    d1, d2 = columns[1, :, :-1], columns[0, :, 1:]
    np.add(d1, d2, out=sums[1])
    np.subtract(d1, d2, out=sums[2])
    return sums


def _windows(sums: Array, oh: int, kh: int) -> Array:
    """A matrix for each sum and each row of the result: ``(4, OH, N OW/2, KH C)``."""
    four, n, pairs, _, c = sums.shape
    s4, _, sj, si, sc = sums.strides
    return np.ndarray((four, oh, n * pairs, kh * c), sums.dtype, sums, 0, (s4, si, sj, sc))


def _kernels(w: Array) -> Array:
    """The weights that the sums of pixels are multiplied by: ``(4, KH C, F)``."""
    a, b, c = w.transpose(1, 0, 2, 3)
    outer, inner = (a + c) / 2, b / 2
    return np.stack([a, outer + inner, outer - inner, c]).reshape(4, -1, w.shape[3])
