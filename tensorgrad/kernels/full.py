"""Convolution over full im2col: any dilation, any number of groups.

The windows of a tile of images are copied as one matrix per group, and multiplied as a stack: each group of channels
is a convolution of its own. The copy is KH KW times the images, channel by channel where groups are small.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tensorgrad.kernels.lowering import windows
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.plan import Plan


def correlate(x: Array, w: Array, y: Array, plan: Plan) -> None:
    """Write the convolution of framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    kh, kw, cg, f = w.shape
    groups = plan.geometry.groups
    kernels = w.reshape(kh * kw * cg, groups, f // groups).transpose(1, 0, 2)  # (G, KH KW C/G, F/G)
    cols = _lowered(x, plan)  # (G, N OH OW, KH KW C/G)
    if y.flags.c_contiguous:
        np.matmul(cols, kernels, out=_by_group(y, groups))
    else:
        y[...] = np.matmul(cols, kernels).transpose(1, 0, 2).reshape(y.shape)


def correlate_weight(x: Array, g: Array, plan: Plan) -> Array:
    """The transpose of correlate in its kernels: ``(KH, KW, C / groups, F)``."""
    size, groups = plan.geometry.size, plan.geometry.groups
    cols = _lowered(x, plan)  # (G, N OH OW, KH KW C/G)
    w = np.matmul(cols.transpose(0, 2, 1), _by_group(np.ascontiguousarray(g), groups))  # (G, KH KW C/G, F/G)
    return np.ascontiguousarray(w.transpose(1, 0, 2)).reshape(*size, x.shape[3] // groups, g.shape[3])


def _lowered(x: Array, plan: Plan) -> Array:
    _, size, _, stride, dilation, groups, _ = plan.geometry
    view = windows(x, size, stride, dilation)
    n, oh, ow, kh, kw, c = view.shape
    *outer, sc = view.strides
    cols = empty((groups, n, oh, ow, kh, kw, c // groups), x.dtype)
    np.copyto(cols, as_strided(view, cols.shape, (sc * (c // groups), *outer, sc), writeable=False))
    return cols.reshape(groups, n * oh * ow, kh * kw * (c // groups))


def _by_group(y: Array, groups: int) -> Array:
    """A view ``(G, N OH OW, F/G)`` of contiguous images."""
    n, oh, ow, f = y.shape
    return y.reshape(n * oh * ow, groups, f // groups).transpose(1, 0, 2)
