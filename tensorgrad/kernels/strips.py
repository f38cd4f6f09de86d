"""Convolution over strips: one copy of the images, KW times their size, and one stack of matrix products.

Strips are drawn in :mod:`tensorgrad.kernels.lowering`. Two windows that lie side by side can share a wider strip: this
*block* of B = 2 windows is one row of a matrix product with B F columns, by a matrix that holds the kernel B times,
each a pixel further down, among zeros::

    kernel a b c, block of 2:       a .
                                    b a
                                    c b
                                    . c

That is (B + KW - 1) / KW times the arithmetic. It pays where so few numbers meet that a vector register is half empty:
28 x 28 x 1 to 8 filters 0.09 against 0.17 ms, 26 x 26 x 4 to 8 filters 0.19 against 0.35 ms (32 images). Zero times
infinity is NaN, so images that hold a number that is not finite are convolved window by window.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.lowering import Pair, runs, strips
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import cut

VECTOR = 64  # bytes of a vector register
# OpenBLAS takes matrices of up to this many multiply-adds as they are, and others only after copying them. So large
# products are cut: 16 x 1152 by 1152 x 128 runs at 104 GFLOP/s in pieces of 64 columns, and at 74 in one.
SMALL_PRODUCT = 1_000_000
PIXELS = 512  # of the result, in one product for a kernel's gradient; the sum over more products costs a few percent


def correlate(x: Array, w: Array, y: Array, stride: Pair) -> None:
    """Write the convolution of contiguous, framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    kh, kw, c, f = w.shape
    n, oh, ow, _ = y.shape
    if kh == kw == 1 and stride == (1, 1) and y.flags.c_contiguous:  # every pixel is a window: nothing to copy
        _multiply(x.reshape(n, oh * ow, c), np.ascontiguousarray(w[0, 0]), y.reshape(n, oh * ow, f))
        return
    block = _block(kw * c, f, y)
    if block > 1 and not _all_finite(x):
        block = 1
    whole = ow - ow % block
    _correlate_columns(x, w, y[:, :, :whole], 0, block, stride)
    if whole < ow:
        _correlate_columns(x, w, y[:, :, whole:], whole, 1, stride)


def _correlate_columns(x: Array, w: Array, y: Array, first: int, block: int, stride: Pair) -> None:
    """Convolve, for the columns of the result from ``first`` on, in blocks of one width."""
    kh, kw, c, f = w.shape
    n, oh, ow, _ = y.shape
    sh, sw = stride
    blocks, width = ow // block, (block - 1) * sw + kw
    lowered = strips(x, width, _starts(first, blocks, block, sw))  # (N, OW/B, H, width C)
    sn, sj, si, sc = lowered.strides
    windows: Array = np.ndarray(  # a view of the strips, of matrices that overlap
        (n, oh, blocks, kh * width * c), x.dtype, lowered, 0, (sn, si * sh, sj, sc)
    )
    kernel = _blocked(w, block, sw).reshape(kh * width * c, block * f)
    _multiply(windows, kernel, y if block == 1 else y.reshape(n, oh, blocks, block * f))


def correlate_weight(x: Array, g: Array, size: Pair, stride: Pair) -> Array:
    """The transpose of correlate in its kernel, for contiguous, framed images: ``(KH, KW, C, F)``."""
    ow, f = g.shape[2:]
    block = _block(size[1] * x.shape[3], f, g)
    whole = ow - ow % block
    total = _weight_columns(x, g[:, :, :whole], 0, block, size, stride)
    if whole < ow:
        total += _weight_columns(x, g[:, :, whole:], whole, 1, size, stride)
    return total


def _weight_columns(x: Array, g: Array, first: int, block: int, size: Pair, stride: Pair) -> Array:
    """The part that the columns of the result from ``first`` on have in the gradient by the kernel.

    Here runs of pixels are lowered row by row, so that all windows of an image are one matrix. The kernel's row a
    meets the image's rows i s + a. Those of one remainder r = a mod s are lowered together: for a = r + t s, the
    matrix begins t rows further down.
    """
    (kh, kw), (sh, sw) = size, stride
    c = x.shape[3]
    n, oh, ow, f = g.shape
    blocks, width = ow // block, (block - 1) * sw + kw
    right = np.ascontiguousarray(g).reshape(n, oh * blocks, block * f)
    total = np.zeros((kh, width * c, block * f), x.dtype)
    for r in range(min(sh, kh)):
        taps = -(-(kh - r) // sh)
        rows = range(r, r + sh * (oh + taps - 1), sh)
        lowered = runs(x, width, rows, _starts(first, blocks, block, sw))  # (N, OH + taps - 1, OW/B, width C)
        sn, si, sj, sc = lowered.strides
        left: Array = np.ndarray((taps, n, width * c, oh * blocks), x.dtype, lowered, 0, (si, sn, sc, sj))
        products = empty((taps, n, width * c, block * f), x.dtype)
        small = width * c * oh * blocks * block * f <= SMALL_PRODUCT
        for some in cut(0, oh * blocks, oh * blocks if small else PIXELS):
            _multiply(left[..., some], right[:, some], products)
            total[r::sh] += products.sum(axis=1)
    return _unblocked(total.reshape(kh, width, c, block, f), kw, sw)


def _multiply(a: Array, b: Array, out: Array) -> None:
    """np.matmul for stacks of matrices, in pieces that are small products."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    if m * k * n <= SMALL_PRODUCT:
        np.matmul(a, b, out=out)
        return
    for columns in cut(0, n, 64):
        for rows in cut(0, m, SMALL_PRODUCT // (k * min(n, 64))):
            np.matmul(a[..., rows, :], b[..., columns], out=out[..., rows, columns])


def _starts(first: int, blocks: int, block: int, stride: int) -> range:
    """Where, along a row of the image, the blocks from the result's column ``first`` on begin."""
    return range(first * stride, (first + blocks * block) * stride, block * stride)


def _block(run: int, filters: int, y: Array) -> int:
    """How many windows to take side by side: two where both sides of the product are short, else one.

    With longer runs, 26 x 26 x 16 to 8 filters, two by two are no faster than one by one: 0.92 against 0.88 ms.
    """
    short = max(run, 2 * filters) * y.itemsize <= VECTOR
    return 2 if short and y.shape[2] > 1 and y.flags.c_contiguous else 1


def _all_finite(x: Array) -> bool:
    """Whether all numbers are finite, by their sum of squares; if that overflows, False is on the safe side."""
    flat = x.reshape(-1)
    return bool(np.isfinite(np.dot(flat, flat)))


def _blocked(w: Array, block: int, step: int) -> Array:
    """The kernel ``block`` times, each ``step`` pixels further: ``(KH, KW + (B - 1) step, C, B, F)``."""
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
