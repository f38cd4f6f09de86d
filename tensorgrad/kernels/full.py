"""Convolution over full im2col: one matrix product for all windows of a tile, of any geometry.

The windows are copied, KH KW times the images with stride 1. With one or two channels the matrix is written transposed,
tap by tap, in runs along the rows of images: 32 images of 40 x 40 x 1 to 16 filters take 0.65 of the time of strips,
and 1.05 window by window.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.lowering import NO_FRAME, im2col, taps
from tensorgrad.kernels.memory import Array
from tensorgrad.kernels.plan import FEW_CHANNELS, Plan


def correlate(x: Array, w: Array, y: Array, plan: Plan) -> None:
    """Write the convolution of framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    kernels = w.reshape(-1, w.shape[3])  # (KH KW C, F)
    cols = _lowered(x, plan)  # (N OH OW, KH KW C)
    if y.flags.c_contiguous:
        np.matmul(cols, kernels, out=y.reshape(-1, y.shape[3]))
    else:
        y[...] = np.matmul(cols, kernels).reshape(y.shape)


def correlate_weight(x: Array, g: Array, plan: Plan) -> Array:
    """The transpose of correlate in its kernels: ``(KH, KW, C, F)``."""
    products: Array = _lowered(x, plan).T @ np.ascontiguousarray(g).reshape(-1, g.shape[3])
    return products.reshape(*plan.geometry.size, x.shape[3], g.shape[3])


def _lowered(x: Array, plan: Plan) -> Array:
    _, size, _, stride, dilation, *_ = plan.geometry
    if x.shape[3] <= FEW_CHANNELS:
        return taps(x, size, stride, dilation).T
    return im2col(x, size, stride, NO_FRAME, dilation)
