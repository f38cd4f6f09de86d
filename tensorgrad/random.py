"""Random numbers: NumPy generators, never NumPy's global state."""

from __future__ import annotations

import os
from contextvars import ContextVar
from functools import cache
from typing import TypeAlias

import numpy as np

__all__ = ["RNG", "child", "generator", "restart_here", "seed"]

RNG: TypeAlias = "int | np.random.SeedSequence | np.random.Generator | None"  # in quotes: NumPy imports these later

_sequence: np.random.SeedSequence | None = None  # what the library's own generator began with
_here: ContextVar[np.random.Generator | None] = ContextVar("tensorgrad_generator", default=None)  # see restart_here


@cache
def _own() -> np.random.Generator:
    """The library's own generator, made when it is first needed, since NumPy imports its generators only then."""
    global _sequence
    _sequence = _sequence or np.random.SeedSequence()
    return np.random.default_rng(_sequence)


def generator(rng: RNG = None) -> np.random.Generator:
    """Return a generator: the one given, one seeded with the int given, or the library's own."""
    if rng is None:
        return _here.get() or _own()
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"rng must be None, an int of at least 0, a SeedSequence or a Generator, received {rng!r:.60}"
        ) from None


def seed(value: int) -> None:
    """Seed the library's own generator, from which everything draws that is given no other.

    A process that is forked later draws other numbers than its parent and its siblings. They follow from this seed and
    from how many forks came before, so they are the same in every run.

    Raises
    ------
    ValueError
        If it is no whole number of at least 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"seed: expected an int of at least 0, received {value!r}")
    _restart(np.random.SeedSequence(int(value)))


def _restart(sequence: np.random.SeedSequence) -> None:
    global _sequence
    _sequence = sequence
    _own().bit_generator.state = np.random.default_rng(sequence).bit_generator.state


def child() -> np.random.SeedSequence:
    """The seed of one more process or thread: it follows from :func:`seed`, and from how many came before."""
    return np.random.SeedSequence() if _sequence is None else _sequence.spawn(1)[0]


def restart_here(sequence: np.random.SeedSequence) -> None:
    """Give the current context, such as that of a new thread, a generator of its own instead of the library's."""
    _here.set(np.random.default_rng(sequence))


_children: list[np.random.SeedSequence] = []


def _before_fork() -> None:
    if _sequence is not None:  # otherwise each process makes its own
        _children.append(child())  # the parent counts, so that no two children are alike


def _in_child() -> None:
    if _children:
        _restart(_children.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_children.clear, after_in_child=_in_child)
