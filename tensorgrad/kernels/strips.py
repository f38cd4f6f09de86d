"""Convolution over strips: one copy of the images, KW times their size, and stacks of matrix products.

Strips are drawn in :mod:`tensorgrad.kernels.lowering`. They are a matrix of windows for each row of the result, either
of one image or of all images *together*, without another copy. The first suits a BLAS that multiplies small matrices
as they are: each product is written to its place in the result. Where they are low or narrow, or where BLAS copies
what it multiplies, large products are worth that their rows must be copied to their places.

Two windows that lie side by side can share a wider strip: this *block* of B = 2 windows is one row of a matrix product
with B F columns, by a matrix that holds the kernel B times, each a pixel further down, among zeros::

    kernel a b c, block of 2:       a .
                                    b a
                                    c b
                                    . c

That is (B + KW - 1) / KW times the arithmetic. It pays where so few numbers meet that a vector register is half empty:
28 x 28 x 1 to 8 filters 0.05 against 0.10 ms, 26 x 26 x 4 to 8 filters 0.11 against 0.22 ms (32 images). Zero times
infinity is NaN, so images that hold a number that is not finite are convolved window by window.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.elementwise import all_finite
from tensorgrad.kernels.lowering import Pair, runs, strips
from tensorgrad.kernels.matrix import is_small, multiply, sum_of_products
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import cut

VECTOR = 64  # bytes of a vector register
PIXELS = 512  # of the result, in one product for a kernel's gradient; the sum over more products costs a few percent


def correlate(x: Array, w: Array, y: Array, stride: Pair) -> None:
    """Write the convolution of contiguous, framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    kh, kw, c, f = w.shape
    ow = y.shape[2]
    if kh == kw == 1 and stride == (1, 1) and y.flags.c_contiguous:  # every pixel is a window: nothing to copy
        multiply(_pixels(x), np.ascontiguousarray(w[0, 0]), _pixels(y))
        return
    block = _block(kw * c, f, y)
    if block > 1 and not all_finite(x):
        block = 1
    whole = ow - ow % block
    _correlate_columns(x, w, y[:, :, :whole], 0, block, stride)
    if whole < ow:
        _correlate_columns(x, w, y[:, :, whole:], whole, 1, stride)


def _pixels(x: Array) -> Array:
    """Contiguous images as matrices of pixels: one for each, or one for all if BLAS likes large products better."""
    n, h, w, c = x.shape
    return x.reshape((n, h * w, c) if blas.multiplies_small_matrices_as_they_are() else (1, n * h * w, c))


def _correlate_columns(x: Array, w: Array, y: Array, first: int, block: int, stride: Pair) -> None:
    """Convolve, for the columns of the result from ``first`` on, in blocks of one width."""
    kh, kw, c, f = w.shape
    n, oh, ow, _ = y.shape
    sh, sw = stride
    blocks, width = ow // block, (block - 1) * sw + kw
    k, filters = kh * width * c, block * f
    lowered = strips(x, width, _starts(first, blocks, block, sw))
    kernel = _blocked(w, block, sw).reshape(k, filters)
    if _together(blocks, k, filters * y.itemsize):
        products = empty((oh, n * blocks, filters), x.dtype)
        multiply(_windows_of_all(lowered, oh, kh, sh), kernel, products)
        y[...] = products.reshape(oh, n, ow, f).transpose(1, 0, 2, 3)
    else:
        windows = _windows(lowered, oh, kh, sh)
        multiply(windows, kernel, y if block == 1 else y.reshape(n, oh, blocks, filters))


def correlate_weight(x: Array, g: Array, size: Pair, stride: Pair) -> Array:
    """The transpose of correlate in its kernel, for contiguous, framed images: ``(KH, KW, C, F)``."""
    ow, f = g.shape[2:]
    if size == stride == (1, 1):
        products = np.matmul(_pixels(x).transpose(0, 2, 1), _pixels(np.ascontiguousarray(g)))
        total: Array = products.sum(axis=0)
        return total[None, None]
    block = _block(size[1] * x.shape[3], f, g)
    whole = ow - ow % block
    total = _weight_columns(x, g[:, :, :whole], 0, block, size, stride)
    if whole < ow:
        total += _weight_columns(x, g[:, :, whole:], whole, 1, size, stride)
    return total


def _weight_columns(x: Array, g: Array, first: int, block: int, size: Pair, stride: Pair) -> Array:
    """The part that the columns of the result from ``first`` on have in the gradient by the kernel."""
    (kh, kw), (_, sw) = size, stride
    c = x.shape[3]
    n, oh, ow, f = g.shape
    blocks, width = ow // block, (block - 1) * sw + kw
    starts = _starts(first, blocks, block, sw)
    if _together(blocks, kh * width * c, block * f * g.itemsize):
        total = _weight_of_all(x, g, width, kh, starts, stride[0])
    else:
        total = _weight_by_taps(x, g.reshape(n, oh * blocks, block * f), width, kh, starts, stride[0])
    return _unblocked(total.reshape(kh, width, c, block, f), kw, sw)


def _weight_of_all(x: Array, g: Array, width: int, kh: int, starts: range, step: int) -> Array:
    """One product for each row of the result, of all images together, and their sum: ``(KH width C, B F)``."""
    n, oh, ow, f = g.shape
    right = empty((oh, n, ow, f), g.dtype)
    right[...] = g.transpose(1, 0, 2, 3)
    right = right.reshape(oh, n * len(starts), -1)
    left = _windows_of_all(strips(x, width, starts), oh, kh, step).transpose(0, 2, 1)
    return sum_of_products(left, right)


def _weight_by_taps(x: Array, right: Array, width: int, kh: int, starts: range, step: int) -> Array:
    """One product for each image and each row of the kernel, and their sum: ``(KH, width C, B F)``.

    Here runs of pixels are lowered row by row, so that all windows of an image are one matrix. The kernel's row a
    meets the image's rows i s + a. Those of one remainder r = a mod s are lowered together: for a = r + t s, the
    matrix begins t rows further down.
    """
    n, pixels, filters = right.shape
    c, oh = x.shape[3], pixels // len(starts)
    total = np.zeros((kh, width * c, filters), x.dtype)
    for r in range(min(step, kh)):
        taps = -(-(kh - r) // step)
        rows = range(r, r + step * (oh + taps - 1), step)
        lowered = runs(x, width, rows, starts)  # (N, OH + taps - 1, OW/B, width C)
        sn, si, sj, sc = lowered.strides
        left: Array = np.ndarray((taps, n, width * c, pixels), x.dtype, lowered, 0, (si, sn, sc, sj))
        products = empty((taps, n, width * c, filters), x.dtype)
        for some in cut(0, pixels, pixels if is_small(width * c, pixels, filters) else PIXELS):
            multiply(left[..., some], right[:, some], products)
            total[r::step] += products.sum(axis=1)
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


def _starts(first: int, blocks: int, block: int, stride: int) -> range:
    """Where, along a row of the image, the blocks from the result's column ``first`` on begin."""
    return range(first * stride, (first + blocks * block) * stride, block * stride)


def _block(run: int, filters: int, y: Array) -> int:
    """How many windows to take side by side: two where filters are few, or both sides of the product short, else one.

    With longer runs, 26 x 26 x 16 to 8 filters, two by two are no faster than one by one: 0.92 against 0.88 ms.
    """
    short = max(run, 2 * filters) * y.itemsize <= VECTOR
    few = filters * y.itemsize < VECTOR // (3 if blas.multiplies_small_matrices_as_they_are() else 2)
    return 2 if (short or few) and y.shape[2] > 1 and y.flags.c_contiguous else 1


def _together(blocks: int, k: int, width: int) -> bool:
    """Whether to multiply the windows of all images at once; ``width`` is that of a product, in bytes.

    Where BLAS has kernels for small matrices, that pays for those that are low (10 x 10 windows of 5 x 5 x 6, 16
    filters: 0.10 against 0.15 ms) or narrow (26 x 26 x 8 to 4 filters: 0.12 against 0.19 ms). Otherwise it always
    does: 16 x 16 x 64 to 64 filters run at 112 GFLOP/s against 90.
    """
    low, narrow = blocks < 16 and k >= 64, 2 * width <= VECTOR
    return low or narrow or not blas.multiplies_small_matrices_as_they_are()


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
