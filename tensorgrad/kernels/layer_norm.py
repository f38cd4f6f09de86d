"""Layer normalization over the last axis, and its gradients, tile by tile while a tile is in the cache."""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import over_first_axis


def layer_norm(x: Array, w: Array, b: Array, eps: float) -> Array:
    """``z w + b`` with ``z = (x - mean) / sqrt(var + eps)``, both of each row: the last axis, of C numbers."""
    rows = _rows(x)
    out = empty(rows.shape, x.dtype)

    def tile(some: slice) -> None:
        part = out[some]
        _standardize(rows[some], eps, part)
        part *= w
        part += b

    over_first_axis(tile, rows, passes=6)
    return out.reshape(x.shape)


def layer_norm_gradients(g: Array, x: Array, w: Array, eps: float) -> tuple[Array, Array, Array]:
    """The gradients by x, w and b.

    They are ``(h - mean(h) - z mean(h z)) / s`` with ``h = g w``, and the sums of ``g z`` and of ``g`` over the rows.
    """
    left, rows = _rows(g), _rows(x)
    out = empty(rows.shape, x.dtype)

    def tile(some: slice) -> Array:
        part, given = out[some], left[some]
        z = empty(part.shape, x.dtype)
        inverse = _standardize(rows[some], eps, z)
        sums = np.stack([np.einsum("ij,ij->j", given, z), np.ones(len(given), x.dtype) @ given])
        np.multiply(given, w, out=part)
        mean, along = _means(part), np.einsum("ij,ij->i", part, z) / x.shape[-1]
        z *= along[:, np.newaxis]
        part -= z
        part -= mean[:, np.newaxis]
        part *= inverse[:, np.newaxis]
        return sums

    by_w, by_b = sum(over_first_axis(tile, rows, passes=12), start=np.zeros((2, x.shape[-1]), x.dtype))
    return out.reshape(x.shape), by_w, by_b


def _standardize(rows: Array, eps: float, out: Array) -> Array:
    """Write z into ``out``; return ``1 / s`` of each row, ``(M,)``."""
    np.subtract(rows, _means(rows)[:, np.newaxis], out=out)
    inverse: Array = (np.einsum("ij,ij->i", out, out) / rows.shape[1] + eps) ** -0.5
    out *= inverse[:, np.newaxis]
    return inverse


def _means(rows: Array) -> Array:
    means: Array = rows @ np.full(rows.shape[1], 1 / rows.shape[1], rows.dtype)
    return means


def _rows(x: Array) -> Array:
    return x.reshape(x.size // x.shape[-1], x.shape[-1])
