"""The BLAS library behind NumPy's products: how many threads of its own it uses, and what its kernels are good at."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple


class Library(NamedTuple):
    """OpenBLAS, as it was loaded with NumPy."""

    threads: Callable[[], int]
    set_threads: Callable[[int], Any]
    core: str  # whose kernels it uses


_holders = 0  # callers that hold BLAS at one thread; the first notes what it was, the last restores it
_threads_before = 1
_holders_lock = threading.Lock()


@cache
def library() -> Library | None:
    """How to ask and set OpenBLAS; None with another BLAS."""
    extension = sys.modules.get("numpy._core._multiarray_umath")
    try:
        loaded = ctypes.CDLL(str(getattr(extension, "__file__", "")))  # knows the libraries that it is linked to, too
    except OSError:
        return None
    for prefix in ("scipy_openblas", "openblas"):
        for suffix in ("64_", ""):
            names = ("get_num_threads", "set_num_threads", "get_corename")
            found = [getattr(loaded, f"{prefix}_{name}{suffix}", None) for name in names]
            getter, setter, core = found
            if getter is not None and setter is not None and core is not None:
                core.restype = ctypes.c_char_p
                return Library(getter, setter, (core() or b"").decode())
    return None


@cache
def multiplies_small_matrices_as_they_are() -> bool:
    """Whether products of up to a million multiply-adds are spared the copies that others are made of.

    OpenBLAS has such kernels for processors with AVX-512. OPENBLAS_CORETYPE may have told it to use others.
    """
    found = library()
    return found is not None and found.core.lower() in ("skylakex", "cooperlake", "sapphirerapids")


@contextmanager
def at_one_thread() -> Iterator[None]:
    """Hold BLAS at one thread inside of the ``with`` block, whichever threads are in such blocks at the time."""
    global _holders, _threads_before
    found = library()
    if found is None:  # another BLAS keeps its own threads: slower, as correct
        yield
        return
    with _holders_lock:
        if _holders == 0:
            _threads_before = found.threads()
            if _threads_before != 1:
                found.set_threads(1)
        _holders += 1
    try:
        yield
    finally:
        with _holders_lock:
            _holders -= 1
            if _holders == 0 and _threads_before != 1:
                found.set_threads(_threads_before)
