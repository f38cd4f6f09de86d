"""Arrays in memory that is reused.

Fresh memory costs more than the arithmetic on it, as the system must map and clear its pages first. A step of training,
two convolutions and their gradients at batch 32, takes 12 ms with np.empty and 6 ms with this.

An array from :func:`empty` refers to a buffer of the pool, and whatever view is made of it refers to the array. So a
buffer is free again as soon as only the pool refers to it, as CPython's reference count tells. Nothing has to be given
back by hand, and nothing can be given back too early.

Under CPython's global lock all threads share one pool. Without it (free-threaded CPython) each thread has its own, of
which it alone counts references: those that its own thread holds are exact to it, and those of all others are one
number. Another thread could read the two at different moments, and find too few.
"""

from __future__ import annotations

import gc
import math
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

import numpy as np

Array = np.ndarray[Any, Any]

SMALL = 1 << 16  # bytes; below this, malloc reuses memory by itself
# In experiment 2 a step of 4,096 digits works on 0.7 GB and takes 1.0 of the time of 16 steps of 256; with a limit of
# half a gigabyte, 1.1 to 1.7 ("batch 4096 against 256" in the benchmarks).
LIMIT = 1 << 30  # bytes of buffers in a pool; beyond this, idle ones are freed before one is added
STEP = 1 << 23  # bytes
MOST_ONES = 1 << 14  # that are kept; to make a few takes 1.1 us, and 0.3 to find them
SWEEP = 10_000  # arrays of one size, after which buffers of sizes that nobody asked for are freed


class Buffer(np.ndarray[Any, Any]):
    """Memory of the pool. An array whose base is a Buffer owns its memory, as if it had no base."""


class _Pool:
    """Buffers, idle and in use."""

    def __init__(self) -> None:
        self.buffers: dict[int, deque[Buffer]] = {}  # by size, in bytes
        self.asked: dict[int, int] = {}  # how often for each size, since the last sweep
        with _pools_lock:
            _pools.add(self)

    def bytes(self) -> int:
        """How much memory it has, in use or not."""
        return sum(room * len(buffers) for room, buffers in list(self.buffers.items()))

    def release(self, room: int) -> None:
        """Free the idle buffers of a size."""
        buffers = self.buffers.get(room, deque())  # none is left where another thread has released all memory
        for _ in range(len(buffers)):
            try:
                buffer = buffers.popleft()
            except IndexError:
                break
            if sys.getrefcount(buffer) != _IDLE:
                buffers.append(buffer)

    def release_all(self) -> None:
        """Free the idle buffers."""
        for room in list(self.buffers):
            self.release(room)

    def sweep(self) -> None:
        """Free sizes that nobody asked for while another was asked for often: those of another model or batch."""
        for room in list(self.buffers):
            if not self.asked.pop(room, 0):
                self.release(room)
        self.asked.clear()

    def new(self, room: int) -> Buffer:
        """One more buffer."""
        if self.bytes() + room > LIMIT:
            self.release_all()
        try:
            return Buffer(room, np.uint8)
        except MemoryError:  # idle buffers may hold the memory that is missing
            self.release_all()
            return Buffer(room, np.uint8)


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.pool = _Pool()


_ones: dict[np.dtype[Any], Array] = {}
_releases: list[Callable[[], object]] = []
_pools: WeakSet[_Pool] = WeakSet()
_pools_lock = threading.Lock()
_LOCKED: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
_current: Any = SimpleNamespace(pool=_Pool()) if _LOCKED else _OfThread()  # its attribute is this thread's pool


def _references() -> int:
    """What sys.getrefcount returns for a buffer that only one local variable holds."""
    buffers = deque([Buffer(1, np.uint8)])
    buffer = buffers.popleft()
    return sys.getrefcount(buffer)


_IDLE = _references()
_POOLING = sys.implementation.name == "cpython"  # elsewhere there are no reference counts


def empty(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array with arbitrary contents, like np.empty, in pooled memory if it is large."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < SMALL or not _POOLING or dtype.hasobject:
        return np.empty(shape, dtype)
    room = _room(size)
    pool: _Pool = _current.pool
    pool.asked[room] = times = pool.asked.get(room, 0) + 1
    if times > SWEEP:
        pool.sweep()
    held = pool.buffers
    for larger in (room, 2 * room, 4 * room):  # an idle buffer that is too large is better than a new one
        if larger in held and (idle := _in_idle(held[larger], shape, dtype)) is not None:
            return idle
    buffer = pool.new(room)
    array: Array = np.ndarray(shape, dtype, buffer)
    held.setdefault(room, deque()).append(buffer)
    return array


def _in_idle(buffers: deque[Buffer], shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
    """An array in one of the idle buffers; None if there is none."""
    for _ in range(len(buffers)):
        try:
            buffer = buffers.pop()  # so that no other thread can find it
        except IndexError:
            break
        if sys.getrefcount(buffer) == _IDLE:
            array: Array = np.ndarray(shape, dtype, buffer)  # the reference marks the buffer as taken
            buffers.append(buffer)  # tried first next time: its pages may still be in the cache
            return array
        buffers.appendleft(buffer)
    return None


def _held_memory_is_never_given_out() -> bool:
    """Test whether reference counts work as assumed on this interpreter."""
    first = empty((SMALL,), np.uint8)
    view = first[1:]
    second = empty((SMALL,), np.uint8)
    apart = not np.may_share_memory(first, second)
    del first, second
    third, fourth = empty((SMALL,), np.uint8), empty((SMALL,), np.uint8)
    return apart and not any(np.may_share_memory(view, other) for other in (third, fourth))


def zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of zeros, in pooled memory if it is large."""
    array = empty(shape, dtype)
    array[...] = 0
    return array


def ones(count: int, dtype: np.dtype[Any]) -> Array:
    """So many ones, to read only: as a factor of a product, they add up."""
    if count > MOST_ONES:
        return np.ones(count, dtype)
    known = _ones.get(dtype)
    if known is None:
        known = _ones[dtype] = np.ones(MOST_ONES, dtype)
        known.flags.writeable = False
    return known[:count]


def release_memory() -> None:
    """Return idle memory, which tensorgrad keeps for its next arrays, to the system.

    Up to 1 GB is kept from one step of training to the next, since fresh memory is slow. Call this after training, or
    after a large batch, if the program goes on with other work. Arrays and tensors in use keep their memory; later
    ones allocate what they need again.
    """
    for release in _releases:
        release()
    if not _LOCKED:
        gc.collect()  # what another thread has made is freed when that thread runs again, or now
    _current.pool.release_all()
    if not _LOCKED:
        with _pools_lock:
            others = [pool for pool in _pools if pool is not _current.pool]
        for pool in others:  # what other threads use goes back to the system when they no longer do
            pool.buffers = {}


def when_released(release: Callable[[], object]) -> None:
    """Let :func:`release_memory` also call a function, of what keeps memory outside of the pools."""
    _releases.append(release)


@lru_cache(1024)
def _room(size: int) -> int:
    """The size of the buffer for so many bytes, which similar sizes share: a power of two, or a multiple of STEP.

    The system provides a page when it is first written to, so unused space at the end costs little.
    """
    step = min(1 << (size - 1).bit_length(), STEP)
    return -(-size // step) * step


_POOLING = _POOLING and _held_memory_is_never_given_out()
