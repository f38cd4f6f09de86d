"""Kernels that are bound to memory, for batches of one size: what depends on shapes alone is done once.

A convolution of one image of 28 x 28 pixels takes 7 microseconds. To look up its plan, take memory and make views takes
longer. So a bound kernel is made for the array that its input will be in. It gives the array that its result will be
in, and the steps that compute it. Weights are given as functions, and read whenever a step is taken.

Here a convolution is one matrix product over im2col, whose rows end with a one that the bias is multiplied by. That is
as fast as strips for a few images (26 x 26 x 8 to 16: 30 us both), and spares the pass that adds the bias (6 us). For
images of one channel the matrix is written transposed, tap by tap, in runs along the rows of images: 7 against 13 us.
Winograd is slower for so few: one image of 32 x 32 x 32 to 32 takes 420 us that way, and 290 by im2col.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tensorgrad.kernels import convolution, images_last, matrix, pooling
from tensorgrad.kernels.channels import repeated, rows_of
from tensorgrad.kernels.elementwise import InPlace
from tensorgrad.kernels.images_last import Live as Live
from tensorgrad.kernels.images_last import Step as Step
from tensorgrad.kernels.lowering import NO_FRAME, Frame, Pair, copy_pixels, element, output_sizes, side_by_side, windows
from tensorgrad.kernels.memory import Array
from tensorgrad.kernels.plan import ONE, TILE, plan
from tensorgrad.kernels.threads import share_out

Bound = tuple[Array, list[Step]]  # where the result will be, and what computes it


def conv2d(
    x: Array,
    w: Live,
    b: Live | None,
    activation: InPlace | None,
    stride: Pair,
    padding: Frame,
    dilation: Pair,
    groups: int,
) -> Bound:
    """As :func:`tensorgrad.kernels.convolution.conv2d`, whose own lowerings are taken where a matrix would be large."""
    kh, kw, c, f = w().shape
    n = len(x)
    depthwise = groups == f == x.shape[3] and groups > 1
    if images_last.pays(n) and dilation == ONE and (groups == 1 or depthwise):
        return images_last.conv2d(x, w, b, activation, stride, padding, depthwise)
    if not x.flags.c_contiguous:
        x, before = _in_order(x)
        y, steps = conv2d(x, w, b, activation, stride, padding, dilation, groups)
        return y, [*before, *steps]
    planned = plan(n, convolution.geometry_of(x.shape, padding, (kh, kw), f, stride, dilation, groups, x.dtype))
    y = np.empty((n, *planned.out, f), x.dtype)
    rows, k = y.size // f, kh * kw * c
    threads, _ = share_out(n, planned.images, planned.work)
    if groups > 1 or threads > 1 or rows * (k + 1) * x.itemsize > TILE:

        def whole() -> None:
            convolution.convolve(planned, x, padding, w(), y, None if b is None else b(), activation)

        return y, [whole]
    x, steps = pad(x, padding)
    lowered, copy = _im2col(x, (kh, kw), stride, dilation)
    kernel, result = np.zeros((k + 1, f), x.dtype), y.reshape(rows, f)

    def multiply() -> None:
        kernel[:k] = w().reshape(k, f)
        if b is not None:
            kernel[k] = b()
        np.dot(lowered, kernel, out=result)

    return y, [*steps, copy, multiply, *_activated(y, activation)]


def _im2col(x: Array, size: Pair, stride: Pair, dilation: Pair) -> tuple[Array, Step]:
    """The windows of contiguous, framed images, each followed by a one: ``(N OH OW, KH KW C + 1)``."""
    view = windows(x, size, stride, dilation)  # (N, OH, OW, KH, KW, C)
    n, oh, ow, kh, kw, c = view.shape
    rows, k = n * oh * ow, kh * kw * c
    if c == 1:
        taps = np.ones((k + 1, rows), x.dtype)
        return taps.T, partial(np.copyto, taps[:k].reshape(kh, kw, c, n, oh, ow), view.transpose(3, 4, 5, 0, 1, 2))
    lowered = np.ones((rows, k + 1), x.dtype)
    if dilation[1] != 1:
        target = lowered.reshape(n, oh, ow, k + 1)[..., :k]
        return lowered, partial(np.copyto, _split(target, view.shape), view)
    run = element(kw * c * x.itemsize)  # a row of a window is copied as one element
    step = (k + 1) * x.itemsize
    source: Array = np.ndarray((n, oh, ow, kh), run, x, 0, view.strides[:4])
    into: Array = np.ndarray(source.shape, run, lowered, 0, (oh * ow * step, ow * step, step, run.itemsize))
    return lowered, partial(np.copyto, into, source)


def _split(rows: Array, shape: tuple[int, ...]) -> Array:
    """A view of windows in the rows of a matrix, ``(N, OH, OW, KH, KW, C)``."""
    *_, kw, c = shape
    last = rows.itemsize
    view: Array = np.lib.stride_tricks.as_strided(rows, shape, (*rows.strides[:3], kw * c * last, c * last, last))
    return view


def _in_order(x: Array) -> Bound:
    """The images in one piece of memory each."""
    y = np.empty(x.shape, x.dtype)
    return y, [partial(np.copyto, y, x)]


def flatten(x: Array, shape: tuple[int, ...]) -> Bound:
    """Samples of another shape.

    Those of images that lie side by side still do: they are columns of a matrix then.
    """
    if not images_last.are_last(x):
        return x.reshape(len(x), *shape), []
    y = np.empty((*x.shape[1:], len(x)), x.dtype)  # (H, W, C, N)
    return np.moveaxis(y.reshape(*shape, len(x)), -1, 0), [partial(np.copyto, y, np.moveaxis(x, 0, -1))]


def pad(x: Array, frame: Frame) -> Bound:
    """The images in a frame of zeros."""
    if frame == NO_FRAME:
        return x, []
    n, h, w, c = x.shape
    (top, bottom), (left, right) = frame
    wide = images_last.empty_as(x, (n, top + h + bottom, left + w + right, c))
    wide[...] = 0
    return wide, [partial(np.copyto, wide[:, top : top + h, left : left + w], x)]


def affine(x: Array, w: Live, b: Live | None, activation: InPlace | None) -> Bound:
    """As :func:`tensorgrad.kernels.matrix.affine`, which is taken where the product is shared or cut."""
    y = np.empty((len(x), w().shape[1]), x.dtype)
    if b is not None and not matrix.is_one_product(len(x), x.shape[1], y.shape[1]):
        return y, [lambda: np.copyto(y, matrix.affine(x, w(), b(), activation))]

    def multiply() -> None:
        np.dot(x, w(), out=y)
        if b is not None:
            np.add(y, b(), out=y)

    return y, [multiply, *_activated(y, activation)]


def extreme(x: Array, size: Pair, stride: Pair, padding: Frame, largest: bool) -> Bound:
    """As :func:`tensorgrad.kernels.pooling.extreme`."""
    y, rows = _pooled(x, size, stride, padding)
    pick, worst = (np.maximum, -np.inf) if largest else (np.minimum, np.inf)
    return y, list(pooling.reductions(pick, worst, x, rows, y, size, stride, padding))


def average(x: Array, size: Pair, stride: Pair, padding: Frame) -> Bound:
    """As :func:`tensorgrad.kernels.pooling.average`."""
    y, rows = _pooled(x, size, stride, padding)
    counts = pooling.counts(x.shape, size, stride, padding, x.dtype)
    sums = pooling.reductions(np.add, 0, x, rows, y, size, stride, padding)
    return y, [*sums, partial(np.divide, y, counts, out=y)]


def _pooled(x: Array, size: Pair, stride: Pair, padding: Frame) -> tuple[Array, Array]:
    """Memory for the pooled images, and for them while only their rows are pooled."""
    n, h, w, c = x.shape
    oh, ow = output_sizes((h, w), size, stride, padding, ONE)
    return images_last.empty_as(x, (n, oh, ow, c)), images_last.empty_as(x, (n, oh, w, c))


def batch_norm(x: Array, w: Live, b: Live, mean: Live, variance: Live, eps: float) -> Bound:
    """``(x - mean) / sqrt(var + eps) w + b`` for each channel, the last axis."""
    y = np.empty_like(x)
    apart = not x.flags.c_contiguous
    rows, out = (x, y) if apart else (rows_of(x), rows_of(y))

    def scale() -> None:
        slopes = w() * (variance().astype(x.dtype, copy=False) + eps) ** -0.5
        values = mean().astype(x.dtype, copy=False), slopes, b()
        shift, factor, last = values if apart else (repeated(each, rows) for each in values)
        np.subtract(rows, shift, out=out)
        np.multiply(out, factor, out=out)
        np.add(out, last, out=out)

    return y, [scale]


def activate(x: Array, activation: InPlace) -> Bound:
    """An activation that is a step of its own."""
    y = np.empty_like(x)
    return y, [partial(np.copyto, y, x), partial(activation, y)]


def _activated(y: Array, activation: InPlace | None) -> list[Step]:
    return [] if activation is None else [partial(activation, y)]


def upsample(x: Array, times: Pair) -> Bound:
    """Each pixel repeated along rows and columns."""
    (n, h, w, c), (kh, kw) = x.shape, times
    y = images_last.empty_as(x, (n, h * kh, w * kw, c))
    if images_last.are_last(x):
        return y, [partial(np.copyto, y[:, i::kh, j::kw], x) for i in range(kh) for j in range(kw)]
    return y, [partial(copy_pixels, x[:, :, None, :, None], y.reshape(n, h, kh, w, kw, c))]


def add(parts: list[Array]) -> Bound:
    """The sum of arrays of one shape."""
    first, *others = parts
    if not others:
        return first, []
    y = np.empty_like(first, np.result_type(*parts))
    return y, [partial(np.add, a, b, out=y) for a, b in zip([first, *[y] * (len(others) - 1)], others, strict=True)]


def concatenate(parts: list[Array]) -> Bound:
    """Arrays one after the other along the last axis."""
    shape = *parts[0].shape[:-1], sum(part.shape[-1] for part in parts)
    y = images_last.empty_as(parts[0].astype(np.result_type(*parts), copy=False), shape)
    return y, [partial(side_by_side, parts, y)]
