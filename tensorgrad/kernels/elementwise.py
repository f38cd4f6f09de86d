"""Bias and ReLU beside a convolution, where each pass over the images counts.

NumPy's inner loop runs over the last axis if another operand is stretched along the others, and a handful of channels
is too short for it. So a bias is first repeated to the length of a row of pixels: 0.04 against 0.11 ms for 32 images of
26 x 26 x 8. The sum over pixels is a product with ones: 0.015 against 0.33 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import PASS, over_batch

TILE = 1 << 20  # bytes of an operand for one tile


def add_bias_relu_(y: Array, b: Array | None, relu: bool) -> None:
    """Add a number for each channel to ``y``, contiguous and of shape ``(N, OH, OW, F)``, then cut off below 0."""
    n, oh, ow, f = y.shape
    rows = y.reshape(n, oh, ow * f)
    if b is not None:
        np.add(rows, np.tile(b, ow), out=rows)
    if relu:
        np.clip(rows, 0, np.inf, out=rows)


def relu(x: Array) -> Array:
    """The larger of ``x`` and 0, NaN for NaN. NumPy has a fast loop for clip, but not for maximum by a number."""
    if x.dtype.kind != "f":
        return np.maximum(x, 0)  # type: ignore[no-any-return]
    out = empty(x.shape, x.dtype)

    def tile(some: slice) -> None:
        np.clip(x[some], 0, np.inf, out=out[some])

    over_first_axis(tile, x)
    return out


def where_positive(g: Array, y: Array) -> Array:
    """``g`` where ``y``, of the same shape, is above 0, else 0: what a ReLU makes of a gradient."""
    out = empty(g.shape, g.dtype)

    def tile(some: slice) -> None:
        above = empty(y[some].shape, bool)
        np.greater(y[some], 0, out=above)
        np.multiply(g[some], above, out=out[some])

    over_first_axis(tile, g)
    return out


def over_first_axis(tile: Callable[[Any], None], x: Array) -> None:
    """Call a function with slices of an array's first axis; with ``...`` if it has none."""
    if x.ndim:
        over_batch(tile, len(x), TILE // max(x[:1].nbytes, 1), x[:1].size * PASS)
    else:
        tile(...)


def channel_sums(g: Array) -> Array:
    """The sum over all axes but the last: ``(F,)``, the gradient of a bias."""
    rows = g.reshape(prod(g.shape[:-1]), g.shape[-1])
    sums: Array = np.ones(len(rows), g.dtype) @ rows
    return sums
