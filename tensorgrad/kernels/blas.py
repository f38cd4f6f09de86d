"""The BLAS library behind NumPy's products: its threads, and what its kernels are good at."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple


class Library(NamedTuple):
    """OpenBLAS, as it was loaded with NumPy."""

    threads: Callable[[], int]
    set_threads: Callable[[int], Any]
    core: str  # whose kernels it uses


@cache
def library() -> Library | None:
    """OpenBLAS, as loaded with NumPy; None if NumPy uses another BLAS."""
    extension = sys.modules.get("numpy._core._multiarray_umath")
    try:
        loaded = ctypes.CDLL(str(getattr(extension, "__file__", "")))  # finds the names of libraries that it links to
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
    """Whether BLAS multiplies small matrices, of up to a million multiply-adds, without packing them first.

    OpenBLAS has such kernels for processors with AVX-512, unless OPENBLAS_CORETYPE selects others.
    """
    found = library()
    return found is not None and found.core.lower() in ("skylakex", "cooperlake", "sapphirerapids")


class _OneThread:
    """Holds BLAS at one thread inside a ``with`` block; several threads may be in such blocks at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0  # the first saves the number of threads, the last restores it
        self.before = 1

    def __enter__(self) -> None:
        found = library()
        if found is None:  # another BLAS keeps its own threads: slower, but as correct
            return
        with self.lock:
            if self.holders == 0:
                self.before = found.threads()
                if self.before != 1:
                    found.set_threads(1)
            self.holders += 1

    def set_threads(self, count: int) -> None:
        """Let BLAS have so many threads: now, or once nobody holds it at one any more."""
        found = library()
        if found is None:
            return
        with self.lock:
            if self.holders == 0:
                found.set_threads(count)
            self.before = count

    def __exit__(self, *error: object) -> None:
        found = library()
        if found is None:
            return
        with self.lock:
            self.holders -= 1
            if self.holders == 0 and self.before != 1:
                found.set_threads(self.before)


one_thread = _OneThread()
"""``with blas.one_thread:`` holds BLAS at one thread: its threads would spin for 0.03 s on the cores that ours need."""
