"""Threads over slices of a batch. NumPy releases the GIL in copies, ufuncs and products, so plain threads suffice.

The batch is cut at the same places whenever the number of threads is the same, and partial sums are added in order:
results are equal to the bit from run to run, whichever thread took which piece. OpenBLAS is held at one thread of its
own meanwhile. The first call with enough work starts the threads; where none can be started, the caller does it all.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from tensorgrad.kernels import blas

T = TypeVar("T")

# A sleeping thread takes 0.02 to 0.05 ms to wake up, so it is woken for at least this much work.
SHARE = 6_000_000  # multiply-adds, about 0.12 ms
PIECES = 2  # per thread, of at least two shares each, so a late thread delays the others only briefly
TILE = 1 << 20  # bytes of an operand in one piece of a pass over arrays
PASS = 8.0  # what one element of a pass over an array costs, in multiply-adds


class _Failure(NamedTuple):
    error: BaseException


class _Pool:
    """Threads that wait for work, started when they are first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.started = 0

    def start(self, wanted: int) -> int:
        """Start threads until there are ``wanted``, or the system refuses; return how many there are."""
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
_most: ContextVar[int | None] = ContextVar("tensorgrad_threads", default=None)  # see limited


def _reset_after_fork() -> None:
    global _pool
    _pool = _Pool()  # a forked process has none of its parent's threads


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def get_num_threads() -> int:
    """How many threads the kernels use: as set, else TENSORGRAD_NUM_THREADS, else one per available core."""
    most = _most.get()
    return _all() if most is None else min(most, _all())


def _all() -> int:
    """How many threads all kernels that run at once have together."""
    global _count
    if _count is None:
        text = os.environ.get("TENSORGRAD_NUM_THREADS", "").strip()
        if not text:
            _count = len(cores())
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
    blas.one_thread.set_threads(_count)


@contextmanager
def limited(most: int) -> Iterator[None]:
    """Use at most so many threads in the kernels of this context, for a while: where others use the other cores."""
    token = _most.set(min(most, get_num_threads()))
    try:
        yield
    finally:
        _most.reset(token)


def cores() -> set[int]:
    """The numbers of the cores that this process may use."""
    return set(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


def over_batch(function: Callable[[slice], T], count: int, tile: int, work: float) -> list[T]:
    """Run a function over all of a batch, piece by piece, on as many threads as the work is worth.

    Whichever thread is free takes the next piece, so no thread waits for a late one.

    Parameters
    ----------
    function : called with slices of the batch; it writes its results in place, or returns a part of a sum.
    count : the number of images.
    tile : the most images in one piece, so that its intermediate arrays fit a core's cache.
    work : multiply-adds per image.

    Returns
    -------
    The function's results, in the order of the batch.

    """
    threads, most = share_out(count, tile, work)
    with blas.one_thread:
        wanted = threads if _most.get() is None else _all()  # as others who are limited want theirs too
        if threads < 2 or getattr(_inside, "value", False) or not (helpers := _pool.start(wanted - 1)):
            return [function(images) for images in cut(0, count, most)]
        job = _Job(function, list(cut(0, count, most)))
        for _ in range(min(helpers, threads - 1)):
            _pool.tasks.put(partial(contextvars.copy_context().run, job.help))  # np.errstate and the like hold there
        return job.finish()


def share_out(count: int, tile: int, work: float) -> tuple[int, int]:
    """How many threads to use, and how many images, at most ``tile``, each takes at a time."""
    shares = int(count * work / SHARE)
    threads = min(get_num_threads(), count, shares)
    if threads < 2:
        return 1, max(tile, 1)
    pieces = max(threads, min(PIECES * threads, shares // 2))
    return threads, max(min(tile, -(-count // pieces)), 1)


def over_first_axis(function: Callable[[Any], T], x: np.ndarray[Any, Any], passes: int = 1) -> list[T]:
    """As over_batch, for passes over an array: called with slices of its first axis, or with ``...`` for all."""
    work = x.size * PASS * passes
    if not x.ndim or (0 < x.nbytes <= TILE and work < 2 * SHARE):
        with blas.one_thread:
            return [function(...)]
    count = max(len(x), 1)
    return over_batch(function, len(x), TILE * count // max(x.nbytes, 1), work / count)


class _Job(Generic[T]):
    """A function and the slices of a batch to call it with, on whichever threads are free."""

    def __init__(self, function: Callable[[slice], T], slices: list[slice]) -> None:
        self.function: Callable[[slice], T] | None = function
        self.slices = slices
        self.results: list[Any] = [None] * len(slices)
        self.left = deque(range(len(slices)))  # taking one from it is atomic
        self.helped: SimpleQueue[None] = SimpleQueue()

    def help(self) -> None:
        """What the other threads do."""
        for _ in self._take():
            self.helped.put(None)

    def finish(self) -> list[T]:
        """What the caller does: take its share, then wait for what others have taken."""
        taken = sum(1 for _ in self._take())
        for _ in range(len(self.slices) - taken):
            self.helped.get()
        self.function = None  # so that a late thread keeps no arrays alive
        for result in self.results:
            if isinstance(result, _Failure):
                raise result.error
        return self.results

    def _take(self) -> Iterator[None]:
        """Call the function with one slice after the other until none is left."""
        while self.left:
            try:
                i = self.left.popleft()
            except IndexError:  # another thread took the last one just now
                return
            try:
                self.results[i] = self.function(self.slices[i])  # type: ignore[misc]  # there as long as slices are left
            except BaseException as error:  # to be raised again by the caller
                self.results[i] = _Failure(error)
            yield


def cut(start: int, stop: int, most: int) -> Iterator[slice]:
    """Slices of about equal length, none longer than ``most``."""
    tiles = -(-(stop - start) // max(most, 1))
    for i in range(tiles):
        yield slice(start + (stop - start) * i // tiles, start + (stop - start) * (i + 1) // tiles)
