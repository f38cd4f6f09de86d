"""Pooling: the extreme or the average of each window, and where an extreme's gradient goes.

A window's extreme is that of its rows' extremes, and so is its sum. So there is a pass for each row of the window, over
whole rows of pixels, and then one for each column: for 3 x 3 windows with stride 1 on 32 images of 24 x 24 x 16 0.36
against 0.72 ms in nine passes. To find the place of an extreme takes a pass for each *tap*, that is each place (i, j)
in the window: all windows' pixels at that place are compared with the extremes. Padding is not there at all: at the
border a tap covers fewer windows.

NumPy runs its inner loop over the channels of one pixel, as the next pixel of the tap is elsewhere. Where those are
few, a tap is first copied, pixel by pixel, into one piece: 0.05 against 0.07 ms forward and 0.14 against 0.17 ms
backward for 2 x 2 windows on 32 images of 24 x 24 x 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

import numpy as np

from tensorgrad.kernels.lowering import NO_FRAME, Frame, Pair, as_elements, copy_pixels, output_sizes
from tensorgrad.kernels.memory import Array, empty, zeros
from tensorgrad.kernels.threads import PASS, over_batch

ONE: Pair = (1, 1)
TILE = 1 << 22  # bytes of images in one tile: 10 % faster than half or twice as much
MANY = 1024  # pixels of a tap from which copying it together pays: the calls cost 7 us, a pixel saves 7 ns


Index = tuple[slice, slice, slice]


def extreme(x: Array, size: Pair, stride: Pair, padding: Frame, largest: bool) -> Array:
    """The largest or the smallest pixel of each window, never one of padding. ``(N, OH, OW, C)``."""
    n, h, w, c = x.shape
    oh, ow = output_sizes((h, w), size, stride, padding, ONE)
    y = empty((n, oh, ow, c), x.dtype)
    pick, worst = (np.maximum, -np.inf) if largest else (np.minimum, np.inf)

    def pool(images: slice) -> None:
        _reduce(pick, worst, x[images], y[images], size, stride, padding)

    _over_images(pool, x)
    return y


def select(v: Array, x: Array, y: Array, size: Pair, stride: Pair, padding: Frame) -> Array:
    """The elements of v where each window of x has its extreme y, the first of equal ones. ``(N, OH, OW, C)``."""
    selected = zeros(y.shape, v.dtype)

    def pool(images: slice) -> None:
        values, target = v[images], selected[images]
        for where, windows, here in reversed(list(_places(x[images], y[images], size, stride, padding))):
            np.copyto(target[windows], values[where], where=here)

    _over_images(pool, x)
    return selected


def place(g: Array, x: Array, y: Array, size: Pair, stride: Pair, padding: Frame) -> Array:
    """The transpose of select: g added to the place of each window's extreme y in x. ``(N, H, W, C)``."""
    placed = _result(x.shape, g, size, stride, padding)

    def pool(images: slice) -> None:
        left, target = empty(g[images].shape, g.dtype), placed[images]
        left[...] = g[images]
        for where, windows, here in _places(x[images], y[images], size, stride, padding):
            part = left[windows] if here is True else _taken(left[windows], here)
            _add_pixels(part, target[where], size, stride)

    _over_images(pool, x)
    return placed


def average(x: Array, size: Pair, stride: Pair, padding: Frame) -> Array:
    """The mean of each window, padding not counted. ``(N, OH, OW, C)``."""
    n, h, w, c = x.shape
    oh, ow = output_sizes((h, w), size, stride, padding, ONE)
    y = empty((n, oh, ow, c), x.dtype)
    covered = counts(x.shape, size, stride, padding, x.dtype)

    def pool(images: slice) -> None:
        means = y[images]
        _reduce(np.add, 0, x[images], means, size, stride, padding)
        means /= covered

    _over_images(pool, x)
    return y


def spread(g: Array, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Frame) -> Array:
    """The transpose of average: spreads each gradient evenly over the pixels of its window. ``(N, H, W, C)``."""
    oh, ow = g.shape[1:3]
    x = _result(shape, g, size, stride, padding)
    covered = counts(shape, size, stride, padding, g.dtype)

    def pool(images: slice) -> None:
        part = empty(g[images].shape, g.dtype)
        np.divide(g[images], covered, out=part)
        target = x[images]
        for where, windows in _geometry(target, (oh, ow), size, stride, padding):
            _add_pixels(part[windows], target[where], size, stride)

    _over_images(pool, x)
    return x


def repeat(x: Array, size: Pair) -> Array:
    """Each pixel as a window of pixels that are equal to it. ``(N, H KH, W KW, C)``.

    32 images of 16 x 16 x 16 with 2 x 2 take 0.16 ms, and 0.38 by way of np.broadcast_to.
    """
    (n, h, w, c), (kh, kw) = x.shape, size
    y = empty((n, h * kh, w * kw, c), x.dtype)
    copy_pixels(x[:, :, None, :, None], y.reshape(n, h, kh, w, kw, c))
    return y


def window_sums(g: Array, size: Pair) -> Array:
    """The transpose of repeat: the sum of each window. ``(N, H / KH, W / KW, C)``.

    The gradients of 32 images of 32 x 32 x 16 take 0.28 ms, and 1.6 as a sum over two axes.
    """
    n, h, w, c = g.shape
    sums = empty((n, h // size[0], w // size[1], c), g.dtype)

    def pool(images: slice) -> None:
        _reduce(np.add, 0, g[images], sums[images], size, size, NO_FRAME)

    _over_images(pool, g)
    return sums


def _over_images(pool: Callable[[slice], None], x: Array) -> None:
    """Share the batch by the length of one pass, not by the number of passes: short calls cost two threads more."""
    over_batch(pool, len(x), TILE // max(x[:1].nbytes, 1), x[:1].size * PASS)


def _geometry(x: Array, out: Pair, size: Pair, stride: Pair, padding: Frame) -> Iterator[tuple[Index, Index]]:
    """For each tap, row-major: its pixels in the images, and the windows that have a pixel there."""
    everything = slice(None)
    rows, columns = (_taps(x.shape[a], out[a - 1], size[a - 1], stride[a - 1], padding[a - 1][0]) for a in (1, 2))
    for row_where, row_windows in rows:
        for column_where, column_windows in columns:
            yield (everything, row_where, column_where), (everything, row_windows, column_windows)


@lru_cache
def _taps(pixels: int, windows: int, size: int, stride: int, before: int) -> tuple[tuple[slice, slice], ...]:
    """Along one axis, for each place in a window: the pixels at that place, and the windows that have one there."""
    taps = []
    for i in range(size):
        first = max(-((i - before) // stride), 0)
        stop = max(min((pixels - 1 - i + before) // stride + 1, windows), first)
        start = first * stride + i - before
        taps.append((slice(start, start + (stop - first) * stride, stride), slice(first, stop)))
    return tuple(taps)


def _reduce(join: np.ufunc, start: float, x: Array, y: Array, size: Pair, stride: Pair, padding: Frame) -> None:
    """Reduce each window by ``join`` into ``y``: first along its rows, then along its columns.

    That takes KH + KW passes instead of KH KW, the first of which go over whole rows of pixels.
    """
    rows = empty((len(x), y.shape[1], *x.shape[2:]), x.dtype)
    for step in reductions(join, start, x, rows, y, size, stride, padding, _in_one_piece):
        step()


def reductions(
    join: np.ufunc,
    start: float,
    x: Array,
    rows: Array,
    y: Array,
    size: Pair,
    stride: Pair,
    padding: Frame,
    prepared: Callable[[Array], Array] = lambda tap: tap,
) -> Iterator[Callable[[], object]]:
    """The passes of :func:`_reduce`, in order. What ``prepared`` makes of a tap of ``rows`` is used instead of it."""
    for axis, source, target in ((1, x, rows), (2, rows, y)):
        k, s, around = size[axis - 1], stride[axis - 1], padding[axis - 1]
        if k == source.shape[axis] and target.shape[axis] == 1 and not any(around):
            yield partial(join.reduce, source, axis=axis, out=target, keepdims=True)
            continue
        taps = _taps(source.shape[axis], target.shape[axis], k, s, around[0])
        pixels = (source[_at(axis, where)] for where, _ in taps)
        pieces = zip(pixels if axis == 1 else map(prepared, pixels), taps, strict=True)
        if any(around):
            yield partial(target.fill, start)
        elif k == 1:  # without padding, every tap covers all windows
            yield partial(copy_pixels, next(pieces)[0], target)
        else:
            yield partial(join, next(pieces)[0], next(pieces)[0], out=target)
        for piece, (_, windows) in pieces:
            part = target[_at(axis, windows)]
            yield partial(join, part, piece, out=part)


def _at(axis: int, where: slice) -> tuple[slice, ...]:
    """The index of a slice along axis 1 or 2."""
    return (slice(None), where) if axis == 1 else (slice(None), slice(None), where)


def _places(x: Array, y: Array, size: Pair, stride: Pair, padding: Frame) -> Iterator[tuple[Index, Index, Any]]:
    """For each tap: its pixels, its windows, and a mask of the windows whose extreme y is there.

    The mask is also true for windows that found their extreme at an earlier tap, and at the last tap, where those that
    are left must find it, it is just True.
    """
    some_nan = bool(np.isnan(y).any())  # then the first NaN is the extreme, though NaN equals nothing
    *taps, last = _geometry(x, (y.shape[1], y.shape[2]), size, stride, padding)
    for where, windows in taps:
        pixels = _in_one_piece(x[where])
        here = empty(pixels.shape, bool)
        np.equal(pixels, y[windows], out=here)
        if some_nan:
            here |= np.isnan(pixels)
        yield where, windows, here
    yield *last, True


def _taken(left: Array, mask: Array) -> Array:
    """Take the numbers ``left`` where the mask is true; return them, and zero elsewhere."""
    part = empty(left.shape, left.dtype)
    if left.itemsize in (2, 4, 8):
        bits = np.dtype(f"i{left.itemsize}")  # read as integers, also an infinity times 0 is 0
        whole, some = left.view(bits), part.view(bits)
        np.multiply(whole, mask, out=some)
        whole ^= some
    else:
        part[...] = 0
        np.copyto(part, left, where=mask)
        np.copyto(left, 0, where=mask)
    return part


def _add_pixels(part: Array, target: Array, size: Pair, stride: Pair) -> None:
    """Add to the pixels of a tap; where windows do not overlap, writing them is enough."""
    if stride[0] >= size[0] and stride[1] >= size[1]:
        copy_pixels(part, target)
    else:
        target += part


def _in_one_piece(tap: Array) -> Array:
    """The pixels of a tap, copied together if they are many and have few channels.

    Without that, a step at batch 256 takes 1.12 times as long in experiment 3, and 1.05 times in experiment 4.
    """
    if tap.size < MANY * tap.shape[-1] or not as_elements(tap):
        return tap
    together = empty(tap.shape, tap.dtype)
    copy_pixels(tap, together)
    return together


def _result(shape: tuple[int, ...], g: Array, size: Pair, stride: Pair, padding: Frame) -> Array:
    """The array that a gradient is written into: zeros, unless each pixel lies in exactly one window."""
    once = size == stride and padding == NO_FRAME
    once = once and all(n == o * k for n, o, k in zip(shape[1:3], g.shape[1:3], size, strict=True))
    return (empty if once else zeros)(shape, g.dtype)


def counts(shape: tuple[int, ...], size: Pair, stride: Pair, padding: Frame, dtype: np.dtype[Any]) -> Array:
    """How many pixels of the image each window covers: ``(OH, OW, 1)``, or one number if all cover the same."""
    if padding == NO_FRAME:
        return np.asarray(size[0] * size[1], dtype)
    out = output_sizes((shape[1], shape[2]), size, stride, padding, ONE)
    rows, columns = (
        np.minimum(starts + k, n) - np.maximum(starts, 0)
        for n, o, k, s, p in zip(shape[1:3], out, size, stride, padding, strict=True)
        for starts in [np.arange(o) * s - p[0]]
    )
    return np.asarray(rows[:, None, None] * columns[:, None], dtype)
