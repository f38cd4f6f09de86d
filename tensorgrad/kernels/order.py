"""The two orders in which images lie in memory. The shape of their array is ``(N, H, W, C)`` in both.

*One after the other*, as in ``(N, H, W, C)``: so users' arrays lie, and small batches. *Side by side*, as in
``(H, C, W, N)``: the images are the last axis of memory. Whatever is done to a row of pixels is then done to one long
run: a tap of a convolution or of a pool begins N numbers further on, a bias or a scale is one number for all of a run,
and padding is a run of zeros. Passes are as long as NumPy's loops like them, however few the channels are.

Convolutions of many images give their results side by side, and what follows keeps the order of what it gets. Every
kernel is right for both orders, and for any strides; the order says only what is fast.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.memory import Array, empty

LEAST = 16  # images; fewer make the runs too short
APART = 16  # numbers between two images
ORDER = (1, 3, 2, 0)  # of memory (H, C, W, N), in axes of (N, H, W, C)


def pays(count: int) -> bool:
    """Whether so many images are faster side by side: not where BLAS multiplies small matrices without packing them."""
    return count >= LEAST and not blas.multiplies_small_matrices_as_they_are()


def are_beside(x: Array) -> bool:
    """Whether the images of an array ``(N, H, W, C)`` lie side by side, in one piece of memory."""
    return x.ndim == 4 and len(x) > 1 and x.strides[0] == x.itemsize and rows(x).flags.c_contiguous


def rows(x: Array) -> Array:
    """Images ``(N, H, W, C)`` as they lie side by side: ``(H, C, W, N)``, a view."""
    return x.transpose(ORDER)


def images(memory: Array) -> Array:
    """The transpose of rows."""
    return memory.transpose(3, 0, 2, 1)


def empty_beside(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Images ``(N, H, W, C)`` side by side, with arbitrary contents."""
    n, _, w, c = shape
    item = np.dtype(dtype).itemsize
    return empty(shape, dtype, strides=(item, c * w * n * item, n * item, w * n * item))


def empty_as(x: Array, shape: tuple[int, ...] | None = None, dtype: np.dtype[Any] | None = None) -> Array:
    """An array with arbitrary contents in the order of ``x``, and of its shape and dtype unless told otherwise."""
    make = empty_beside if are_beside(x) else empty
    return make(x.shape if shape is None else shape, x.dtype if dtype is None else dtype)


def put_beside(x: Array) -> Array:
    """Images side by side: ``x`` itself, or a copy.

    It is copied twice where images lie a multiple of 4096 bytes apart, as such push each other's pixels out of the
    cache: 64 images of 32 x 32 x 3 take 0.15 ms, and 0.63 at once.
    """
    if are_beside(x):
        return x
    if x.strides[0] % 4096 == 0 and x[0].size:
        size = prod(x.shape[1:])
        apart = empty((len(x), size + APART), x.dtype)[:, :size].reshape(x.shape)  # a view, as only N is strided
        np.copyto(apart, x)
        x = apart
    y = empty_beside(x.shape, x.dtype)
    np.copyto(rows(y), rows(x))
    return y


def as_they_lie(first: Array, *others: Array) -> list[Array]:
    """Arrays of one shape, transposed as the first one lies, so that passes go along its memory."""
    if are_beside(first):
        return [rows(x if are_beside(x) else put_beside(x)) for x in (first, *others)]
    return [first, *others]
