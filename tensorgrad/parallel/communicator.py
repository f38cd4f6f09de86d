"""What ranks say to each other: a small protocol. The forms are processes or threads on one machine, and MPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from tensorgrad.tensor import Array

T = TypeVar("T")

PATIENCE = 7.0  # seconds that a rank at work may be later than the others, beside four times what they took themselves


class RankError(RuntimeError):
    """Another rank has failed, ended or hangs; the message names it."""


class Communicator(Protocol):
    """One of several ranks, as it speaks with the others. All make the same calls in the same order.

    A call raises :class:`RankError` if another rank is no longer there, or at work but late by :data:`PATIENCE`.

    Attributes
    ----------
    rank : int
        This one's number, from 0. Rank 0 leads.
    size : int
        How many there are.
    """

    rank: int
    size: int

    def sum(self, *arrays: Array) -> None:
        """Replace each array by its sum over all ranks, the same to the bit everywhere, in one exchange."""

    def broadcast(self, value: T) -> T:
        """What rank 0 gave."""

    def gather(self, value: T) -> list[T]:
        """What each rank gave, in their order."""

    def work(self, at_work: bool) -> None:
        """Tell whether this rank will soon be at the next exchange, so that the others may give up waiting for it."""

    def abort(self, error: BaseException) -> None:
        """Let the others end, because of an error that only this rank has."""


def agree(communicator: Communicator, facts: Mapping[str, Any]) -> None:
    """Raise on all ranks alike, a ValueError, if any of the facts differs from rank 0's."""
    told = communicator.gather(dict(facts))
    for rank, others in enumerate(told):
        for name, value in told[0].items():
            if others[name] != value:
                raise ValueError(
                    f"train: all ranks must have the same {name}, but rank 0 has {value} and rank {rank} has "
                    f"{others[name]}"
                )
