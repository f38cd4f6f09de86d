"""Convolution over full im2col, for any dilation.

The windows of a tile of images are copied as one matrix: KH KW times the images.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.lowering import NO_FRAME, im2col
from tensorgrad.kernels.memory import Array
from tensorgrad.kernels.plan import Plan


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
    return im2col(x, plan.geometry.size, plan.geometry.stride, NO_FRAME, plan.geometry.dilation)
