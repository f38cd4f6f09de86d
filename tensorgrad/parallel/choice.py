"""One rank or several: what ``train(..., processes="auto")`` chooses, by a trial of some steps."""

from __future__ import annotations

import copy
import math
import multiprocessing
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from tensorgrad.kernels.threads import get_num_threads
from tensorgrad.parallel import team
from tensorgrad.parallel.form import Form
from tensorgrad.parallel.shipment import pickled
from tensorgrad.parallel.thread_team import copied
from tensorgrad.rows import Rows
from tensorgrad.training import loop
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.course import Course
from tensorgrad.training.loop import NonFiniteLossError
from tensorgrad.training.samples import Samples
from tensorgrad.training.stream import Stream
from tensorgrad.training.trainee import Trainee

BATCHES = 10  # that are gone over, again and again; the first step of an epoch takes longer than others
TRIALS = 3  # steps at least, after one that warms up
TRIED = 0.1  # seconds that they take together at least, as single ones are disturbed by other programs
FORK = 0.2  # seconds until the processes are there, on the safe side: 0.02 to 0.06 were measured
IMPORT = 2.0  # the same, where they import everything anew: 0.8, and what the user's script imports
THREADS = 0.02  # the same of threads, each with a copy of the model: 0.002 to 0.01
WORTH = 10  # starts that a run must take, for a trial to be worth its own


class Choice(NamedTuple):
    """How many ranks to use, and why."""

    ranks: int
    reason: str


def choose(model: Trainee, samples: Samples | Stream, course: Course, form: Form) -> Choice:
    """One rank per core, or one alone whose operations use all cores: whichever will end first.

    Both take some steps on the first batches, with copies of the model. So the trial has all that a run has: exchanges,
    and cores that share memory and caches with each other, and with other programs.
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
    if form == "processes" and multiprocessing.current_process().name.startswith("tensorgrad rank"):
        raise RuntimeError("train: a script that trains with processes needs the line `if __name__ == '__main__':`")
    if form == "processes" and multiprocessing.current_process().daemon:
        return Choice(1, "a daemon of multiprocessing starts no processes")
    try:
        (pickled if form == "processes" else copied)((model, samples, course), samples.arrays)
    except Exception as error:
        return Choice(1, f"{form} cannot be given the model and the samples ({error})")
    if form == "threads":
        start, ranks = THREADS, f"{cores} threads, each with a part of the batch"
    else:
        start = FORK if multiprocessing.get_start_method() == "fork" else IMPORT
        ranks = f"{cores} processes"
    steps = (course.epochs - course.first_epoch) * -(-len(samples) // course.batch_size)
    threads = _seconds(model, samples, course, 1, form)
    told = f"a step takes {1e3 * threads:.1f} ms with {cores} threads, "
    if threads * steps < WORTH * start:
        return Choice(1, told + f"all of them {threads * steps:.1f} s, too short to try {ranks}")
    together = _seconds(model, samples, course, cores, form)
    told += f"{1e3 * together:.1f} ms in {ranks}"
    return Choice(cores if together * steps + start < threads * steps else 1, told)


class _Clock(Callback):
    """Notes what each step takes, in the rank that leads, until it knows enough."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.since = 0.0

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float]) -> None:
        """Start."""
        self.since = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Stop."""
        self.seconds.append(time.perf_counter() - self.since)
        self.model.stop_training = len(self.seconds) > TRIALS and sum(self.seconds[1:]) >= TRIED


def _seconds(model: Trainee, samples: Samples, course: Course, ranks: int, form: Form) -> float:
    """The median time of a step on the first batches with so many ranks."""
    whole = min(BATCHES, len(samples) // course.batch_size)
    first = slice(0, whole * course.batch_size or len(samples))
    weights = None if samples.weights is None else samples.weights[first]
    few = replace(samples, x=Rows(samples.x[first]), y=samples.y[first], weights=weights)
    short = replace(course, first_epoch=0, epochs=10**9, shuffle=False)  # until the clock ends it
    clock, trial = _Clock(), copy.deepcopy(model)
    try:
        if ranks == 1:
            loop.run(trial, few, None, short, [clock])
        else:
            team.train(trial, few, None, short, [clock], ranks, form)
    except NonFiniteLossError:  # which the training itself is to tell
        return min(clock.seconds, default=math.inf)
    if not trial.stop_training:
        raise KeyboardInterrupt
    return statistics.median(clock.seconds[1:])
