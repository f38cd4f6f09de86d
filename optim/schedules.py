"""Learning rates that change: functions of the number of the step or epoch, counted from 0.

A schedule remembers nothing, so it can be called with any number at any time, and a training that is resumed goes on
with the right rate. Its ``repr`` is the expression that makes it again.

>>> schedule = WarmUp(2, then=Cosine(0.1, total=10))
>>> [round(schedule(epoch), 4) for epoch in range(5)]
[0.0333, 0.0667, 0.1, 0.0976, 0.0905]

In a training loop: ``optimizer.lr = schedule(epoch)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from typing import TypeAlias

from tensorgrad.checks import brief
from tensorgrad.optim.arguments import count, number, positive

Schedule: TypeAlias = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """Always `lr`.

    Parameters
    ----------
    lr : float
        The learning rate.

    """

    lr: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", number(self.lr, "Constant", "lr"))

    def __call__(self, n: int) -> float:
        """The learning rate at step or epoch `n`."""
        count(n, "Constant", "n")
        return self.lr


@dataclass(frozen=True)
class StepDecay:
    """Multiplied by `gamma` every `every` steps: ``lr * gamma ** (n // every)``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    every : int
        Steps or epochs between two changes.
    gamma : float
        The factor of each change.

    """

    lr: float
    every: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", number(self.lr, "StepDecay", "lr"))
        object.__setattr__(self, "every", count(self.every, "StepDecay", "every", low=1))
        object.__setattr__(self, "gamma", positive(self.gamma, "StepDecay", "gamma"))

    def __call__(self, n: int) -> float:
        """The learning rate at step or epoch `n`."""
        return self.lr * self.gamma ** (count(n, "StepDecay", "n") // self.every)


@dataclass(frozen=True)
class Exponential:
    """Multiplied by `gamma` in every step: ``lr * gamma ** n``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    gamma : float
        The factor from each step or epoch to the next.

    """

    lr: float
    gamma: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", number(self.lr, "Exponential", "lr"))
        object.__setattr__(self, "gamma", positive(self.gamma, "Exponential", "gamma"))

    def __call__(self, n: int) -> float:
        """The learning rate at step or epoch `n`."""
        return self.lr * self.gamma ** count(n, "Exponential", "n")


@dataclass(frozen=True)
class Cosine:
    """Falls along half a cosine, then stays: ``final + (lr - final) * (1 + cos(pi * min(n / total, 1))) / 2``.

    Parameters
    ----------
    lr : float
        The learning rate at the start.
    total : int
        Steps or epochs until the last rate.
    final : float
        The last learning rate.

    References
    ----------
    Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", equation 5.

    """

    lr: float
    total: int
    final: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "lr", number(self.lr, "Cosine", "lr"))
        object.__setattr__(self, "total", count(self.total, "Cosine", "total", low=1))
        object.__setattr__(self, "final", number(self.final, "Cosine", "final"))

    def __call__(self, n: int) -> float:
        """The learning rate at step or epoch `n`."""
        passed = min(count(n, "Cosine", "n") / self.total, 1.0)
        return self.final + (self.lr - self.final) * (1 + cos(pi * passed)) / 2


@dataclass(frozen=True)
class WarmUp:
    """Rises along a straight line, then follows another schedule.

    ``then(0) * (n + 1) / (steps + 1)`` for the first `steps`, ``then(n - steps)`` from there on.

    Parameters
    ----------
    steps : int
        Steps or epochs of the rise. The first has a rate above 0, and the last one below the full rate.
    then : callable
        The schedule that follows; its steps are counted from 0.

    References
    ----------
    Goyal et al. 2017, "Accurate, large minibatch SGD: training ImageNet in 1 hour", section 2.2.

    """

    steps: int
    then: Schedule

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", count(self.steps, "WarmUp", "steps", low=1))
        if not callable(self.then):
            raise TypeError(
                f"WarmUp: then must be a schedule, a function of the step number, received {brief(self.then)}; "
                "for a fixed rate pass Constant(lr)"
            )

    def __call__(self, n: int) -> float:
        """The learning rate at step or epoch `n`."""
        if count(n, "WarmUp", "n") < self.steps:
            return self.then(0) * (n + 1) / (self.steps + 1)
        return self.then(n - self.steps)
