"""Time two functions side by side, by turns, so that what else the machine does falls on both.

A *round* times one block of calls of each side; who goes first alternates. The result is the median of the rounds'
ratios, with its quartiles: each ratio compares two times that were taken within moments of each other.

Threads of one library go on spinning for a while after its last call, waiting for more work, and take a core from
the other side; and the system needs some time to move two threads that woke up on the same core apart. With two
threads, PyTorch's convolution of 0.3 ms took up to 16 ms right after ours, ours twice as long right after PyTorch's.
So each block is preceded by calls of the same function that are not timed, which lets both settle.

It also takes a quiet machine. Threads that wait for each other in a loop, as OpenMP's do, lose a whole time slice, 16
ms, whenever another process has one of the cores. So the processor time of other processes is measured, and shown
where it is more than a trace.

Garbage collection is on, as it is in a user's program; before a case, what is there by then is collected and frozen,
so that a collection does not go over the modules of the other side.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tensorgrad.kernels import threads as kernel_threads

Function = Callable[[], object]
Clock = Callable[[], float]

SETTLE = 0.05  # seconds: OpenBLAS's threads spin for 0.03, OpenMP's for 0.01; moving a thread takes 0.02
LONG = 0.25  # seconds: a call of that length needs neither repeating nor untimed ones before it


@dataclass(frozen=True)
class Effort:
    """How long to measure: at least `rounds`, and up to `most` of them while `seconds` last."""

    rounds: int
    most: int
    seconds: float
    block: float = 0.01  # seconds that a side's turn takes at least
    trials: int = 3  # how often to try each way that the other side can do it, to choose the fastest


@dataclass(frozen=True)
class Comparison:
    """Seconds per call (medians), and the ratio ours / theirs: its median and quartiles over the rounds.

    `others` is how much of a core other processes used meanwhile, 0 if that cannot be known.
    """

    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    rounds: int
    others: float = 0.0


def summarize(
    pairs: Sequence[tuple[float, float]], units: tuple[float, float] = (1.0, 1.0), others: float = 0.0
) -> Comparison:
    """The medians of rounds: times of ours and of theirs, each divided by the units of work that it did."""
    ours = [pair[0] / units[0] for pair in pairs]
    theirs = [pair[1] / units[1] for pair in pairs]
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, ratio, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Comparison(statistics.median(ours), statistics.median(theirs), ratio, low, high, len(pairs), others)


def compare(
    ours: Function,
    theirs: Function,
    effort: Effort,
    *,
    units: tuple[float, float] = (1.0, 1.0),
    settle: float = 0.0,
    clock: Clock = time.perf_counter,
) -> Comparison:
    """Time two functions by turns."""
    gc.collect()
    gc.freeze()
    turns = [_Turn(side, effort.block, settle, clock) for side in (ours, theirs)]
    pairs: list[tuple[float, float]] = []
    busy, started = seconds_of_others(), clock()
    while len(pairs) < effort.rounds or (len(pairs) < effort.most and clock() - started < effort.seconds):
        times = [0.0, 0.0]
        for side in (0, 1) if len(pairs) % 2 == 0 else (1, 0):
            times[side] = turns[side].take()
        pairs.append((times[0], times[1]))
    elapsed = clock() - started
    return summarize(pairs, units, (seconds_of_others() - busy) / elapsed if elapsed else 0.0)


def fastest(
    functions: Sequence[Function], effort: Effort, *, settle: float = 0.0, clock: Clock = time.perf_counter
) -> int:
    """Which of several ways to do the same is the fastest, by the best of a few blocks of each."""
    if len(functions) == 1:
        return 0
    turns = [_Turn(function, effort.block, settle, clock) for function in functions]
    best = [min(turn.take() for _ in range(effort.trials)) for turn in turns]
    return best.index(min(best))


class _Turn:
    """What a side does when it is its turn: a block of calls that are timed, after some that are not."""

    def __init__(self, function: Function, block: float, settle: float, clock: Clock) -> None:
        self.function, self.settle, self.clock = function, settle, clock
        seconds = self._time(1)
        if seconds < LONG:
            seconds = min(seconds, self._time(1))  # the first one may have been a cold start
        self.long = seconds >= LONG
        self.repeats = max(1, round(block / max(seconds, 1e-7)))

    def take(self) -> float:
        """Seconds per call."""
        if not self.long:
            until = self.clock() + self.settle
            self.function()
            while self.clock() < until:
                self.function()
        return self._time(self.repeats)

    def _time(self, repeats: int) -> float:
        start = self.clock()
        for _ in range(repeats):
            self.function()
        return (self.clock() - start) / repeats


def seconds_of_others() -> float:
    """Processor time that other processes have used since the start, where the system tells (Linux)."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _idle, _wait, *rest = map(int, stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1:])
    own = os.times()
    ticks = user + nice + system + sum(rest[:3]) - sum(map(ticks_of, multiprocessing.active_children()))
    return ticks / os.sysconf("SC_CLK_TCK") - (own.user + own.system + own.children_user + own.children_system)


def ticks_of(child: BaseProcess) -> int:
    """Of the clock, that a rank of ours has run for; 0 if it has ended."""
    try:
        stat = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0
    return sum(map(int, stat.rpartition(")")[2].split()[11:13]))  # in user mode, and in the kernel


@contextmanager
def threads(n: int) -> Iterator[float]:
    """Let ours and PyTorch use ``n`` threads; gives the seconds that they need to settle.

    Ours sets those of BLAS by itself, and knows when not to: set from here, two of them ran beside each of two ranks
    that already trained, and doubled the time of their steps.
    """
    torch: Any = sys.modules.get("torch")
    ours, theirs = kernel_threads.get_num_threads(), torch.get_num_threads() if torch else 1
    kernel_threads.set_num_threads(n)
    if torch:
        torch.set_num_threads(n)
    try:
        yield SETTLE if n > 1 else 0.0
    finally:
        kernel_threads.set_num_threads(ours)
        if torch:
            torch.set_num_threads(theirs)


def with_blas_threads(function: Function, n: int) -> Function:
    """A function that leaves its threads to BLAS, as NumPy's and MyGrad's do, with ``n`` of them."""
    blas: Any = importlib.import_module("threadpoolctl").ThreadpoolController().select(user_api="blas")

    def limited() -> object:
        with blas.limit(limits=n):
            return function()

    return limited
