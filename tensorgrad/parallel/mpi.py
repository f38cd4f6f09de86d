"""MPI: several machines, or several processes that a launcher has started: ``mpiexec -n 8 python train.py``.

Sums are added in the order of the ranks, so they are the same to the bit everywhere and in every run, whatever the
network: short arrays are gathered by all and added by each; of long ones each rank gets one part from everybody, adds
it, and all gather the sums.

Waiting is asking again and again whether the others have come, so that it can end. A thread answers questions
meanwhile: a rank that is late may be validating, computing, or gone.
"""

from __future__ import annotations

import atexit
import os
import pickle
import threading
import time
from functools import cache
from typing import Any, TypeVar

import numpy as np

from tensorgrad.kernels.threads import cores, get_num_threads
from tensorgrad.parallel.communicator import PATIENCE, RankError
from tensorgrad.tensor import Array

T = TypeVar("T")

SHORT = 1 << 18  # bytes that a rank may receive to add up all of an array by itself
QUESTION, ANSWER, FAILURE = range(3)  # what a message between two ranks is
GRACE = 1.0  # seconds for an answer
FAREWELL = 0.5  # seconds for the others to print what has happened, before all are ended


def launched() -> int:
    """How many processes a launcher has started, as the environment tells; 1 without one."""
    for name in ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE"):  # MPICH, Intel MPI and Slurm with pmi2; Open MPI
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    if "PMIX_RANK" in os.environ and os.environ.get("SLURM_STEP_NUM_TASKS", "").isdigit():  # srun --mpi=pmix
        return int(os.environ["SLURM_STEP_NUM_TASKS"])
    return 1


def package() -> Any:
    """Return the package mpi4py.MPI, which starts MPI when it is first imported."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        what = "mpi4py is not there" if isinstance(error, ImportError) else "mpi4py finds no MPI library"
        raise RuntimeError(
            f"train: a launcher has started this program {launched()} times, but {what} ({error}); install the extra "
            "'mpi' and a runtime: pip install mpi4py mpich, or your system's Open MPI or MPICH with its mpiexec; or "
            "give processes=1, to train in each by itself"
        ) from error
    return MPI


@cache
def communicator() -> MPI:
    """One of those that were started together, as which this process speaks."""
    library = package()
    known = library.COMM_WORLD.size
    if known != launched():  # or each would train by itself, and write over what the others save
        name = library.Get_library_version().splitlines()[0].split(",")[0]
        raise RuntimeError(
            f"train: a launcher has started this program {launched()} times, but mpi4py's library ({name}) knows of "
            f"{known}, as that launcher belongs to another MPI; use the mpiexec of that library, or srun --mpi=pmi2 "
            "with MPICH and --mpi=pmix with Open MPI; or give processes=1, to train in each by itself"
        )
    return MPI(library)


class MPI:
    """One of several processes that a launcher has started (:class:`tensorgrad.parallel.communicator.Communicator`).

    Parameters
    ----------
    library : module
        ``mpi4py.MPI``.
    """

    def __init__(self, library: Any) -> None:
        self.library = library
        self._data = library.COMM_WORLD.Dup()  # so that no message of the user's own is taken for one of these
        self._talk = library.COMM_WORLD.Dup()
        self.rank, self.size = self._data.rank, self._data.size
        self.can_ask = library.Query_thread() == library.THREAD_MULTIPLE
        self.at_work = False
        self._count = 0  # of the exchanges so far
        self._left = time.perf_counter()  # the last exchange
        self._failure: RankError | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="tensorgrad-ranks", daemon=True)
        if self.can_ask:
            self._thread.start()
            atexit.register(self._close)  # before MPI ends

    # -- exchanges -----------------------------------------------------------------------------------------------

    def sum(self, *arrays: Array) -> None:
        """Replace each array by its sum over all ranks, added in their order; all arrays at once."""
        parts = []
        requests = []
        for array in arrays:
            short = array.nbytes * self.size <= SHORT or self.size == 2
            each = array.size if short else -(-array.size // self.size)
            received = np.empty((self.size, each), array.dtype)
            if short:
                sent = array
                requests.append(self._data.Iallgather(sent, received))
            else:
                sent = np.zeros((self.size, each), array.dtype)
                sent.reshape(-1)[: array.size] = array
                requests.append(self._data.Ialltoall(sent, received))
            parts.append((sent, received, short))
        self._wait(requests)
        requests = []
        for array, (sent, received, short) in zip(arrays, parts, strict=True):
            total = received[0]
            for part in received[1:]:
                total += part
            if short:
                array[:] = total
            else:
                requests.append(self._data.Iallgather(total, sent))
        if requests:
            self._wait(requests)
        for array, (sent, _, short) in zip(arrays, parts, strict=True):
            if not short:
                array[:] = sent.reshape(-1)[: array.size]

    def broadcast(self, value: T) -> T:
        """What rank 0 gave."""
        return self.gather(value if self.rank == 0 else None)[0]  # type: ignore[return-value]

    def gather(self, value: T) -> list[T]:
        """What each rank gave, in their order: pickled, first the lengths, then what it is."""
        pickled = np.frombuffer(pickle.dumps(value), np.uint8)
        lengths = np.empty(self.size, np.int64)
        self._wait([self._data.Iallgather(np.array([pickled.size]), lengths)])
        ends = np.cumsum(lengths)
        received = np.empty(int(ends[-1]), np.uint8)
        self._wait([self._data.Iallgatherv(pickled, [received, lengths, ends - lengths, self.library.BYTE])])
        return [pickle.loads(part.tobytes()) for part in np.split(received, ends[:-1])]

    def work(self, at_work: bool) -> None:
        """Tell whether this rank will soon be at the next exchange."""
        self.at_work = at_work

    # -- waiting -------------------------------------------------------------------------------------------------

    def _wait(self, requests: list[Any]) -> None:
        """Wait until an exchange is done, or somebody has failed."""
        if self._failure is not None:
            raise self._failure
        self._count += 1
        since = last = time.perf_counter()
        patience = PATIENCE + 4 * (since - self._left)
        waited = 0.0
        while not self.library.Request.Testall(requests):
            now = time.perf_counter()
            waited += min(now - last, 1.0)  # a machine or a job that was asleep does not count as late
            last = now
            if self._failure is not None:
                raise self._failure
            if waited > patience and self.can_ask:
                late = self._late(requests)
                if late:
                    error = RankError(f"train: rank {late[0]} of {self.size} has ended, or hangs in its part of a step")
                    self._fail(error)
                    raise error
                waited = 0.0
            if now - since > 2e-4:
                time.sleep(1e-4)
        self._left = time.perf_counter()

    def _late(self, requests: list[Any]) -> list[int]:
        """Ask all others; those who do not answer, or are at work but not at this exchange yet."""
        others = [rank for rank in range(self.size) if rank != self.rank]
        asked = [self._talk.isend(None, rank, QUESTION) for rank in others]
        answers: dict[int, bool] = {}
        until = time.perf_counter() + GRACE
        while time.perf_counter() < until and len(answers) < len(others):
            if self.library.Request.Testall(requests):
                return []
            for rank in others:
                if self._talk.Iprobe(rank, ANSWER):
                    count, at_work = self._talk.recv(None, rank, ANSWER)
                    answers[rank] = at_work and count < self._count
            time.sleep(0.01)
        for request in asked:
            request.Test()
        return [rank for rank in others if answers.get(rank, True)]

    def _listen(self) -> None:
        """Answer questions, and take note of what has failed, until the program ends."""
        status = self.library.Status()
        while not self._done.wait(0.05):
            while self._talk.Iprobe(self.library.ANY_SOURCE, QUESTION, status):
                self._talk.recv(None, status.source, QUESTION)
                self._talk.isend((self._count, self.at_work), status.source, ANSWER)
            if self._talk.Iprobe(self.library.ANY_SOURCE, FAILURE, status):
                self._fail(RankError(self._talk.recv(None, status.source, FAILURE)))
                return

    # -- the end ---------------------------------------------------------------------------------------------------

    def abort(self, error: BaseException) -> None:
        """Let the others end, because of an error that only this rank has."""
        text = f"train: rank {self.rank} of {self.size} failed: {type(error).__name__}: {error}"
        for rank in range(self.size):
            if rank != self.rank:
                self._talk.isend(text, rank, FAILURE)
        self._fail(RankError(text))

    def _fail(self, error: RankError) -> None:
        """Nothing can be exchanged any more; when this process ends, so do the others, which cannot end MPI alone."""
        if self._failure is None:
            self._failure = error
            atexit.register(self._end)

    def _close(self) -> None:
        self._done.set()
        self._thread.join()

    def _end(self) -> None:
        time.sleep(FAREWELL)
        self.library.COMM_WORLD.Abort(1)

    def threads(self) -> int:
        """How many threads this rank may use: its part of the cores that the ranks of this machine share."""
        here = self._data.Split_type(self.library.COMM_TYPE_SHARED)
        shared: set[int] = set().union(*here.allgather(cores()))
        most = max(1, len(shared) // int(here.size))
        here.Free()
        return min(get_num_threads(), most)
