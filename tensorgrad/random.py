"""Random numbers: NumPy generators, never NumPy's global state."""

from __future__ import annotations

import numpy as np

RNG = None | int | np.random.SeedSequence | np.random.Generator

_default = np.random.default_rng()


def generator(rng: RNG = None) -> np.random.Generator:
    """A generator: the one given, one seeded with the int given, or the library's own."""
    if rng is None:
        return _default
    return np.random.default_rng(rng)


def seed(value: int) -> None:
    """Seed the library's own generator, which everything draws from that is given no other."""
    _default.bit_generator.state = np.random.default_rng(value).bit_generator.state
