"""Threads of this process as ranks, from their start to their end: they gain where Python runs without its lock."""

from __future__ import annotations

import contextvars
import copy
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from tensorgrad import random
from tensorgrad.parallel.communicator import PATIENCE, RankError
from tensorgrad.parallel.processes import Board
from tensorgrad.tensor import Array

GRACE = 1.0  # seconds that the others have to end by themselves after a failure


class ThreadTeam:
    """The threads of ranks 1, 2 ..., which rank 0 starts when it enters the context, and tells to end when it leaves.

    Each has a copy of the model. What holds in the context where it is started, such as ``override_rule``, holds in it
    too. Of the library's own random numbers it draws those that a forked process would.

    Parameters
    ----------
    size, room : int
        As of :class:`tensorgrad.parallel.processes.Board`.
    work : callable
        What each does: ``work(rank, board, ended, content)``.
    content : object
        What each gets a copy of.
    arrays : iterable of ndarray
        Those in the content that are only read: all have the same ones.

    Raises
    ------
    Exception
        Whatever is raised where something in the content cannot be copied.
    """

    def __init__(self, size: int, room: int, work: Callable[..., None], content: Any, arrays: Iterable[Array]) -> None:
        self.board = Board(None, size, room)
        self.errors: dict[int, BaseException] = {}  # by rank
        self.over = False
        self.threads = []
        shared = list(arrays)
        for rank in range(1, size):
            own = copied(content, shared)
            target = contextvars.copy_context().run
            args = (self._run, rank, work, own, random.child())
            self.threads.append(threading.Thread(target=target, args=args, name=f"tensorgrad rank {rank}", daemon=True))

    def __enter__(self) -> Self:
        try:
            for thread in self.threads:
                thread.start()
        except BaseException:
            self.over = True
            raise
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.over = True
        left = self._join(GRACE)
        if left and error is not None:
            error.add_note(
                f"{' and '.join(thread.name for thread in left)} cannot be ended, as a thread; it will end after its "
                "part of the step, or with the program"
            )

    def _run(self, rank: int, work: Callable[..., None], content: Any, numbers: Any) -> None:
        random.restart_here(numbers)
        try:
            work(rank, self.board, self._leader_ended, content)
        except BaseException as error:
            self.errors[rank] = error

    def _leader_ended(self) -> RankError | None:
        return RankError(f"train: rank 0 of {self.board.size} has ended") if self.over else None

    def ended(self) -> RankError | None:
        """An error that names a thread that has failed; None if there is none."""
        for rank, error in sorted(self.errors.items()):
            found = RankError(f"train: rank {rank} of {self.board.size} failed: {type(error).__name__}: {error}")
            found.__cause__ = error
            return found
        return None

    def join(self) -> None:
        """Let all of them end by themselves."""
        self._join(PATIENCE)

    def _join(self, seconds: float) -> list[threading.Thread]:
        """Wait until all have ended, but no longer than that; those that have not."""
        until = time.monotonic() + seconds
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))
        return [thread for thread in self.threads if thread.is_alive()]


def copied(content: Any, arrays: Iterable[Array]) -> Any:
    """A copy of objects, but for some arrays, which it shares."""
    return copy.deepcopy(content, {id(array): array for array in arrays})
