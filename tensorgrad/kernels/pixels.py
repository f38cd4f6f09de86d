"""Convolution with kernels of one pixel and stride 1: images are matrices of pixels already, and nothing is copied."""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.matrix import multiply
from tensorgrad.kernels.memory import Array
from tensorgrad.kernels.plan import Plan


def correlate(x: Array, w: Array, y: Array, plan: Plan) -> None:
    """Write the convolution of contiguous, framed images into ``y``, contiguous: ``(N, OH, OW, F)``."""
    (columns,) = plan.columns
    multiply(
        _matrices(x, columns.together),
        np.ascontiguousarray(w[0, 0]),
        _matrices(y, columns.together),
        columns.pieces,
    )


def correlate_weight(x: Array, g: Array, plan: Plan) -> Array:
    """The transpose of correlate in its kernel: ``(1, 1, C, F)``."""
    (columns,) = plan.columns
    left, right = (_matrices(a, columns.together) for a in (x, np.ascontiguousarray(g)))
    total: Array = np.matmul(left.transpose(0, 2, 1), right).sum(axis=0)
    return total[None, None]


def _matrices(x: Array, together: bool) -> Array:
    """One for all images, ``(1, N H W, C)``, or one for each, ``(N, H W, C)``."""
    n, h, w, c = x.shape
    return x.reshape((1, n * h * w, c) if together else (n, h * w, c))
