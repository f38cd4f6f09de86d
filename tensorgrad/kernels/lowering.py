"""From images to matrices: frames, windows, im2col, its transpose col2im, and strips, which copy less than im2col.

What is copied for a window of 3 x 3 pixels::

    image (H, W, C)      im2col: a row per window,       strips: a column of the image, KW pixels wide,
    . . . . . . .        each pixel copied KH KW times   from top to bottom; each pixel copied KW times
    . a b c . . .                                        . . .   < row 0
    . d e f . . .        a b c d e f g h i               a b c   < the window is KH KW C numbers in one piece,
    . g h i . . .                                        d e f     and so is the next one down, KW C further on
    . . . . . . .                                        g h i
                                                         . . .

So a strip is a matrix of all windows of one column of the result, which overlap in memory; the strips of all columns
are a stack of matrices that BLAS multiplies without another copy. This is the lowering of Cho and Brand, "MEC:
memory-efficient convolution for deep neural networks", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tensorgrad.kernels.memory import Array, empty, zeros

Pair = tuple[int, int]
Frame = tuple[Pair, Pair]  # pixels around an image: (above, below), (left, right)

NO_FRAME: Frame = ((0, 0), (0, 0))

FEW_CHANNELS = 128  # bytes; a pixel of up to so many is copied as one element
MANY_PIXELS = 1024  # from which that pays where arrays are put side by side


def around(padding: Pair) -> Frame:
    """The frame with this many rows above and below, and this many columns left and right."""
    (ph, pw) = padding
    return (ph, ph), (pw, pw)


def output_sizes(image: Pair, size: Pair, stride: Pair, padding: Frame, dilation: Pair) -> Pair:
    """How many windows fit along (rows, columns): floor((size + padding - reach) / stride) + 1, below 1 if none fits.

    The padding counts both sides; a kernel of k taps reaches over dilation (k - 1) + 1 pixels.
    """
    (h, w), (kh, kw), (sh, sw), ((top, bottom), (left, right)), (dh, dw) = image, size, stride, padding, dilation
    return (top + h + bottom - dh * (kh - 1) - 1) // sh + 1, (left + w + right - dw * (kw - 1) - 1) // sw + 1


def framed(x: Array, frame: Frame) -> Array:
    """``x`` in a contiguous frame of zeros; a negative width cuts pixels off.

    Returns ``x`` itself if it needs neither a frame nor a copy.
    """
    (top, bottom), (left, right) = frame
    if min(top, bottom, left, right) < 0:
        h, w = x.shape[1:3]
        x = x[:, max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
        top, bottom, left, right = (max(width, 0) for width in (top, bottom, left, right))
    if top == bottom == left == right == 0 and x.flags.c_contiguous:
        return x
    n, h, w, c = x.shape
    wide = empty((n, top + h + bottom, left + w + right, c), x.dtype)
    wide[:, :top] = 0
    wide[:, top + h :] = 0
    wide[:, top : top + h, :left] = 0
    wide[:, top : top + h, left + w :] = 0
    wide[:, top : top + h, left : left + w] = x
    return wide


def windows(x: Array, size: Pair, stride: Pair, dilation: Pair) -> Array:
    """All windows of framed images, as a view without a copy: ``(N, OH, OW, KH, KW, C)``."""
    n, h, w, c = x.shape
    oh, ow = output_sizes((h, w), size, stride, NO_FRAME, dilation)
    sn, sh, sw, sc = x.strides
    return as_strided(
        x,
        shape=(n, oh, ow, *size, c),
        strides=(sn, sh * stride[0], sw * stride[1], sh * dilation[0], sw * dilation[1], sc),
        writeable=False,
    )


def tap(x: Array, i: int, j: int, out: Pair, stride: Pair, dilation: Pair) -> Array:
    """The pixels under row ``i`` and column ``j`` of every window: a strided view ``(N, OH, OW, C)``."""
    top, left = i * dilation[0], j * dilation[1]
    return x[
        :,
        top : top + (out[0] - 1) * stride[0] + 1 : stride[0],
        left : left + (out[1] - 1) * stride[1] + 1 : stride[1],
    ]


def im2col(x: Array, size: Pair, stride: Pair, padding: Frame, dilation: Pair) -> Array:
    """The windows of images as the rows of a matrix: ``(N OH OW, KH KW C)``."""
    x = framed(x, padding)
    view = windows(x, size, stride, dilation)  # (N, OH, OW, KH, KW, C)
    n, oh, ow, kh, kw, c = view.shape
    cols = empty(view.shape, x.dtype)
    if dilation[1] == 1 and x.size:  # a row of a window is one run
        run = element(kw * c * x.itemsize)
        source: Array = np.ndarray(view.shape[:4], run, x, 0, view.strides[:4])
        np.copyto(cols.reshape(n, oh, ow, kh, kw * c).view(run)[..., 0], source)
    else:
        copy_pixels(view, cols)
    return cols.reshape(n * oh * ow, kh * kw * c)


def taps(x: Array, size: Pair, stride: Pair, dilation: Pair) -> Array:
    """The windows of framed images, tap by tap: the transpose of im2col, ``(KH KW C, N OH OW)``.

    Numbers are copied one by one, in loops along a row of the image.
    """
    view = windows(x, size, stride, dilation).transpose(3, 4, 5, 0, 1, 2)  # (KH, KW, C, N, OH, OW)
    lowered = empty(view.shape, x.dtype)
    np.copyto(lowered, view)
    return lowered.reshape(prod(view.shape[:3]), prod(view.shape[3:]))


def col2im(cols: Array, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Frame, dilation: Pair) -> Array:
    """The transpose of im2col: adds every row of the matrix to the pixels of its window. ``(N, H, W, C)``."""
    n, h, w, c = shape
    kh, kw = size
    oh, ow = output_sizes((h, w), size, stride, padding, dilation)
    patches = cols.reshape(n, oh, ow, kh, kw, c)
    (top, bottom), (left, right) = padding
    frame = zeros((n, top + h + bottom, left + w + right, c), cols.dtype)
    for i in range(kh):
        for j in range(kw):
            view = tap(frame, i, j, (oh, ow), stride, dilation)
            view += patches[:, :, :, i, j]
    return np.ascontiguousarray(frame[:, top : top + h, left : left + w])


def strips(x: Array, width: int, columns: range) -> Array:
    """Columns of images, ``width`` pixels wide, starting at each of ``columns``: ``(N, columns, H, width C)``."""
    n, h, _, c = x.shape
    lowered = empty((n, len(columns), h, width * c), x.dtype)
    return _copied(_runs(x, width, range(h), columns).transpose(0, 2, 1), lowered)


def runs(x: Array, width: int, rows: range, columns: range) -> Array:
    """Runs of ``width`` pixels, starting at each of ``rows`` and ``columns``: ``(N, rows, columns, width C)``."""
    lowered = empty((len(x), len(rows), len(columns), width * x.shape[3]), x.dtype)
    return _copied(_runs(x, width, rows, columns), lowered)


def _runs(x: Array, width: int, rows: range, columns: range) -> Array:
    """Runs of contiguous images, which may overlap, as a view: ``(N, rows, columns)``.

    A run is one element of an opaque dtype, which NumPy copies by one memmove: twice as fast as a loop over its numbers
    (0.06 against 0.12 ms for the strips of 32 images of 26 x 26 x 8). Copying number by number, a step takes 1.13 to
    1.17 times as long in experiments 1 to 4 at batch 256.
    """
    n, h, w, c = x.shape
    pixel = c * x.itemsize
    return np.ndarray(
        (n, len(rows), len(columns)),
        element(width * pixel),
        x,
        (rows.start * w + columns.start) * pixel,
        (h * w * pixel, rows.step * w * pixel, columns.step * pixel),
    )


@cache
def element(size: int) -> np.dtype[Any]:
    """An opaque dtype of so many bytes."""
    return np.dtype((np.void, size))


def _copied(runs: Array, lowered: Array) -> Array:
    np.copyto(lowered.view(runs.dtype)[..., 0], runs)
    return lowered


def copy_pixels(source: Array, target: Array) -> None:
    """Copy between arrays of one shape, pixel by pixel.

    Number by number, a step of training takes 1.09 times as long in experiment 3, and 1.21 times at batch 256.
    """
    if as_elements(source) and as_elements(target):
        pixel = element(source.shape[-1] * source.itemsize)
        np.copyto(target.view(pixel), source.view(pixel))
    else:
        np.copyto(target, source)


def side_by_side(xs: Sequence[Array], y: Array) -> None:
    """Write arrays into ``y``, one after the other along the last axis.

    A few channels of many pixels are copied pixel by pixel: 16 and 8 of 32 x 32 x 32 take 0.24 ms, and 0.59 by
    np.concatenate; but 8 and 8 of 4 x 8 x 8 take 14 us, and 7.
    """
    if y.size < MANY_PIXELS * y.shape[-1] or not all(x.dtype == y.dtype and as_elements(x) for x in xs):
        np.concatenate(xs, axis=-1, out=y)
        return
    start = 0
    for x in xs:
        stop = start + x.shape[-1]
        copy_pixels(x, y[..., start:stop])
        start = stop


def as_elements(x: Array) -> bool:
    """Whether pixels may be copied as elements: each lies in one piece and is small."""
    return 0 < x.shape[-1] * x.itemsize <= FEW_CHANNELS and x.strides[-1] == x.itemsize
