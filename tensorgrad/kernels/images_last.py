"""Bound convolutions of many images that lie side by side (see :mod:`tensorgrad.kernels.order`).

A row of the result is one matrix product, kernels by windows::

    kernels (F, KH KW C)   times   windows (KH KW C, OW N)   =   a row of the result (F, OW N)

The windows of a row are KH consecutive rows of a *lowered* array ``(H, KW, C, OW, N)``, in which each row of the images
is copied KW times. As in :mod:`tensorgrad.kernels.strips`, the matrices of neighbouring rows overlap in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.elementwise import InPlace
from tensorgrad.kernels.lowering import NO_FRAME, Frame, Pair, output_sizes
from tensorgrad.kernels.memory import Array
from tensorgrad.kernels.order import APART, are_beside, empty_beside, images, rows
from tensorgrad.kernels.plan import ONE
from tensorgrad.kernels.threads import cut

TILE = 1 << 21  # bytes of lowered rows that are multiplied before more are lowered; a quarter of it is 10 % slower

Step = Callable[[], object]
Live = Callable[[], Array]  # returns the current values of a parameter


def conv2d(
    x: Array, w: Live, b: Live | None, activation: InPlace | None, stride: Pair, padding: Frame, depthwise: bool
) -> tuple[Array, list[Step]]:
    """A bound convolution of all channels, or of each with a kernel of its own; see :func:`bound.conv2d`."""
    kh, kw, c, f = w().shape
    n, h, width, _ = x.shape
    oh, ow = output_sizes((h, width), (kh, kw), stride, padding, ONE)
    steps: list[Step] = []
    if not are_beside(x):
        x, steps = _moved(x)
    y = np.empty((oh, f, ow, n), x.dtype)
    pixels = (kh, kw) == stride == ONE and padding == NO_FRAME and rows(x).flags.c_contiguous and not depthwise
    ones = b is not None and not pixels and not depthwise  # a row of them, which is multiplied by the bias
    kernels, biases = np.zeros((f, kh, kw * c + ones), x.dtype), np.empty((f, 1), x.dtype)
    matrix = kernels.reshape((f, 1, 1, -1) if depthwise else (f, -1))
    pieces = _of_pixels(rows(x), y) if pixels else _of_windows(rows(x), y, (kh, kw), stride, padding, depthwise, ones)

    def convolve() -> None:
        np.copyto(kernels[:, :, : kw * c], w().reshape(kh, kw * c, f).transpose(2, 0, 1))
        if b is not None:
            np.copyto(kernels[:, 0, -1] if ones else biases[:, 0], b())
        for copies, windows, products, result in pieces:
            for copy in copies:
                copy()
            np.matmul(matrix, windows, out=products)
            if b is not None and not ones:
                np.add(result, biases, out=result)
            if activation is not None:
                activation(result)

    return images(y), [*steps, convolve]


def _moved(x: Array) -> tuple[Array, list[Step]]:
    """Images side by side, and what copies them there."""
    apart = np.empty((len(x), prod(x.shape[1:]) + APART), x.dtype)[:, :-APART].reshape(x.shape)  # see put_beside
    y = empty_beside(x.shape, x.dtype)
    return y, [partial(np.copyto, apart, x), partial(np.copyto, rows(y), rows(apart))]


class _Piece(NamedTuple):
    """A few rows of the result."""

    copies: list[Step]  # what lowers the rows of the images that they need
    windows: Array
    products: Array  # the result in the shape of the product
    result: Array


def _of_pixels(memory: Array, y: Array) -> list[_Piece]:
    """Kernels of 1 x 1: rows of images are matrices of windows already."""
    (h, c, _, _), (_, f, ow, n) = memory.shape, y.shape
    windows, result = memory.reshape(h, c, -1), y.reshape(h, f, -1)
    most = TILE // ((c + f) * ow * n * y.itemsize)
    return [_Piece([], windows[some], result[some], result[some]) for some in cut(0, h, most)]


def _of_windows(
    memory: Array, y: Array, size: Pair, stride: Pair, padding: Frame, depthwise: bool, ones: bool
) -> list[_Piece]:
    """Rows of images are lowered, as many as TILE allows at a time; each has a row of ones beside it, if asked."""
    (_, c, _, n), (oh, f, ow, _), (kh, kw), (sh, sw) = memory.shape, y.shape, size, stride
    if kh == 1 and padding[0] == (0, 0):  # the other rows are not needed
        memory, sh = memory[::sh], 1
    run, line = ow * n, (kw * c + ones) * ow * n * y.itemsize  # numbers and bytes
    parts = list(cut(0, oh, (TILE // line - kh) // sh + 1))
    held = (max(some.stop - some.start for some in parts) - 1) * sh + kh
    if depthwise:
        lowered = np.zeros((c, held, kw, ow, n), y.dtype)
        taps = lowered.transpose(2, 1, 0, 3, 4)  # (KW, rows, C, OW, N)
    else:
        lowered = np.zeros((held, kw * c + ones, ow, n), y.dtype)
        lowered[:, kw * c :] = 1
        taps = lowered[:, : kw * c].reshape(held, kw, c, ow, n).transpose(1, 0, 2, 3, 4)
    pieces = []
    for some in parts:
        count, result = some.stop - some.start, y[some].reshape(-1, f, run)
        needed = taps[:, : (count - 1) * sh + kh]
        copies = list(_copies(memory, needed, some.start * sh - padding[0][0], sw, padding[1][0]))
        inner, item = (run * y.itemsize, y.itemsize), y.dtype
        if depthwise:
            strides = lowered.strides[0], sh * lowered.strides[1], *inner
            windows: Array = np.ndarray((c, count, kh * kw, run), item, lowered, 0, strides)
            products = result.transpose(1, 0, 2)[:, :, np.newaxis]
        else:
            windows = np.ndarray((count, kh * (kw * c + ones), run), item, lowered, 0, (sh * line, *inner))
            products = result
        pieces.append(_Piece(copies, windows, products, result))
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
