"""The model of docs/scaling.md: what a step takes with so many ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from tensorgrad.parallel import mpi

MESSAGE = 1e-6  # seconds that a rank needs for each further message of an exchange


class Link(NamedTuple):
    """What a network, or the memory of a machine, needs."""

    latency: float
    bandwidth: float

    @classmethod
    def fitted(cls, times: Mapping[Any, float]) -> Self:
        """The line through the times of exchanges between two, by their numbers of float32."""
        (few, short), (many, long) = ((4 * int(count), seconds) for count, seconds in times.items())
        each = (long - short) / (many - few)
        return cls(short - few * each, 1 / each)

    def exchange(self, ranks: int, size: int) -> float:
        """Seconds to add up so many bytes: all gather all where they are few, otherwise each adds up a part first."""
        if ranks == 1:
            return 0.0
        rounds = math.log2(ranks)
        if size * ranks <= mpi.SHORT or ranks == 2:
            return rounds * self.latency + (ranks - 1) * size / self.bandwidth
        return 2 * rounds * self.latency + (ranks - 1) * (MESSAGE + 2 * size / ranks / self.bandwidth)


class Compute(NamedTuple):
    """What a rank alone needs for a step: so much for itself, and so much for each sample."""

    step: float
    sample: float

    @classmethod
    def fitted(cls, times: Mapping[int, float]) -> Self:
        """The line through the times of steps, by their numbers of samples."""
        slope, start = np.polyfit(list(times), list(times.values()), 1)
        return cls(max(0.0, float(start)), float(slope))

    def seconds(self, samples: float) -> float:
        """Of a step."""
        return self.step + samples * self.sample
