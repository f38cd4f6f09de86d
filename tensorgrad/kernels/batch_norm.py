"""Batch normalization and its gradients: each number of an image is read as seldom as NumPy allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.channels import dots, repeated, rows_of, sums_and_dots, total
from tensorgrad.kernels.elementwise import InPlace
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import over_first_axis

CANCELLED = 16.0  # a mean square is at most so many times the variance, or the latter is summed up by itself


class Moments(NamedTuple):
    """The mean and the variance of each channel, both ``(C,)``.

    Where they are those of a larger batch, of which an array is one part, `averaged` makes sums over the part means
    over the batch.
    """

    mean: Array
    variance: Array
    averaged: Callable[[Array], Array] | None = None


def moments(x: Array) -> Moments:
    """The mean and the variance of each channel, both ``(C,)``, in one sweep over memory.

    The variance is the mean square less the square of the mean. Only where that leaves too few digits, numbers are
    centered first, in a second sweep.
    """
    if x.dtype.char == "e":  # float16, whose sums overflow
        wide = moments(x.astype(np.float32))
        return Moments(wide.mean.astype(x.dtype), wide.variance.astype(x.dtype))
    rows, channels = rows_of(x), x.shape[-1]

    def tile(some: slice) -> Array:
        return sums_and_dots(rows[some], rows[some], channels)

    pixels = x.size // channels
    mean, square = total(tile, rows, passes=3) / pixels
    with np.errstate(over="ignore", invalid="ignore"):  # the comparison is false then
        variance = square - mean * mean
        near = square <= CANCELLED * variance
    if near.all():
        return Moments(mean, variance)
    middle = repeated(mean, rows)

    def centered_tile(some: slice) -> Array:
        part = _centered(rows[some], middle)
        return sums_and_dots(part, part, channels)

    rest, square = total(centered_tile, rows, passes=3) / pixels
    return Moments(mean + rest, np.maximum(square - rest * rest, 0))


def batch_norm(x: Array, w: Array, b: Array, known: Moments, eps: float, activation: InPlace | None) -> Array:
    """``(x - mean) / sqrt(var + eps) w + b``, computed as ``x scale + shift``, and then an activation."""
    rows = rows_of(x)
    numbers = w * _inverse_deviation(known, eps)
    scale, shift = repeated(numbers, rows), repeated(b - known.mean * numbers, rows)
    out = empty(rows.shape, x.dtype)

    def tile(some: slice) -> None:
        part = out[some]
        np.multiply(rows[some], scale, out=part)
        part += shift
        if activation is not None:
            activation(part)

    over_first_axis(tile, rows, passes=2)
    return out.reshape(x.shape)


def batch_norm_gradients(g: Array, x: Array, w: Array, known: Moments, eps: float) -> tuple[Array, Array, Array]:
    """The gradients of batch_norm by its input, its scale and its shift, which share a sweep over memory.

    With ``z = (x - mean) / s``, they are ``w / s (g - mean(g) - z mean(g z))``, ``sum(g z)`` and ``sum(g)``. The first
    is computed as ``(g - x along + shift) scale``, with three numbers per channel.
    """
    left, rows, channels = rows_of(g), rows_of(x), x.shape[-1]
    far = bool((known.mean * known.mean > CANCELLED * known.variance).any())  # from 0
    middle = repeated(known.mean, rows) if far else None

    def tile_of_sums(some: slice) -> Array:
        values = rows[some] if middle is None else _centered(rows[some], middle)
        return sums_and_dots(left[some], values, channels)

    both = total(tile_of_sums, rows, passes=3)  # (2, C)
    by_shift, slope = both
    if not far:
        slope -= known.mean * by_shift
    mean_g, mean_along = known.averaged(both) if known.averaged else both / (x.size // channels)
    inverse = _inverse_deviation(known, eps)
    by_x = inverse * inverse * mean_along
    along, shift, scale = (repeated(a, rows) for a in (by_x, known.mean * by_x - mean_g, w * inverse))
    out = empty(rows.shape, x.dtype)

    def tile(some: slice) -> None:
        part = out[some]
        np.multiply(rows[some], along, out=part)
        np.subtract(left[some], part, out=part)
        part += shift
        part *= scale

    over_first_axis(tile, rows, passes=4)
    return out.reshape(x.shape), slope * inverse, by_shift


def batch_norm_input(g: Array, x: Array, w: Array, known: Moments, eps: float) -> Array:
    """The gradient of batch_norm by its input."""
    return batch_norm_gradients(g, x, w, known, eps)[0]


def batch_norm_weight(g: Array, x: Array, known: Moments, eps: float) -> Array:
    """The sum of ``g (x - mean) / s`` over all axes but the last: ``(C,)``. No other array of the size of x is made."""
    left, rows, channels = rows_of(g), rows_of(x), x.shape[-1]
    middle = repeated(known.mean, rows)
    along = total(lambda some: dots(_centered(rows[some], middle), left[some], channels), rows, passes=3)
    return along * _inverse_deviation(known, eps)


def _centered(rows: Array, middle: Array) -> Array:
    return np.subtract(rows, middle, out=empty(rows.shape, rows.dtype))


def _inverse_deviation(known: Moments, eps: float) -> Array:
    inverse: Array = (known.variance + eps) ** -0.5
    return inverse
