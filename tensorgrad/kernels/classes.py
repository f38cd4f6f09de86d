"""Softmax over the classes in the last axis; cross-entropy and its gradient by the logits: tiles of rows.

NumPy reduces a short last axis slowly, with one call of its inner loop per row. So sums over classes are products with
ones, and the maximum over few classes is taken column by column: for 32,768 rows of 4 classes these take 0.06 and
0.11 ms, against 0.7 and 1.5 ms along the rows.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.elementwise import all_finite
from tensorgrad.kernels.memory import Array, empty, ones
from tensorgrad.kernels.threads import over_first_axis

FEW = 32  # classes up to which the maximum is taken column by column


def softmax_(y: Array) -> None:
    """``e^y / sum(e^y)`` over the last axis, in place: 10 classes of one sample take 5 us, and 23 as an operation."""
    np.subtract(y, np.maximum.reduce(y, axis=-1, keepdims=True), out=y)
    np.exp(y, out=y)
    np.divide(y, np.add.reduce(y, axis=-1, keepdims=True), out=y)


def cross_entropy(logits: Array, target: Array) -> Array:
    """``-sum(target log softmax(logits))`` over the last axis: ``(..., C)`` to ``(...)``."""
    z, t = _rows(logits), _rows(target)
    out = empty(z.shape[:1], np.result_type(z, t))

    def tile(some: slice) -> None:
        shifted, wanted = _shifted(z[some]), t[some]
        logarithms = np.log(_sums(np.exp(shifted, out=empty(shifted.shape, shifted.dtype))))
        surprise = logarithms * _sums(wanted) - np.einsum("ij,ij->i", wanted, shifted)
        if not all_finite(surprise):  # a masked class has the logit -inf; 0 times its surprise is 0
            surprise = (wanted * np.where(wanted == 0, 0, logarithms[:, None] - shifted)).sum(axis=-1)
        out[some] = surprise

    over_first_axis(tile, z, passes=20)
    return out.reshape(logits.shape[:-1])


def cross_entropy_logits(g: Array, logits: Array, target: Array) -> Array:
    """``g (softmax(logits) sum(target) - target)``: the gradient of cross_entropy by the logits, ``(..., C)``."""
    z, t, outer = _rows(logits), _rows(target), g.reshape(-1)
    out = empty(z.shape, np.result_type(z, t, outer))

    def tile(some: slice) -> None:
        part, wanted, scale = out[some], t[some], outer[some]
        np.exp(_shifted(z[some]), out=part)
        part *= (scale * _sums(wanted) / _sums(part))[:, None]
        part -= np.multiply(wanted, scale[:, None], out=empty(part.shape, part.dtype))

    over_first_axis(tile, z, passes=20)
    return out.reshape(logits.shape)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _shifted(z: Array) -> Array:
    """Rows minus the maximum of each, so that exponentials do not overflow."""
    if z.shape[-1] <= FEW:
        largest: Array = np.maximum.reduce(np.ascontiguousarray(z.T), axis=0)[:, None]
    else:
        largest = z.max(axis=-1, keepdims=True)
    shifted = empty(z.shape, z.dtype)
    np.subtract(z, largest, out=shifted)
    return shifted


def _sums(rows: Array) -> Array:
    sums: Array = rows @ ones(rows.shape[-1], rows.dtype)
    return sums
