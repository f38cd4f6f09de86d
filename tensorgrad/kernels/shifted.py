"""Convolution with few filters: every pixel times every tap, shifted and added up. There are no windows at all.

A lowering copies windows of KH KW C numbers, and BLAS packs them once more; where they make three results, that is most
of the time. Here the framed images are the matrix, as they are. One product gives a row for each tap and filter::

    tap 0 0    a a a a ...      the pixels, one image after the other, row by row
    tap 0 1      b b b b ...    shifted by one pixel
    tap 1 0            c c ...  shifted by a row of pixels
    result     the sums of the columns, where a window begins

What does not begin a window, at the right and the lower edge of an image, is left out as the sums are copied. This is
kn2row, by Anderson and others, "Low-memory GEMM-based convolution algorithms for deep neural networks", 2017.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.plan import Plan


def correlate(x: Array, w: Array, y: Array, _plan: Plan) -> None:
    """Write the convolution of contiguous, framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    kh, kw, c, f = w.shape
    n, h, width, _ = x.shape
    _, oh, ow, _ = y.shape
    pixels = n * h * width
    taps = np.ascontiguousarray(w.transpose(0, 1, 3, 2)).reshape(-1, c)  # (KH KW F, C)
    products = empty((kh, kw, f, pixels), x.dtype)
    np.matmul(taps, x.reshape(pixels, c).T, out=products.reshape(-1, pixels))
    windows = pixels - (kh - 1) * width - (kw - 1)  # those that begin at a pixel and end before the last one
    total = products[0, 0]  # (F, N H W)
    sums = total[:, :windows]
    for i, j in product(range(kh), range(kw)):
        if i or j:
            start = i * width + j
            sums += products[i, j, :, start : start + windows]
    y[...] = total.reshape(f, n, h, width)[:, :, :oh, :ow].transpose(1, 2, 3, 0)
