"""Convolution over strips: one copy of the images, KW times their size, and stacks of matrix products.

Strips are drawn in :mod:`tensorgrad.kernels.lowering`. They are a matrix of windows for each row of the result, either
of one image or of all images *together*, without another copy. The products of one image are written to their places
in the result. The products of all images together are larger, and their rows are then copied into place.

Two windows that lie side by side can share a wider strip: this *block* of B = 2 windows is one row of a matrix product
with B F columns, by a matrix that holds the kernel B times, each a pixel further down, among zeros::

    kernel a b c, block of 2:       a .
                                    b a
                                    c b
                                    . c

That is (B + KW - 1) / KW times the arithmetic. It pays where so few numbers meet that a vector register is half empty.
Zero times infinity is NaN, so images must be finite.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.lowering import runs, strips
from tensorgrad.kernels.matrix import multiply, sum_of_products
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.plan import Columns, Plan
from tensorgrad.kernels.threads import cut


def correlate(x: Array, w: Array, y: Array, plan: Plan) -> None:
    """Write the convolution of contiguous, framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    for columns in plan.columns:
        _multiply(_strips(x, columns, plan), w, y, columns, plan)


def correlate_both(x: Array, w: Array, y: Array, g: Array, plan: Plan) -> Array:
    """Both :func:`correlate` and :func:`correlate_weight`, from strips that are copied once, of all images together."""
    (kh, kw), (_, sw), c, f = plan.geometry.size, plan.geometry.stride, x.shape[3], g.shape[3]
    total = np.zeros((kh, kw, c, f), x.dtype)
    for columns in plan.columns:
        lowered = _strips(x, columns, plan)
        _multiply(lowered, w, y, columns, plan)
        wide = _weight_of_all(lowered, g[:, :, columns.first : columns.stop], plan)
        total += _unblocked(wide.reshape(kh, -1, c, columns.block, f), kw, sw)
    return total


def _multiply(lowered: Array, w: Array, y: Array, columns: Columns, plan: Plan) -> None:
    """Write these columns of the convolution, from the strips of their windows."""
    kh, _, _, f = w.shape
    n, oh, _, _ = y.shape
    sh, sw = plan.geometry.stride
    block, blocks = columns.block, lowered.shape[1]
    kernel = _blocked(w, block, sw).reshape(-1, block * f)
    result = y[:, :, columns.first : columns.stop]
    if columns.together:
        products = empty((oh, n * blocks, block * f), y.dtype)
        multiply(_windows_of_all(lowered, oh, kh, sh), kernel, products, columns.pieces)
        result[...] = products.reshape(oh, n, -1, f).transpose(1, 0, 2, 3)
    else:
        if block > 1:
            result = result.reshape(n, oh, blocks, block * f)
        multiply(_windows(lowered, oh, kh, sh), kernel, result, columns.pieces)


def correlate_weight(x: Array, g: Array, plan: Plan) -> Array:
    """The transpose of correlate in its kernel, for contiguous, framed images: ``(KH, KW, C, F)``."""
    (kh, kw), (_, sw), c = plan.geometry.size, plan.geometry.stride, x.shape[3]
    f = g.shape[3]

    def part(columns: Columns) -> Array:
        target = g[:, :, columns.first : columns.stop]
        if columns.together:
            wide = _weight_of_all(_strips(x, columns, plan), target, plan)
        else:
            wide = _weight_by_taps(x, target, columns, plan)
        return _unblocked(wide.reshape(kh, -1, c, columns.block, f), kw, sw)

    first, *others = map(part, plan.columns)
    return sum(others, start=first)


def _weight_of_all(lowered: Array, g: Array, plan: Plan) -> Array:
    """One product for each row of the result, of all images together, and their sum: ``(KH width C, B F)``."""
    n, oh, ow, f = g.shape
    right = empty((oh, n, ow, f), g.dtype)
    right[...] = g.transpose(1, 0, 2, 3)
    right = right.reshape(oh, n * lowered.shape[1], -1)
    left = _windows_of_all(lowered, oh, plan.geometry.size[0], plan.geometry.stride[0])
    return sum_of_products(left.transpose(0, 2, 1), right)


def _weight_by_taps(x: Array, g: Array, columns: Columns, plan: Plan) -> Array:
    """One product for each image and each row of the kernel, and their sum: ``(KH, width C, B F)``.

    Here runs of pixels are lowered row by row, so that all windows of an image are one matrix. The kernel's row a
    meets the image's rows i s + a. Those of one remainder r = a mod s are lowered together: for a = r + t s, the
    matrix begins t rows further down.
    """
    (kh, kw), (sh, sw) = plan.geometry.size, plan.geometry.stride
    n, oh, _, f = g.shape
    starts, width = _starts(columns, sw), (columns.block - 1) * sw + kw
    pixels, run, filters = oh * len(starts), width * x.shape[3], columns.block * f
    right = g.reshape(n, pixels, filters)
    total = np.zeros((kh, run, filters), x.dtype)
    for r in range(min(sh, kh)):
        taps = -(-(kh - r) // sh)
        lowered = runs(x, width, range(r, r + sh * (oh + taps - 1), sh), starts)  # (N, OH + taps - 1, OW/B, width C)
        sn, si, sj, sc = lowered.strides
        left: Array = np.ndarray((taps, n, run, pixels), x.dtype, lowered, 0, (si, sn, sc, sj))
        products = empty((taps, n, run, filters), x.dtype)
        for some in cut(0, pixels, columns.pixels):
            multiply(left[..., some], right[:, some], products, columns.pieces)
            total[r::sh] += products.sum(axis=1)
    return total


def _windows(lowered: Array, oh: int, kh: int, step: int) -> Array:
    """A matrix for each row of each image: ``(N, OH, OW/B, KH width C)``, of strips ``(N, OW/B, H, width C)``."""
    n, blocks, _, run = lowered.shape
    sn, sj, si, sc = lowered.strides
    return np.ndarray((n, oh, blocks, kh * run), lowered.dtype, lowered, 0, (sn, si * step, sj, sc))


def _windows_of_all(lowered: Array, oh: int, kh: int, step: int) -> Array:
    """A matrix for each row of all images: ``(OH, N OW/B, KH width C)``, of strips ``(N, OW/B, H, width C)``."""
    n, blocks, _, run = lowered.shape
    _, sj, si, sc = lowered.strides
    return np.ndarray((oh, n * blocks, kh * run), lowered.dtype, lowered, 0, (si * step, sj, sc))


def _strips(x: Array, columns: Columns, plan: Plan) -> Array:
    """The strips of these columns' windows: ``(N, OW/B, H, width C)``."""
    sw = plan.geometry.stride[1]
    return strips(x, (columns.block - 1) * sw + plan.geometry.size[1], _starts(columns, sw))


def _starts(columns: Columns, stride: int) -> range:
    """Where the blocks of these columns of the result begin in a row of the image."""
    return range(columns.first * stride, columns.stop * stride, columns.block * stride)


def _blocked(w: Array, block: int, step: int) -> Array:
    """The kernel ``block`` times, each shifted by ``step`` more pixels: ``(KH, KW + (B - 1) step, C, B, F)``."""
    kh, kw, c, f = w.shape
    if block == 1:
        return np.ascontiguousarray(w)
    wide = np.zeros((kh, kw + (block - 1) * step, c, block, f), w.dtype)
    for b in range(block):
        wide[:, b * step : b * step + kw, :, b] = w
    return wide


def _unblocked(wide: Array, kw: int, step: int) -> Array:
    """The transpose of _blocked: the sum of the kernels in it, ``(KH, KW, C, F)``."""
    total = wide[:, :kw, :, 0].copy()
    for b in range(1, wide.shape[3]):
        total += wide[:, b * step : b * step + kw, :, b]
    return total
