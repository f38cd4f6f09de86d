"""Ranks on one machine: processes from their start to their end, and what ranks of both forms do."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any, Self

from tensorgrad.kernels import blas
from tensorgrad.kernels.threads import get_num_threads
from tensorgrad.parallel.communicator import PATIENCE, RankError
from tensorgrad.parallel.form import Form
from tensorgrad.parallel.processes import Board, SharedMemory
from tensorgrad.parallel.shipment import Shipment, pickled
from tensorgrad.parallel.step import Sharded, room
from tensorgrad.parallel.thread_team import ThreadTeam, copied
from tensorgrad.training import loop
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.course import Course
from tensorgrad.training.samples import Samples
from tensorgrad.training.stream import Stream
from tensorgrad.training.trainee import Trainee


def train(
    model: Trainee,
    samples: Samples | Stream,
    validation: Samples | Stream | None,
    course: Course,
    callbacks: Sequence[Callback],
    ranks: int,
    form: Form,
) -> None:
    """Train as :func:`tensorgrad.training.loop.run` does, with so many ranks; this process or thread leads."""
    threads = max(1, get_num_threads() // ranks)
    # BLAS starts threads anew when it is told their number after a fork, and they spin for 0.1 s on the ranks' cores
    with blas.one_thread, _team(model, samples, course, threads, ranks, form) as team:
        with closing(SharedMemory(team.board, 0, team.ended)) as communicator:
            loop.run(model, samples, validation, course, callbacks, Sharded(model, communicator, threads))
        team.join()


def _work(rank: int, board: Board, ended: Callable[[], RankError | None], content: Any) -> None:
    """What the other ranks do."""
    model, samples, course, threads = content
    with closing(SharedMemory(board, rank, ended)) as communicator:
        loop.run(model, samples, None, course, (), Sharded(model, communicator, threads))


def _team(
    model: Trainee, samples: Samples | Stream, course: Course, threads: int, ranks: int, form: Form
) -> Team | ThreadTeam:
    """The other ranks, or an error that names what they cannot be given."""
    content = model, samples, course, threads
    if form == "threads":
        try:
            return ThreadTeam(ranks, room(model), _work, content, samples.arrays)
        except Exception as error:
            culprit = _culprit(model, samples, course, partial(copied, arrays=samples.arrays))
            raise ValueError(
                f"train: processes={ranks} gives each of {ranks} threads a copy of the model and of what reads the "
                f"samples, but {culprit} cannot be copied: {error}; use processes=1"
            ) from error
    context = multiprocessing.get_context()
    if multiprocessing.current_process().daemon:
        raise RuntimeError(
            f"train: processes={ranks} starts processes, which this one, a daemon of multiprocessing, may not; use "
            "processes=1 in it"
        )
    try:
        shipment = Shipment(context, content, samples.arrays)
    except Exception as error:
        culprit = _culprit(model, samples, course, partial(pickled, arrays=samples.arrays))
        data = "give arrays, a list of batches or a Dataset, and " if culprit == "the data" else ""
        raise ValueError(
            f"train: processes={ranks} sends the model and the samples to other processes, but {culprit} cannot be "
            f"sent: {error}; {data}define functions by def at the top of a module, or use processes=1"
        ) from error
    return Team(context, Board(context, ranks, room(model)), shipment)


class Team:
    """The processes of ranks 1, 2 ..., which rank 0 starts when it enters the context, and ends when it leaves it.

    Parameters
    ----------
    context : multiprocessing context
        How they are started.
    board : Board
    shipment : Shipment
        What they get.
    """

    def __init__(self, context: BaseContext, board: Board, shipment: Shipment) -> None:
        self.context, self.board, self.shipment = context, board, shipment
        self.processes: list[BaseProcess] = []
        self.reports: list[Connection] = []

    def __enter__(self) -> Self:
        try:
            with _uninterrupted():
                for rank in range(1, self.board.size):
                    receiver, sender = self.context.Pipe(duplex=False)
                    with sender:
                        process = self.context.Process(  # type: ignore[attr-defined]
                            target=_run,
                            args=(rank, self.board, self.shipment, sender),
                            name=f"tensorgrad rank {rank}",
                            daemon=True,
                        )
                        process.start()
                    self.processes.append(process)
                    self.reports.append(receiver)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._kill()

    def ended(self) -> RankError | None:
        """An error that names the first process that has failed; None if there is none."""
        for rank, (process, report) in enumerate(zip(self.processes, self.reports, strict=True), start=1):
            code = process.exitcode
            if code is None or code == 0:
                continue
            return RankError(f"train: rank {rank} of {self.board.size} {self._reason(code, report)}")
        return None

    def _reason(self, code: int, report: Connection) -> str:
        try:
            if report.poll():
                return f"failed: {report.recv()}"
        except (EOFError, OSError):
            pass
        if code < 0:
            return f"was ended by the signal {signal.Signals(-code).name}"
        forked = self.context.get_start_method() == "fork"
        guard = "" if forked else "; a script that trains with processes needs the line `if __name__ == '__main__':`"
        return f"ended with the code {code}{guard}"

    def join(self) -> None:
        """Let all of them end by themselves."""
        for process in self.processes:
            process.join(PATIENCE)

    def _kill(self) -> None:
        """End those that are still there."""
        for process in self.processes:
            process.kill()
        for process, report in zip(self.processes, self.reports, strict=True):
            process.join()
            process.close()
            report.close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let processes that are started inside never see Ctrl-C, which comes to all of them; rank 0 tells the others."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which a process inherits
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(rank: int, board: Board, shipment: Shipment, report: Connection) -> None:
    """What a process of rank 1, 2 ... does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as it may have been started where no signal is blocked
    parent = multiprocessing.parent_process()
    started_by = os.getppid()

    def ended() -> None:
        if os.getppid() != started_by or (parent is not None and not parent.is_alive()):
            os._exit(1)

    try:
        _work(rank, board, ended, shipment.unpack())
    except BaseException as error:
        report.send(f"{type(error).__name__}: {error}"[:4000])
        os._exit(1)


def _culprit(model: Trainee, samples: Samples | Stream, course: Course, give: Callable[[Any], object]) -> str:
    """What it is that cannot be given to the others."""
    parts = {
        f"the loss {model.objective.loss!r}": model.objective.record,
        **{f"the metric {metric.name!r}": metric for metric in model.objective.metrics},
        "the learning-rate schedule": model.schedule,
        "the optimizer": model.optimizer,
        **{layer.title: layer for layer in model.layers},
        "augment": course.augment,
    }
    for name, part in parts.items():
        try:
            give(part)
        except Exception:
            return name
    return "the data" if isinstance(samples, Stream) or not samples.x.in_memory else "the model"
