"""Random numbers: NumPy generators, never NumPy's global state."""

from __future__ import annotations

import os

import numpy as np

__all__ = ["RNG", "generator", "seed"]

RNG = None | int | np.random.SeedSequence | np.random.Generator

_sequence = np.random.SeedSequence()
_default = np.random.default_rng(_sequence)


def generator(rng: RNG = None) -> np.random.Generator:
    """Return a generator: the one given, one seeded with the int given, or the library's own."""
    return _default if rng is None else np.random.default_rng(rng)


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
    _default.bit_generator.state = np.random.default_rng(sequence).bit_generator.state


if hasattr(os, "register_at_fork"):
    _children: list[np.random.SeedSequence] = []
    os.register_at_fork(
        before=lambda: _children.extend(_sequence.spawn(1)),  # the parent counts, so that no two children are alike
        after_in_parent=_children.clear,
        after_in_child=lambda: _restart(_children.pop()),
    )
