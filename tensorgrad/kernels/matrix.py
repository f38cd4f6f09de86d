"""Matrix products on our own threads.

BLAS has threads of its own, but they wait for each other in a loop: where another process has one of their cores, a
product of 32 x 9216 by 9216 x 10 takes 4 ms instead of 0.1. So BLAS is held at one thread, and what is large enough
is cut along its first axis.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.kernels import blas
from tensorgrad.kernels.memory import Array, empty
from tensorgrad.kernels.threads import over_batch

SMALL = 1 << 18  # multiply-adds that OpenBLAS does on one thread in any case


def matmul(x: Array, y: Array) -> Array:
    """The product x @ y, for operands of at least two axes, as ``numpy.matmul`` has it; the leading ones broadcast."""
    small = x.size * y.shape[-1] <= SMALL
    if small or x.dtype.kind not in "fc" or x.shape[-1] != y.shape[-2]:  # or NumPy says what is wrong
        return np.asarray(np.matmul(x, y))
    dtype = np.result_type(x, y)
    leading = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    out = empty((*leading, x.shape[-2], y.shape[-1]), dtype)
    if leading and x.shape[:-2] != y.shape[:-2]:
        x, y = (np.broadcast_to(a, (*leading, *a.shape[-2:])) for a in (x, y))

    def some(part: slice) -> None:
        np.matmul(x[part], y[part] if leading else y, out=out[part])

    with blas.at_one_thread():
        over_batch(some, len(out), len(out), out[:1].size * x.shape[-1])
    return out
