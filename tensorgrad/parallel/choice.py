"""One rank or several: what ``train(..., processes="auto")`` chooses, by a trial of some steps."""

from __future__ import annotations

import copy
import multiprocessing
import time
from typing import NamedTuple

import numpy as np

from tensorgrad.kernels.threads import get_num_threads, limited
from tensorgrad.parallel.form import Form
from tensorgrad.parallel.shipment import pickled
from tensorgrad.parallel.step import room
from tensorgrad.parallel.thread_team import copied
from tensorgrad.rows import Share
from tensorgrad.tensor import Array
from tensorgrad.training.loop import Course
from tensorgrad.training.ranks import Alone
from tensorgrad.training.samples import Samples
from tensorgrad.training.stream import Stream
from tensorgrad.training.tally import tally
from tensorgrad.training.trainee import Trainee

TRIALS = 3  # steps, after one that warms up
# Estimates, the last four on the safe side: processes that gain little are not worth their memory. Beside each is what
# was measured on two cores; ``python -m benchmarks.scaling exchange`` prints the seconds of exchanges of 4 kB and 4 MB.
CONTENTION = 1.15  # how much longer a step takes while the other cores compute, too: 1.1 to 1.2 (docs/scaling.md)
LATENCY = 1e-4  # seconds that an exchange takes: 5e-5 ...
BANDWIDTH = 3e9  # ... and bytes per second beside, from each process: 1e10
FORK = 0.2  # seconds until the processes are there: 0.02 to 0.06
IMPORT = 2.0  # the same, where they import everything anew: 0.8, and what the user's script imports
THREADS = 0.02  # the same of threads, each with a copy of the model: 0.002 to 0.01


class Choice(NamedTuple):
    """How many ranks to use, and why."""

    ranks: int
    reason: str


def choose(model: Trainee, samples: Samples | Stream, course: Course, form: Form) -> Choice:
    """One rank per core, or one alone whose operations use all cores: whichever will end first.

    A step on a copy of the model, with the first batch, is timed with all threads, and with a rank's part of the
    batch on its part of the threads.
    """
    cores = get_num_threads()
    if cores == 1:
        return Choice(1, "there is one core, or one thread is wanted")
    if not isinstance(samples, Samples):
        return Choice(1, "batches come from a data set or an iterable, which is not tried")
    size = min(course.batch_size, len(samples))
    parts = [part for layer in model.layers for part in layer.walk()]
    least = max((part.least_batch for part in parts if not part.needs_whole_batch), default=1)
    if size < cores or max(1, course.last_batch(len(samples)) // cores) < least:
        return Choice(1, f"a part of a batch would have fewer than {least} sample{'s' * (least > 1)}")
    if form == "processes" and multiprocessing.current_process().daemon:
        return Choice(1, "a daemon of multiprocessing starts no processes")
    try:
        (pickled if form == "processes" else copied)((model, samples, course), samples.arrays)
    except Exception as error:
        return Choice(1, f"{form} cannot be given the model and the samples ({error})")
    batch = [rows[:size] for rows in samples.rows]
    part = [array[Share(0, cores).of(slice(0, size))] for array in batch]
    threads = _seconds(model, samples, batch, cores)
    alone = _seconds(model, samples, part, 1)
    exchanges = 1 + 2 * sum(part.needs_whole_batch for part in parts)
    together = CONTENTION * alone + exchanges * LATENCY + cores * room(model) / BANDWIDTH
    steps = (course.epochs - course.first_epoch) * -(-len(samples) // course.batch_size)
    if form == "threads":
        start, ranks = THREADS, f"{cores} threads, each with a part of the batch"
    else:
        start = FORK if multiprocessing.get_start_method() == "fork" else IMPORT
        ranks = f"{cores} processes"
    told = f"a step takes {1e3 * threads:.1f} ms with {cores} threads, {1e3 * together:.1f} ms in {ranks}"
    if together * steps + start < threads * steps:
        return Choice(cores, told)
    return Choice(1, told + (", which take longer to start" if together < threads else ""))


def _seconds(model: Trainee, samples: Samples, batch: list[Array], threads: int) -> float:
    """The shortest time of a step of a copy of the model."""
    trial = copy.deepcopy(model)
    figures = tally(samples.task, model.objective.from_logits)
    x, y, *weights = batch
    x = x.astype(model.dtype, copy=False)
    times = []
    with limited(threads), np.errstate(over="ignore", invalid="ignore"):
        for _ in range(1 + TRIALS):
            since = time.perf_counter()
            Alone().step(trial, x, y, weights[0] if weights else None, figures)
            times.append(time.perf_counter() - since)
    return min(times[1:])
