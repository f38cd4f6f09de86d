"""Matrix products in pieces: on our own threads, and as BLAS likes them.

BLAS has threads of its own, but they wait for each other in a loop: where another process has one of their cores, a
product of 32 x 9216 by 9216 x 10 takes 4 ms instead of 0.1. So BLAS is held at one thread, and what is large enough
is cut along the longer axis of the result: 32 x 784 by 784 x 512 takes 0.22 ms on two threads, 0.39 in pieces of rows.

With AVX-512, OpenBLAS multiplies matrices as they are in products of up to a million multiply-adds; of others it
makes copies first. So pieces of that size are faster, if they have enough rows. Times in ms::

                                       whole     in pieces
    16 x 1152 by 1152 x 128            0.064     0.045    64 columns by 13 rows
    9216 x 256 by 256 x 10             0.88      0.47     all columns by 390 rows
    256 x 2304 by 2304 x 256           1.5       2.2      64 columns by 6 rows: too few, so it stays whole
    256 x 10 by the transpose of 9216 x 10
                                       1.34      0.54     390 columns by 256 rows
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.elementwise import add_bias_and_activate_
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import cut, over_batch

ALONE = 1 << 18  # multiply-adds that OpenBLAS does on one thread in any case
SUMMANDS = 1 << 18  # numbers in products that are yet to be added up
SMALL_PRODUCT = 1_000_000  # multiply-adds up to which it takes matrices as they are, where it can


def affine(x: Array, w: Array, b: Array, activation: str | None) -> Array:
    """``activation(x @ w + b)`` for matrices, with an activation of IN_PLACE or none."""
    return matmul(x, w, lambda rows: add_bias_and_activate_(rows, b, activation))


def matmul(x: Array, y: Array, finish: Callable[[Array], None] | None = None) -> Array:
    """The product x @ y, for operands of at least two axes, as ``numpy.matmul`` has it; the leading ones broadcast.

    ``finish`` is called with rows of the result as they are done, and in the end has had them all.
    """
    small = x.size * y.shape[-1] <= ALONE
    if small or x.dtype.kind not in "fc" or x.shape[-1] != y.shape[-2]:  # or NumPy says what is wrong
        product = np.asarray(np.matmul(x, y))
        if finish is not None:
            finish(product)
        return product
    dtype = np.result_type(x, y)
    leading = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    out = empty((*leading, x.shape[-2], y.shape[-1]), dtype)
    if leading and x.shape[:-2] != y.shape[:-2]:
        x, y = (np.broadcast_to(a, (*leading, *a.shape[-2:])) for a in (x, y))

    def rows(part: slice) -> None:
        multiply(x[part], y[part] if leading else y, out[part])
        if finish is not None:
            finish(out[part])

    def columns(part: slice) -> None:
        multiply(x, y[:, part], out[:, part])

    if leading or out.shape[0] >= out.shape[1]:
        over_batch(rows, len(out), len(out), out[:1].size * x.shape[-1])
    else:  # each thread goes over its own part of the larger matrix
        over_batch(columns, out.shape[1], out.shape[1], x.size)
        if finish is not None:
            finish(out)
    return out


def multiply(a: Array, b: Array, out: Array) -> None:
    """np.matmul for matrices, or stacks of them, on one thread."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    if is_small(m, k, n) or not blas.multiplies_small_matrices_as_they_are():
        np.matmul(a, b, out=out)
        return
    if b.strides[-1] == b.itemsize:
        width, height = 64, SMALL_PRODUCT // (k * min(n, 64))
        in_order = a.strides[-1] == a.itemsize or k <= 512  # else each piece goes over all of a's memory
        worth_it = height >= (8 if m <= 64 else 16) and in_order
    else:  # transposed, as in the gradient of a fully connected layer's input
        height = min(m, 256)
        width = SMALL_PRODUCT // (height * k)
        worth_it = k <= 16
    if not worth_it:
        width, height = n, m
    for columns in cut(0, n, width):
        for rows in cut(0, m, height):
            np.matmul(a[..., rows, :], b[..., columns], out=out[..., rows, columns])


def sum_of_products(a: Array, b: Array) -> Array:
    """The sum over two stacks of matrices of a[i] @ b[i], with few of these products in memory at a time."""
    total = np.zeros((a.shape[1], b.shape[2]), a.dtype)
    for some in cut(0, len(a), SUMMANDS // total.size):
        total += np.matmul(a[some], b[some]).sum(axis=0)
    return total


def is_small(m: int, k: int, n: int) -> bool:
    """Whether BLAS may multiply m x k by k x n without copying them first."""
    return m * k * n <= SMALL_PRODUCT
