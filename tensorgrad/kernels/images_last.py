"""Bound convolutions of many images that lie side by side: the images are the last axis of memory.

An array of images keeps its shape ``(N, H, W, C)``, but its memory is ``(H, C, W, N)``. So whatever is done to a row of
images is done to one long run of memory: a tap of a convolution or of a pool begins N numbers further on, a bias or
a weight is one number for all of the run, and padding is a run of zeros. Passes are as long as NumPy's loops like them,
however few the channels are. A row of the result is one matrix product, kernels by windows::

    kernels (F, KH KW C)   times   windows (KH KW C, OW N)   =   a row of the result (F, OW N)

The windows of a row are KH consecutive rows of a *lowered* array ``(H, KW, C, OW, N)``, in which each row of the images
is copied KW times. As in :mod:`tensorgrad.kernels.strips`, the matrices of neighbouring rows overlap in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.elementwise import InPlace
from tensorgrad.kernels.lowering import NO_FRAME, Frame, Pair, output_sizes
from tensorgrad.kernels.memory import Array
from tensorgrad.kernels.plan import ONE
from tensorgrad.kernels.threads import cut

LEAST = 16  # images; fewer make the runs too short
TILE = 1 << 21  # bytes of lowered rows that are multiplied before more are lowered; a quarter of it is 10 % slower
APART = 16  # numbers between two images
ALL = slice(None)
ORDER = (1, 3, 2, 0)  # of memory (H, C, W, N), in axes of (N, H, W, C)

Step = Callable[[], object]
Live = Callable[[], Array]  # returns the current values of a parameter


def pays(count: int) -> bool:
    """Whether so many images are faster side by side: not where BLAS multiplies small matrices without packing them."""
    return count >= LEAST and not blas.multiplies_small_matrices_as_they_are()


def are_last(x: Array) -> bool:
    """Whether the images of an array ``(N, H, W, C)`` lie side by side."""
    return x.ndim == 4 and len(x) > 1 and x.strides[0] == x.itemsize


def empty_as(x: Array, shape: tuple[int, ...]) -> Array:
    """An array of a shape ``(N, H, W, C)`` with arbitrary contents, whose memory has the order of that of ``x``."""
    if not are_last(x):
        return np.empty(shape, x.dtype)
    return images(np.empty([shape[axis] for axis in ORDER], x.dtype))


def rows(x: Array) -> Array:
    """Images ``(N, H, W, C)`` as their memory lies: ``(H, C, W, N)``."""
    return x.transpose(ORDER)


def images(memory: Array) -> Array:
    """The transpose of rows."""
    return memory.transpose(3, 0, 2, 1)


def conv2d(
    x: Array, w: Live, b: Live | None, activation: InPlace | None, stride: Pair, padding: Frame, depthwise: bool
) -> tuple[Array, list[Step]]:
    """A bound convolution of all channels, or of each with a kernel of its own; see :func:`bound.conv2d`."""
    kh, kw, c, f = w().shape
    n, h, width, _ = x.shape
    oh, ow = output_sizes((h, width), (kh, kw), stride, padding, ONE)
    steps: list[Step] = []
    if not are_last(x):
        x, steps = _moved(x)
    y = np.empty((oh, f, ow, n), x.dtype)
    pixels = (kh, kw) == stride == ONE and padding == NO_FRAME and rows(x).flags.c_contiguous and not depthwise
    ones = b is not None and not pixels and not depthwise  # a row of them, which is multiplied by the bias
    kernels, biases = np.zeros((f, kh, kw * c + ones), x.dtype), np.empty((f, 1), x.dtype)
    matrix = kernels.reshape((f, 1, 1, -1) if depthwise else (f, -1))
    if depthwise:
        pieces = _of_channels(rows(x), y, (kh, kw), stride, padding)
    else:
        pieces = _of_pixels(rows(x), y) if pixels else _of_windows(rows(x), y, (kh, kw), stride, padding, ones)

    def convolve() -> None:
        np.copyto(kernels[:, :, : kw * c], w().reshape(kh, kw * c, f).transpose(2, 0, 1))
        if b is not None:
            np.copyto(kernels[:, 0, -1] if ones else biases[:, 0], b())
        for filters, copies, windows, products, result in pieces:
            for copy in copies:
                copy()
            np.matmul(matrix[filters], windows, out=products)
            if b is not None and not ones:
                np.add(result, biases[filters], out=result)
            if activation is not None:
                activation(result)

    return images(y), [*steps, convolve]


def _moved(x: Array) -> tuple[Array, list[Step]]:
    """Images side by side, and what copies them there.

    They are copied twice: images that lie a multiple of 4096 bytes apart push each other's pixels out of the cache. So
    64 images of 32 x 32 x 3 take 0.15 ms, and 0.63 at once.
    """
    n, h, w, c = x.shape
    apart = np.empty((n, h * w * c + APART), x.dtype)[:, : h * w * c].reshape(x.shape)  # a view, as only n is strided
    memory = np.empty((h, c, w, n), x.dtype)
    return images(memory), [partial(np.copyto, apart, x), partial(np.copyto, memory, rows(apart))]


class _Piece(NamedTuple):
    """A few rows of the result, or a few of its channels."""

    filters: slice
    copies: list[Step]  # what lowers the images' rows that it needs
    windows: Array
    products: Array  # the result in the shape of the product
    result: Array


def _of_pixels(memory: Array, y: Array) -> list[_Piece]:
    """Kernels of 1 x 1: rows of images are matrices of windows already."""
    (h, c, _, _), (_, f, ow, n) = memory.shape, y.shape
    windows, result = memory.reshape(h, c, -1), y.reshape(h, f, -1)
    most = TILE // ((c + f) * ow * n * y.itemsize)
    return [_Piece(ALL, [], windows[some], result[some], result[some]) for some in cut(0, h, most)]


def _of_windows(memory: Array, y: Array, size: Pair, stride: Pair, padding: Frame, ones: bool) -> list[_Piece]:
    """Rows of images are lowered, as many as TILE allows at a time; each has a row of ones beside it, if asked."""
    (_, c, _, n), (oh, f, ow, _), (kh, kw), (sh, sw) = memory.shape, y.shape, size, stride
    if kh == 1 and padding[0] == (0, 0):  # the other rows are not needed
        memory, sh = memory[::sh], 1
    run, line = ow * n, (kw * c + ones) * ow * n * y.itemsize  # numbers and bytes
    parts = list(cut(0, oh, (TILE // line - kh) // sh + 1))
    held = (max(some.stop - some.start for some in parts) - 1) * sh + kh
    lowered = np.zeros((held, kw * c + ones, ow, n), y.dtype)
    lowered[:, kw * c :] = 1
    taps = lowered[:, : kw * c].reshape(held, kw, c, ow, n).transpose(1, 0, 2, 3, 4)
    strides = sh * line, run * y.itemsize, y.itemsize
    pieces = []
    for some in parts:
        count, result = some.stop - some.start, y[some].reshape(-1, f, run)
        needed = taps[:, : (count - 1) * sh + kh]
        copies = list(_copies(memory, needed, some.start * sh - padding[0][0], sw, padding[1][0]))
        shape = count, kh * (kw * c + ones), run
        windows: Array = np.ndarray(shape, y.dtype, lowered, 0, strides)
        pieces.append(_Piece(ALL, copies, windows, result, result))
    return pieces


def _of_channels(memory: Array, y: Array, size: Pair, stride: Pair, padding: Frame) -> list[_Piece]:
    """All rows of a few channels at a time, as many as TILE allows: each channel has a kernel of its own.

    Few rows of all channels would be lowered up to KH times, as neighbouring pieces share rows: 64 images of
    16 x 16 x 64 took 3.2 ms, and take 2.2.
    """
    n, (oh, c, ow, _), (kh, kw), (sh, sw) = memory.shape[-1], y.shape, size, stride
    held, run, item = (oh - 1) * sh + kh, ow * n, y.itemsize  # lowered rows, numbers in each of the result, bytes
    parts = list(cut(0, c, TILE // (held * kw * run * item)))
    most = max(some.stop - some.start for some in parts)
    lowered = np.zeros((most, held, kw, ow, n), y.dtype)
    strides = lowered.strides[0], sh * lowered.strides[1], run * item, item
    pieces = []
    for some in parts:
        count, result = some.stop - some.start, y[:, some].reshape(oh, -1, run)
        taps = lowered[:count].transpose(2, 1, 0, 3, 4)  # (KW, rows, channels, OW, N)
        copies = list(_copies(memory[:, some], taps, -padding[0][0], sw, padding[1][0]))
        windows: Array = np.ndarray((count, oh, kh * kw, run), y.dtype, lowered, 0, strides)
        pieces.append(_Piece(some, copies, windows, result.transpose(1, 0, 2)[:, :, np.newaxis], result))
    return pieces


def _copies(memory: Array, taps: Array, start: int, step: int, left: int) -> Iterator[Step]:
    """What copies rows from ``start`` on, shifted for each tap; those of the padding are zeros."""
    h, _, width, _ = memory.shape
    kw, count, _, ow, _ = taps.shape
    first, stop = max(start, 0), min(start + count, h)
    if start < first:
        yield partial(taps[:, : first - start].fill, 0)
    if stop < start + count:
        yield partial(taps[:, max(stop - start, 0) :].fill, 0)
    for j in range(kw):
        before = max(-((j - left) // step), 0)  # columns of the result whose tap lies in the padding
        after = min((width - 1 - j + left) // step + 1, ow)
        if before < after and first < stop:
            source = memory[first:stop, :, before * step + j - left :: step][:, :, : after - before]
            yield partial(np.copyto, taps[j, first - start : stop - start, :, before:after], source)
