"""Matrix products in pieces: on our own threads, and as BLAS likes them.

BLAS has threads of its own, but they wait for each other in busy loops: while another process uses one of the cores, a
product of 32 x 9216 by 9216 x 10 takes 4 ms instead of 0.1. So BLAS is held at one thread, and large products are cut
along the longer axis of the result: 32 x 784 by 784 x 512 takes 0.22 ms on two threads, but 0.39 in pieces of rows.
:func:`tensorgrad.kernels.plan.pieces_of` says how a thread cuts its own part further.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tensorgrad.kernels.elementwise import InPlace, add_bias_and_activate_
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.plan import Pieces, pieces_of
from tensorgrad.kernels.threads import cut, over_batch, share_out

ALONE = 1 << 18  # multiply-adds that OpenBLAS does on one thread in any case
SUMMANDS = 1 << 18  # numbers in the products that are held before they are added up


def affine(x: Array, w: Array, b: Array, activation: InPlace | None) -> Array:
    """``activation(x @ w + b)`` for matrices; the activation may be None."""
    return matmul(x, w, lambda rows: add_bias_and_activate_(rows, b, activation))


def matmul(x: Array, y: Array, finish: Callable[[Array], None] | None = None) -> Array:
    """The product x @ y of operands with at least two axes, as ``numpy.matmul`` defines it; leading axes broadcast.

    ``finish`` is called on each finished block of rows; the calls cover all rows.
    """
    small = x.size * y.shape[-1] <= ALONE
    if small or x.dtype.kind not in "fc" or x.shape[-1] != y.shape[-2]:  # NumPy reports wrong shapes
        # np.matmul multiplies a column by a row without BLAS: 1152 by 64 take 112 us, and 39 by np.dot
        product = np.asarray(np.dot(x, y) if x.ndim == y.ndim == 2 else np.matmul(x, y))
        if finish is not None:
            finish(product)
        return product
    dtype = np.result_type(x, y)
    leading = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    out = empty((*leading, x.shape[-2], y.shape[-1]), dtype)
    if leading and x.shape[:-2] != y.shape[:-2]:
        x, y = (np.broadcast_to(a, (*leading, *a.shape[-2:])) for a in (x, y))

    def rows(part: slice) -> None:
        _multiply(x[part], y[part] if leading else y, out[part])
        if finish is not None:
            finish(out[part])

    def columns(part: slice) -> None:
        _multiply(x, y[:, part], out[:, part])

    if leading or out.shape[0] >= out.shape[1]:
        over_batch(rows, len(out), len(out), out[:1].size * x.shape[-1])
    else:  # each thread goes over its own part of the larger matrix
        over_batch(columns, out.shape[1], out.shape[1], x.size)
        if finish is not None:
            finish(out)
    return out


def is_one_product(m: int, k: int, n: int) -> bool:
    """Whether m x k by k x n is multiplied at once and on one thread: np.dot does it then, without what is above."""
    threads, _ = share_out(max(m, n), max(m, n), min(m, n) * k)
    return threads == 1 and pieces_of(m, k, n) is None


def _multiply(a: Array, b: Array, out: Array) -> None:
    (m, k), n = a.shape[-2:], b.shape[-1]
    left_in_order, right_in_order = (operand.strides[-1] == operand.itemsize for operand in (a, b))
    multiply(a, b, out, pieces_of(m, k, n, left_in_order, right_in_order))


def multiply(a: Array, b: Array, out: Array, pieces: Pieces | None) -> None:
    """np.matmul of matrices, or stacks of them, on one thread: at once, or piece by piece of the result."""
    if pieces is None:
        np.matmul(a, b, out=out)
        return
    for columns in cut(0, b.shape[-1], pieces.columns):
        for rows in cut(0, a.shape[-2], pieces.rows):
            np.matmul(a[..., rows, :], b[..., columns], out=out[..., rows, columns])


def sum_of_products(a: Array, b: Array) -> Array:
    """The sum of a[i] @ b[i] over two stacks of matrices; only a few of the products are in memory at a time."""
    total = np.zeros((a.shape[1], b.shape[2]), a.dtype)
    for some in cut(0, len(a), SUMMANDS // total.size):
        total += np.matmul(a[some], b[some]).sum(axis=0)
    return total
