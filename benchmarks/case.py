"""What is compared, and one line of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.timing import Comparison, Effort, Function, compare, fastest, threads, with_blas_threads


@dataclass
class Case:
    """Two ways to do the same.

    Attributes
    ----------
    name : str
    ours : function
    theirs : functions
        Ways in which the other library can do it, of which the fastest is taken: memory layouts.
    check : function
        Raises AssertionError unless both sides compute the same.
    trials : functions, optional
        Shorter ones than `theirs`, to find out which is the fastest.
    units : pair of float
        How much work each side does, if the times are to be given per unit of it.
    peer : str
        Whose `theirs` is.
    threads : sequence of int, optional
        Numbers of threads to measure with; all that were asked for by default.
    processes : int
        How many of ours there are, each with one thread, where `theirs` has so many threads.
    """

    name: str
    ours: Function
    theirs: Sequence[Function]
    check: Callable[[], None]
    trials: Sequence[Function] | None = None
    units: tuple[float, float] = (1.0, 1.0)
    peer: str = "PyTorch"
    threads: Sequence[int] | None = None
    processes: int = 1


@dataclass(frozen=True)
class Row:
    """A line of a table: `ours` and `theirs` in `unit`, their ratio and its quartiles; see :class:`Comparison`."""

    group: str
    name: str
    peer: str
    threads: int
    unit: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    rounds: int
    others: float
    processes: int = 1

    @property
    def way(self) -> str:
        """How ours uses the cores, in words; nothing where that does not matter."""
        if self.processes > 1:
            return f"{self.processes} processes"
        return f"{self.threads} thread{'s' * (self.threads > 1)}" if self.threads else ""

    @classmethod
    def of(
        cls, group: str, name: str, peer: str, n: int, unit: str, factor: float, found: Comparison, processes: int = 1
    ) -> Row:
        """A row of a comparison whose figures are multiplied by a factor."""
        return cls(
            group,
            name,
            peer,
            n,
            unit,
            found.ours * factor,
            found.theirs * factor,
            found.ratio,
            found.low,
            found.high,
            found.rounds,
            found.others,
            processes,
        )


@dataclass(frozen=True)
class Group:
    """A table: its cases, or a function that measures its rows by itself.

    Attributes
    ----------
    title : str
    cases : function, optional
        ``cases(quick)`` yields the cases one by one, so that only one's arrays are in memory.
    rows : function, optional
        ``rows(quick, threads)`` yields rows that need another way of measuring.
    unit, factor : str, float
        What the times are given in, and what seconds are multiplied by for it.
    """

    title: str
    cases: Callable[[bool], Iterable[Case]] | None = None
    rows: Callable[[bool, Sequence[int]], Iterable[Row]] | None = None
    unit: str = "ms"
    factor: float = 1e3


def measure(case: Case, n: int, effort: Effort) -> Comparison:
    """Compare the two sides of a case that was checked, with ``n`` threads."""
    with threads(n) as settle:
        plain = case.peer in ("PyTorch", "ours")
        others = case.theirs if plain else [with_blas_threads(theirs, n) for theirs in case.theirs]
        best = others[fastest(case.trials or others, effort, settle=settle)]
        return compare(case.ours, best, effort, units=case.units, settle=settle)


def agree(what: str, ours: npt.ArrayLike, theirs: npt.ArrayLike, tolerance: float = 1e-3) -> None:
    """Raise unless two results are the same: to a share of the largest value."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        raise AssertionError(f"{what}: the sides do not compute the same: shapes {a.shape} and {b.shape}")
    error, scale = np.abs(a - b).max(initial=0.0), max(np.abs(b).max(initial=0.0), 1e-6)
    if not error <= tolerance * scale:
        raise AssertionError(f"{what}: the sides do not compute the same: they differ by {error:.3g} of {scale:.3g}")
