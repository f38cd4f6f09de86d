"""Ranks on one machine: memory that they share, semaphores to wait with, a watch over the others.

They are processes, or threads of one process.

Each rank has two slots of the memory, which it writes in turn. To meet, it writes its slot, wakes all others, and waits
to be woken by each of them. A rank that is one exchange ahead writes its other slot, and cannot be two ahead: so one
wait per exchange is enough, and nobody writes what others still read.

Where there is a core for each rank, it begins on one of its own, and asks for a while whether it was woken before it
sleeps. For one that sleeps, Linux often chooses the core of the one that wakes it, and both then take turns on it,
beside a core that is idle.

The memory has no name in any file system once it is made, so nothing is left behind, whatever ends the processes.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.context import BaseContext
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from tensorgrad.kernels.threads import cores
from tensorgrad.parallel.communicator import PATIENCE, RankError
from tensorgrad.parallel.form import locked
from tensorgrad.tensor import Array

T = TypeVar("T")

ASK = 0.002  # seconds that a rank asks before it sleeps; the others seldom come later
POLL = 0.1  # seconds between two looks at the others
LEAST_ROOM = 1 << 16  # bytes of a slot, at least
HEADER = 8  # bytes that hold the length of an object
ALIGNMENT = 64  # bytes


def aligned(size: int) -> int:
    """Bytes to leave for so many, so that what comes after them begins at a multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class _Semaphore(SimpleQueue[None]):
    """A semaphore of threads, at 0. That of the module threading takes a lock and a condition for each call."""

    def release(self) -> None:
        self.put(None)

    def acquire(self, block: bool = True) -> bool:
        if not block and self.empty():  # the only one who takes anything out is the caller
            return False
        self.get()
        return True


class Board:
    """What all ranks share. It is made by rank 0, and given to the others when they are started.

    Parameters
    ----------
    context : multiprocessing context, or None
        How the processes are started; None if the ranks are threads.
    size : int
        How many ranks there are.
    room : int
        Bytes that each writes in an exchange.
    """

    def __init__(self, context: BaseContext | None, size: int, room: int) -> None:
        self.size = size
        self.room = aligned(max(room, LEAST_ROOM))
        array: Any = context.RawArray if context else lambda kind, length: np.zeros(length, kind)
        self.slots = array("b", 2 * size * self.room)
        self.arrived = array("q", size)  # how many exchanges each rank has come to
        self.working = array("b", size)  # whether it will soon be at the next one
        self.woken = [context.Semaphore(0) if context else _Semaphore() for _ in range(size)]
        self.at_once = size <= len(cores()) and (context is not None or not locked())  # whether all can work at once


class SharedMemory:
    """One of several ranks on a machine (:class:`tensorgrad.parallel.communicator.Communicator`).

    Parameters
    ----------
    board : Board
    rank : int
    ended : callable
        Asked now and then from a thread of its own; gives an error if another rank has ended too early.
    """

    def __init__(self, board: Board, rank: int, ended: Callable[[], RankError | None]) -> None:
        self.board, self.rank, self.size = board, rank, board.size
        if board.at_once:
            _take_core(rank)
        memory = np.frombuffer(board.slots, np.uint8)
        self._slots = memory.reshape(2, board.size, board.room)
        self._count = 0  # of the exchanges so far
        self._waiting = False
        self._left = time.perf_counter()  # the last exchange
        self._own = 0.0  # seconds from then to the next one
        self._failure: RankError | None = None
        self._ended = ended
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tensorgrad-ranks", daemon=True)
        self._thread.start()

    def sum(self, *arrays: Array) -> None:
        """Replace each array by its sum over all ranks, in one exchange, added in the order of the ranks."""
        slots = self._slots[self._count % 2]
        start, spans = 0, []
        for array in arrays:
            spans.append(slice(start, start + array.nbytes))
            slots[self.rank, spans[-1]].view(array.dtype)[:] = array
            start += aligned(array.nbytes)
        self._meet()
        for array, span in zip(arrays, spans, strict=True):
            parts = slots[:, span].view(array.dtype)
            np.add(parts[0], parts[1], out=array)
            for part in parts[2:]:
                array += part

    def broadcast(self, value: T) -> T:
        """What rank 0 gave."""
        return self.gather(value if self.rank == 0 else None)[0]  # type: ignore[return-value]

    def gather(self, value: T) -> list[T]:
        """What each rank gave, in their order: pickled, in as many exchanges as the longest needs."""
        pickled = pickle.dumps(value)
        capacity = self.board.room - HEADER
        parts: list[bytes] = [b""] * self.size
        start, longest = 0, 1
        while start < longest:
            slots = self._slots[self._count % 2]
            piece = pickled[start : start + capacity]
            slots[self.rank, :HEADER].view(np.int64)[0] = len(pickled)
            slots[self.rank, HEADER : HEADER + len(piece)] = np.frombuffer(piece, np.uint8)
            self._meet()
            lengths = [int(slot[:HEADER].view(np.int64)[0]) for slot in slots]
            for rank, length in enumerate(lengths):
                parts[rank] += slots[rank, HEADER : HEADER + max(0, min(capacity, length - start))].tobytes()
            longest = max(lengths)
            start += capacity
        return [pickle.loads(part) for part in parts]

    def work(self, at_work: bool) -> None:
        """Tell whether this rank will soon be at the next exchange."""
        self.board.working[self.rank] = at_work

    def abort(self, error: BaseException) -> None:
        """Nothing to do: rank 0 ends the others, and sees it when one of them ends."""

    def close(self) -> None:
        """End the watch."""
        self._done.set()
        self._thread.join()

    def _meet(self) -> None:
        """Wait until every rank has come to this exchange."""
        if self._failure is not None:
            raise self._failure
        self._own = time.perf_counter() - self._left
        self._count += 1
        self.board.arrived[self.rank] = self._count
        for rank, semaphore in enumerate(self.board.woken):
            if rank != self.rank:
                semaphore.release()
        self._waiting = True
        for _ in range(self.size - 1):
            self._wait()
        self._waiting = False
        if self._failure is not None and self._late():
            raise self._failure
        self._left = time.perf_counter()

    def _wait(self) -> None:
        """Wait until this rank is woken: ask for a while, and then sleep."""
        semaphore = self.board.woken[self.rank]
        # where not all can work at once, asking would keep those from working for whom it waits
        until = time.perf_counter() + (ASK if self.board.at_once else 0.0)
        while not semaphore.acquire(False):
            if time.perf_counter() >= until:
                semaphore.acquire()
                return

    def _late(self) -> list[int]:
        """The ranks that have not come to this exchange."""
        return [rank for rank, count in enumerate(self.board.arrived) if count < self._count]

    def _watch(self) -> None:
        """Until the end, look whether the others are still there, and wake the one that waits for them if not.

        Time is counted in looks, so that a machine or a job that was asleep does not count as late.
        """
        looks, count = 0, 0
        patience = PATIENCE + (self.rank > 0)  # rank 0 is the first to say so
        while not self._done.wait(POLL):
            error = self._ended()
            looks = looks + 1 if self._waiting and count == self._count else 0
            count = self._count
            if error is None and looks * POLL > patience + 4 * self._own:
                late = [rank for rank in self._late() if self.board.working[rank]]
                error = RankError(f"train: rank {late[0]} of {self.size} hangs: it {_is_late(looks)}") if late else None
            if error is not None:
                self._failure = error
                for _ in range(self.size):
                    self.board.woken[self.rank].release()
                return


def _take_core(rank: int) -> None:
    """Move to the rank's core. The system may move it again."""
    if hasattr(os, "sched_setaffinity"):
        allowed = cores()
        with suppress(OSError):
            os.sched_setaffinity(0, {sorted(allowed)[rank]})  # which moves it there
            os.sched_setaffinity(0, allowed)


def _is_late(looks: int) -> str:
    return f"has not finished its part of a step {looks * POLL:.0f} seconds after the others"
