"""Threads over slices of a batch. NumPy releases the GIL in copies, ufuncs and products, so plain threads suffice.

The batch is cut into one run of images per thread, always at the same places for the same number of threads:
results are equal to the bit from run to run. While our threads run, OpenBLAS is held at one thread of its own.
No thread is started before the first call that has work for it; where none can be started, all runs in the caller's.
"""

from __future__ import annotations

import contextvars
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import numpy as np

T = TypeVar("T")

# Handing a slice to a thread and waiting for it takes about 0.03 ms: less work than this is done by the caller.
WORTH_A_THREAD = 2_000_000  # multiply-adds; an element-wise pass over an array counts 8 for each element


class _Failure(NamedTuple):
    error: BaseException


class _Pool:
    """Threads that wait for work, started when they are first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.started = 0

    def start(self, wanted: int) -> int:
        """Have at least ``wanted`` threads, if the system lets us; how many there are."""
        with self.lock:
            while self.started < wanted:
                try:
                    threading.Thread(target=self._work, name="tensorgrad", daemon=True).start()
                except RuntimeError:  # no threads here (Pyodide), or no more of them
                    break
                self.started += 1
            return self.started

    def _work(self) -> None:
        _inside.value = True
        while True:
            self.tasks.get()()


_inside = threading.local()  # .value: whether this thread already runs a slice, so that nested calls do not wait
_pool = _Pool()
_count: int | None = None


def _reset_after_fork() -> None:
    global _pool
    _pool = _Pool()  # a forked process has none of its parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def get_num_threads() -> int:
    """How many threads the kernels use: as set, else TENSORGRAD_NUM_THREADS, else one per available core."""
    global _count
    if _count is None:
        text = os.environ.get("TENSORGRAD_NUM_THREADS", "").strip()
        if not text:
            _count = _cores()
        elif text.isdigit() and int(text) > 0:
            set_num_threads(int(text))
        else:
            raise ValueError(f"TENSORGRAD_NUM_THREADS: expected a whole number of threads from 1, received {text!r}")
    return _count or 1


def set_num_threads(n: int) -> None:
    """Use ``n`` threads, in the kernels and, where it is OpenBLAS, in NumPy's matrix products."""
    global _count
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"set_num_threads: expected a whole number of threads from 1, received {n!r}")
    _count = int(n)
    blas = _blas_threads()
    if blas is not None:
        blas.set(_count)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def over_batch(function: Callable[[slice], T], count: int, tile: int, work: float) -> list[T]:
    """Run a function over all of a batch, tile by tile, on as many threads as the work is worth.

    Parameters
    ----------
    function : called with slices of the batch; writes its results where they belong, or returns a part of a sum.
    count : how many images there are.
    tile : how many images to take at once, so that what is made of them stays in a core's cache.
    work : multiply-adds per image.

    Returns
    -------
    What the function returned, tile by tile in the order of the batch.

    """
    parts = 1
    if count > 1 and not getattr(_inside, "value", False):
        parts = max(1, min(get_num_threads(), count, int(count * work / WORTH_A_THREAD)))
    if parts > 1:
        parts = min(parts, _pool.start(parts - 1) + 1)
    if parts == 1:
        return [function(images) for images in cut(0, count, tile)]
    bounds = [count * part // parts for part in range(parts + 1)]
    results: list[list[T] | _Failure] = [[] for _ in range(parts)]
    done: SimpleQueue[None] = SimpleQueue()

    def run(part: int) -> None:
        try:
            results[part] = [function(images) for images in cut(bounds[part], bounds[part + 1], tile)]
        except BaseException as error:  # to be raised again by the caller
            results[part] = _Failure(error)

    def task(part: int) -> Callable[[], None]:
        context = contextvars.copy_context()  # np.errstate and the like hold in the thread as well

        def work_on_it() -> None:
            context.run(run, part)
            done.put(None)

        return work_on_it

    with blas_at_one_thread():
        for part in range(1, parts):
            _pool.tasks.put(task(part))
        run(0)
        for _ in range(1, parts):
            done.get()
    joined: list[T] = []
    for result in results:
        if isinstance(result, _Failure):
            raise result.error
        joined += result
    return joined


def cut(start: int, stop: int, most: int) -> Iterator[slice]:
    """Slices of about equal length, none longer than ``most``."""
    tiles = -(-(stop - start) // max(most, 1))
    for i in range(tiles):
        yield slice(start + (stop - start) * i // tiles, start + (stop - start) * (i + 1) // tiles)


class _Blas(NamedTuple):
    get: Callable[[], int]
    set: Callable[[int], Any]


_blas_found: list[_Blas | None] = []
_holders = 0  # callers that hold BLAS at one thread; the first notes what it was, the last restores it
_threads_before = 1
_holders_lock = threading.Lock()


def _blas_threads() -> _Blas | None:
    """How to read and set OpenBLAS's number of threads; None with another BLAS."""
    if not _blas_found:
        _blas_found.append(_find_blas())
    return _blas_found[0]


def _find_blas() -> _Blas | None:
    extension = sys.modules.get("numpy._core._multiarray_umath")
    try:
        library = ctypes.CDLL(str(getattr(extension, "__file__", "")))  # knows the libraries that it is linked to, too
    except OSError:
        return None
    for prefix in ("scipy_openblas", "openblas"):
        for suffix in ("64_", ""):
            getter = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
            setter = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
            if getter is not None and setter is not None:
                return _Blas(getter, setter)
    return None


@contextmanager
def blas_at_one_thread() -> Iterator[None]:
    """Hold BLAS at one thread inside of the ``with`` block, whichever threads are in such blocks at the time."""
    global _holders, _threads_before
    blas = _blas_threads()
    if blas is None:  # another BLAS keeps its own threads: slower, as correct
        yield
        return
    with _holders_lock:
        if _holders == 0:
            _threads_before = blas.get()
            if _threads_before != 1:
                blas.set(1)
        _holders += 1
    try:
        yield
    finally:
        with _holders_lock:
            _holders -= 1
            if _holders == 0 and _threads_before != 1:
                blas.set(_threads_before)
