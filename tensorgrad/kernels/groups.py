"""Convolution in groups: each group of channels is a convolution of its own, by the lowering that its shape gets.

The lowerings want whole pixels. So the groups of a tile of images are first copied apart, and their results together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels import full, pixels, shifted, strips, winograd
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.plan import Plan

ALONE: dict[str, Any] = {
    "pixels": pixels,
    "strips": strips,
    "winograd": winograd,
    "shifted": shifted,
    "full": full,
}


def correlate(x: Array, w: Array, y: Array, plan: Plan) -> None:
    """Write the convolution of framed images into ``y``: ``(N, OH, OW, F)``, which may be strided."""
    each, groups = plan.of_group, plan.geometry.groups
    results = empty((groups, *y.shape[:3], each.geometry.filters), x.dtype)
    for images, kernels, result in zip(_apart(x, groups), _apart(w, groups), results, strict=True):
        ALONE[each.lowering].correlate(images, kernels, result, each)
    for group, result in enumerate(results):
        y[..., group * result.shape[3] : (group + 1) * result.shape[3]] = result


def correlate_weight(x: Array, g: Array, plan: Plan) -> Array:
    """The transpose of correlate in its kernels: ``(KH, KW, C / groups, F)``."""
    each, groups = plan.of_group, plan.geometry.groups
    pairs = zip(_apart(x, groups), _apart(g, groups), strict=True)
    return np.concatenate([ALONE[each.lowering].correlate_weight(*pair, each) for pair in pairs], axis=3)


def _apart(x: Array, groups: int) -> Array:
    """The groups of the last axis, each in one piece: ``(groups, ..., C / groups)``."""
    apart = empty((groups, *x.shape[:-1], x.shape[-1] // groups), x.dtype)
    np.copyto(apart, np.moveaxis(x.reshape(*x.shape[:-1], groups, -1), -2, 0))
    return apart
