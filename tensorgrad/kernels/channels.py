"""A number per channel, the last axis: bias, scale, sums, batch normalization. What costs time is passes over memory.

Where one operand is broadcast, NumPy's inner loop runs over the last axis alone, and a few channels make it too short.
So a number per channel is first repeated to the length of a row of pixels: a bias for 32 images of 26 x 26 x 8 takes
0.04 ms instead of 0.11. Sums are first taken for each place in a row, by a product with ones, and then over the pixels
of the row: 0.015 ms instead of 0.33.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.memory import Array, empty, ones
from tensorgrad.kernels.threads import over_first_axis

# The most numbers in an inner loop. A scale for 65,536 numbers: 20 us in rows of 1,024 to 4,096, 13 in those of 8,192
# and more. In rows of 2,048 and 4,096 it takes 160 us where rows and scale lie badly to each other in the cache.
LONG = 1 << 14
CANCELLED = 16.0  # a sum of squares is at most so many times that about the mean, or the latter is summed up by itself


class Moments(NamedTuple):
    """The mean and the variance of each channel, both ``(C,)``.

    Where they are those of a larger batch, of which an array is one part, `averaged` makes sums over the part means
    over the batch.
    """

    mean: Array
    variance: Array
    averaged: Callable[[Array], Array] | None = None


def rows_of(x: Array) -> Array:
    """``(N, ..., C)`` as rows of pixels, ``(M, P C)``, as long as LONG allows."""
    channels = x.shape[-1]
    return x.reshape(-1, _row(x.size, channels)) if x.size else x.reshape(0, channels)


@lru_cache(1024)
def _row(size: int, channels: int) -> int:
    """The numbers in a row: those of the most pixels, up to LONG numbers, that divide the pixels there are."""
    pixels = size // channels
    return channels * next(n for n in range(max(min(LONG // channels, pixels), 1), 0, -1) if pixels % n == 0)


def repeated(channels: Array, rows: Array) -> Array:
    """A number for each channel, ``(C,)``, repeated to the length of a row."""
    times = rows.shape[1] // max(len(channels), 1)
    return channels[np.newaxis].repeat(times, axis=0).reshape(-1)


def scale_channels(x: Array, a: Array) -> Array:
    """``x`` of shape ``(..., C)`` times a number for each channel, ``(C,)``."""
    return _joined(np.multiply, x, a)


def shift_channels(x: Array, b: Array) -> Array:
    """``x`` of shape ``(..., C)`` plus a number for each channel, ``(C,)``."""
    return _joined(np.add, x, b)


def spread_channels(b: Array, shape: tuple[int, ...]) -> Array:
    """A number for each channel, ``(C,)``, written out to an array of a shape ``(..., C)``."""
    out = empty(shape, b.dtype)
    rows = rows_of(out)
    rows[...] = repeated(b, rows)
    return out


def channel_sums(g: Array) -> Array:
    """The sum over all axes but the last: ``(C,)``, the gradient of a bias."""
    rows = rows_of(g)
    if len(rows) == 1:
        with blas.one_thread:
            return _folded(rows[0], g.shape[-1])
    return _summed(lambda some: _column_sums(rows[some]), rows, g.shape[-1])


def sums_of_each(x: Array, leading: int) -> Array:
    """The sum over all axes between the ``leading`` ones and the last, such as that of each image: ``(N, C)``.

    32 images of 32 x 32 x 8 take 0.05 ms, and 0.7 by np.sum, whose inner loop goes over one pixel's channels.
    """
    pixels = prod(x.shape[leading:-1])
    with blas.one_thread:
        sums: Array = ones(pixels, x.dtype) @ x.reshape(*x.shape[:leading], pixels, x.shape[-1])
    return sums


def channel_dots(x: Array, y: Array) -> Array:
    """The sum of ``x y`` over all axes but the last: ``(C,)``, the gradient of a scale. The product is never stored."""
    left, right = rows_of(x), rows_of(y)
    return _summed(lambda some: _column_dots(left[some], right[some]), left, x.shape[-1], passes=2)


def moments(x: Array) -> Moments:
    """The mean and the variance of each channel, both ``(C,)``, in one sweep over memory.

    If a tile has n values, of mean m and sum of squares q about m, the variance is the sum of q + n (m - mean)^2 over
    all tiles, divided by the number of values (Chan, Golub and LeVeque, 1979). Here q is the sum of squares less n m^2;
    only where that leaves too few digits, the tile is centered first.
    """
    if x.dtype.char == "e":  # float16, whose sums overflow
        wide = moments(x.astype(np.float32))
        return Moments(wide.mean.astype(x.dtype), wide.variance.astype(x.dtype))
    rows, channels = rows_of(x), x.shape[-1]

    def tile(some: slice) -> tuple[float, Array, Array]:
        part = rows[some]
        n = part.size / channels
        middle = _folded(_column_sums(part), channels) / n
        squares = _folded(_column_dots(part, part), channels)
        with np.errstate(over="ignore", invalid="ignore"):  # the comparison is false then
            about = squares - n * middle**2
        if not (squares <= CANCELLED * about).all():
            centered = _centered(part, repeated(middle, rows))
            about = _folded(_column_dots(centered, centered), channels)
        return n, middle, about

    counts, means, squares = (np.array(a) for a in zip(*over_first_axis(tile, rows, passes=3), strict=True))
    shares = (counts / counts.sum()).astype(x.dtype)
    mean = shares @ means
    variance: Array = (squares.sum(axis=0) / counts.sum()).astype(x.dtype) + shares @ (means - mean) ** 2
    return Moments(mean, variance)


def batch_norm(
    x: Array, w: Array, b: Array, known: Moments, eps: float, activation: Callable[[Array], object] | None
) -> Array:
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
    left, rows = rows_of(g), rows_of(x)
    far = bool((known.mean**2 > CANCELLED * known.variance).any())  # from 0
    middle = repeated(known.mean, rows)

    def tile_of_sums(some: slice) -> Array:
        part, values = left[some], rows[some]
        return np.stack([_column_sums(part), _column_dots(_centered(values, middle) if far else values, part)])

    total, slope = _summed(tile_of_sums, rows, x.shape[-1], passes=3)
    slope = slope if far else slope - known.mean * total
    sums = np.stack([total, slope])
    mean_g, mean_along = known.averaged(sums) if known.averaged else sums / (x.size // x.shape[-1])
    inverse = _inverse_deviation(known, eps)
    by_x = inverse**2 * mean_along
    along, shift, scale = (repeated(a, rows) for a in (by_x, known.mean * by_x - mean_g, w * inverse))
    out = empty(rows.shape, x.dtype)

    def tile(some: slice) -> None:
        part = out[some]
        np.multiply(rows[some], along, out=part)
        np.subtract(left[some], part, out=part)
        part += shift
        part *= scale

    over_first_axis(tile, rows, passes=4)
    return out.reshape(x.shape), slope * inverse, total


def batch_norm_input(g: Array, x: Array, w: Array, known: Moments, eps: float) -> Array:
    """The gradient of batch_norm by its input."""
    return batch_norm_gradients(g, x, w, known, eps)[0]


def batch_norm_weight(g: Array, x: Array, known: Moments, eps: float) -> Array:
    """The sum of ``g (x - mean) / s`` over all axes but the last: ``(C,)``. No other array of the size of x is made."""
    left, rows = rows_of(g), rows_of(x)
    middle = repeated(known.mean, rows)

    def tile(some: slice) -> Array:
        return _column_dots(_centered(rows[some], middle), left[some])

    return _summed(tile, rows, x.shape[-1], passes=3) * _inverse_deviation(known, eps)


def _centered(rows: Array, middle: Array) -> Array:
    return np.subtract(rows, middle, out=empty(rows.shape, rows.dtype))


def _inverse_deviation(known: Moments, eps: float) -> Array:
    inverse: Array = (known.variance + eps) ** -0.5
    return inverse


def _joined(join: np.ufunc, x: Array, channels: Array) -> Array:
    rows = rows_of(x)
    numbers = repeated(channels, rows)
    out = empty(rows.shape, np.result_type(x, channels))

    def tile(some: slice) -> None:
        join(rows[some], numbers, out=out[some])

    over_first_axis(tile, rows)
    return out.reshape(x.shape)


def _column_sums(rows: Array) -> Array:
    sums: Array = ones(rows.shape[-2], rows.dtype) @ rows
    return sums


def _column_dots(left: Array, right: Array) -> Array:
    """The sum of products over rows, without storing the products: 46 us for 448 x 448 numbers, instead of 79."""
    dots: Array = np.einsum("ij,ij->j", left, right)
    return dots


def _folded(sums: Array, channels: int) -> Array:
    """Sums over the pixels of a row: ``(..., W C)`` to ``(..., C)``."""
    pixels = sums.shape[-1] // max(channels, 1)
    return _column_sums(sums.reshape(*sums.shape[:-1], pixels, channels))


def _summed(tile: Callable[[slice], Array], rows: Array, channels: int, passes: int = 1) -> Array:
    """The sum over all tiles, which give ``(..., W C)``, and over the pixels of a row: ``(..., C)``."""
    parts = over_first_axis(tile, rows, passes) or [tile(slice(0))]
    with blas.one_thread:
        return _folded(sum(parts[1:], start=parts[0]), channels)
