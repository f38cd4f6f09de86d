"""Training with several ranks: which form, what is checked before, how it begins and ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
    from tensorgrad.parallel import team  # multiprocessing takes long to import, and is not there in a browser

    team.train(model, samples, validation, course, callbacks, int(processes))


def _check_batches(samples: Samples | Stream, course: Course, ranks: int) -> None:
    """Raise if a batch has fewer samples than there are ranks."""
    size = min(course.batch_size, len(samples)) if isinstance(samples, Samples) else course.batch_size
    if size < ranks:
        raise ValueError(
            f"train: each of {ranks} processes needs a sample of every batch, but a batch has {size}; use a larger "
            "batch_size, or fewer processes"
        )
