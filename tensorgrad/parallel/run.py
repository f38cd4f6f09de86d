"""Training with several ranks: which form, and what is checked before."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Literal, TypeAlias

import numpy as np

from tensorgrad.checks import positive
from tensorgrad.parallel import mpi
from tensorgrad.parallel.communicator import RankError, agree
from tensorgrad.parallel.form import form
from tensorgrad.parallel.step import Sharded, digest
from tensorgrad.training import loop
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.course import Course
from tensorgrad.training.loop import NonFiniteLossError
from tensorgrad.training.samples import Samples
from tensorgrad.training.stream import Stream
from tensorgrad.training.trainee import Trainee
from tensorgrad.version import __version__

Asked: TypeAlias = int | Literal["auto"] | None


def check(processes: Any) -> Asked:
    """So many processes, "auto", or None for as many as MPI has started; an error if that cannot be."""
    if processes is None or (isinstance(processes, str) and processes == "auto"):
        if mpi.launched() > 1:
            return None
        return 1 if processes is None else "auto"
    wanted = positive(processes, "train", "processes", ", 'auto' or None")
    if wanted > 1 and mpi.launched() > 1:
        raise ValueError(
            f"train: MPI has started this program {mpi.launched()} times, and each would start processes={wanted} "
            "of its own; leave processes out, to train with all of them"
        )
    return wanted


@contextmanager
def alike(processes: Asked) -> Iterator[None]:
    """Let an error inside of the block be one of all ranks that MPI has started."""
    error: Exception | None = None
    try:
        yield
    except Exception as raised:
        error = raised
    if processes is None:
        ranks = mpi.communicator()
        for rank, text in enumerate(ranks.gather(error and f"{type(error).__name__}: {error}")):
            if text is not None and error is None:
                raise RankError(f"train: rank {rank} of {ranks.size} refuses: {text}")
    if error is not None:
        raise error


def described(model: Trainee, samples: Samples | Stream, course: Course, processes: Asked) -> tuple[int | None, str]:
    """How many ranks it will be, None for those that MPI has started, and what is said of them."""
    if processes is None:  # as launchers name a process that was killed by its number
        ranks = mpi.communicator()
        places = ranks.gather(f"{os.getpid()} on {platform.node()}")
        named = ", ".join(f"{rank} is process {place}" for rank, place in enumerate(places))
        return None, f"{ranks.size} ranks: {named}.\n"
    if processes != "auto":
        return processes, ""
    from tensorgrad.parallel import choice

    found, reason = choice.choose(model, samples, course, form())
    what = ("process", "processes") if form() == "processes" else ("rank", "ranks")
    return found, f"{found} {what[found > 1]}: {reason}.\n"


def train(
    model: Trainee,
    samples: Samples | Stream,
    validation: Samples | Stream | None,
    course: Course,
    callbacks: Sequence[Callback],
    processes: int | None,
) -> None:
    """Train as :func:`tensorgrad.training.loop.run` does, with so many ranks on this machine, or by MPI."""
    if processes == 1:
        loop.run(model, samples, validation, course, callbacks)
    elif processes is None:
        _train_by_mpi(model, samples, validation, course, callbacks)
    else:
        _check_batches(samples, course, processes)
        from tensorgrad.parallel import team  # multiprocessing takes long to import, and is not there in a browser

        team.train(model, samples, validation, course, callbacks, processes, form())


def leads() -> bool:
    """Whether this program is to print and to write: always, but for ranks 1, 2 ... of those that MPI has started."""
    return mpi.launched() == 1 or mpi.communicator().rank == 0


def _train_by_mpi(
    model: Trainee,
    samples: Samples | Stream,
    validation: Samples | Stream | None,
    course: Course,
    callbacks: Sequence[Callback],
) -> None:
    ranks = mpi.communicator()
    agree(ranks, _facts(model, samples, course))
    _check_batches(samples, course, ranks.size)
    try:
        sharded = Sharded(model, ranks, ranks.threads())
        loop.run(model, samples, validation, course, callbacks, sharded)
        sharded.finish(model)
    except (RankError, NonFiniteLossError):  # which all have
        raise
    except BaseException as error:
        ranks.abort(error)
        raise
    finally:
        ranks.work(False)


def _facts(model: Trainee, samples: Samples | Stream, course: Course) -> dict[str, Any]:
    """What all ranks must have alike; what two of them have is shown where it differs."""
    facts = {
        "version of tensorgrad": __version__,
        "version of NumPy": np.__version__,
        "version of Python": platform.python_version(),
        "seed, CNN(seed=...)": model.seed,
        "number of layers": len(model.layers),
        **{f"layer {place}": _shown(layer) for place, layer in enumerate(model.layers)},
        "loss": model.objective.loss,
        "metrics": [metric.name for metric in model.objective.metrics],
        "ignore_index": model.objective.ignore_index,
        "label_smoothing": model.objective.label_smoothing,
        "optimizer": _shown(model.optimizer),
        "clip_norm": model.clip_norm,
        "clip_value": model.clip_value,
        "learning-rate schedule": _shown(model.schedule),
        **{argument.name: _shown(getattr(course, argument.name)) for argument in fields(course)},
        "number of samples": len(samples),
    }
    if isinstance(samples, Samples):
        x, weights = samples.x, samples.weights
        if x.in_memory:  # what is read from elsewhere may be random
            three = sorted({0, len(x) // 2, len(x) - 1})  # as there may be many
            facts["samples, as a hash"] = _hash(x[np.array(three)])
        facts["labels, as a hash"] = _hash(samples.y)
        facts["sample and class weights, as a hash"] = None if weights is None else _hash(weights)
    return facts | {"weights, as a hash": digest(model).hex()[:8]}


def _shown(value: Any) -> str:
    """The value in words, without addresses, which differ in every process."""
    return re.sub(r" at 0x\w+", "", repr(value))


def _hash(array: Any) -> str:
    return hashlib.blake2b(np.asarray(array).tobytes()).hexdigest()[:8]


def _check_batches(samples: Samples | Stream, course: Course, ranks: int) -> None:
    """Raise if a batch has fewer samples than there are ranks, or nobody knows how many batches there are."""
    if isinstance(samples, Stream) and not len(samples):
        raise ValueError(
            "train: several processes must know how many batches an epoch has, but the iterable has no length; give "
            "steps_per_epoch, a list, or a tensorgrad.data.Dataset"
        )
    size = samples.batch_size if isinstance(samples, Stream) else min(course.batch_size, len(samples))
    if size < ranks:
        raise ValueError(
            f"train: each of {ranks} processes needs a sample of every batch, but a batch has {size}; use a larger "
            "batch_size, or fewer processes"
        )
