"""Training with several ranks: which form, what is checked before, how it begins and ends."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.kernels.threads import get_num_threads
from tensorgrad.parallel.processes import Board, SharedMemory, Team
from tensorgrad.parallel.shipment import Shipment
from tensorgrad.parallel.step import Sharded, room
from tensorgrad.training import loop
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.loop import Course
from tensorgrad.training.samples import Samples
from tensorgrad.training.stream import Stream
from tensorgrad.training.trainee import Trainee


def train(
    model: Trainee,
    samples: Samples | Stream,
    validation: Samples | Stream | None,
    course: Course,
    callbacks: Sequence[Callback],
    processes: int,
) -> None:
    """Train as :func:`tensorgrad.training.loop.run` does, with so many processes on this machine."""
    if isinstance(processes, bool) or not isinstance(processes, int | np.integer) or processes < 1:
        raise ValueError(f"train: processes must be an int of at least 1, received {processes!r}")
    if processes == 1:
        loop.run(model, samples, validation, course, callbacks)
        return
    _check_batches(samples, course, int(processes))
    context = multiprocessing.get_context()
    if multiprocessing.current_process().daemon:
        raise RuntimeError(
            f"train: processes={processes} starts processes, which this one, a daemon of multiprocessing, may not; use "
            "processes=1 in it"
        )
    threads = max(1, get_num_threads() // int(processes))
    shipment = _shipment(context, model, samples, course, threads, int(processes))
    board = Board(context, int(processes), room(model))
    team = Team(context, board, _work, shipment)
    communicator = SharedMemory(board, 0, team.ended)
    try:
        loop.run(model, samples, validation, course, callbacks, Sharded(model, communicator, threads))
        communicator.close()
        team.join()
    finally:
        communicator.close()
        team.kill()


def _work(rank: int, board: Board, ended: Callable[[], None], shipment: Shipment) -> None:
    """What the processes of the other ranks do."""
    model, samples, course, threads = shipment.unpack()
    communicator = SharedMemory(board, rank, ended)
    loop.run(model, samples, None, course, (), Sharded(model, communicator, threads))
    communicator.close()


def _check_batches(samples: Samples | Stream, course: Course, ranks: int) -> None:
    """Raise if a batch has fewer samples than there are ranks."""
    size = min(course.batch_size, len(samples)) if isinstance(samples, Samples) else course.batch_size
    if size < ranks:
        raise ValueError(
            f"train: each of {ranks} processes needs a sample of every batch, but a batch has {size}; use a larger "
            "batch_size, or fewer processes"
        )


def _shipment(
    context: Any, model: Trainee, samples: Samples | Stream, course: Course, threads: int, processes: int
) -> Shipment:
    """What the other processes get, or an error that names what cannot be sent."""
    try:
        return Shipment(context, (model, samples, course, threads), samples.arrays)
    except Exception as error:
        raise ValueError(
            f"train: processes={processes} sends the model and the samples to other processes, but "
            f"{_culprit(context, model, samples, course)} cannot be sent: {error}; define functions by def at the top "
            "of a module, or use processes=1"
        ) from error


def _culprit(context: Any, model: Trainee, samples: Samples | Stream, course: Course) -> str:
    """What it is that cannot be sent."""
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
            Shipment(context, part, samples.arrays)
        except Exception:
            return name
    return "the data" if isinstance(samples, Stream) or not samples.x.in_memory else "the model"
