"""The figures that every epoch and evaluation reports besides the loss, added up batch by batch."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tensorgrad.tensor import Array
from tensorgrad.training.tasks import Task


class Tally(Protocol):
    """Figures of the batches that were added so far."""

    def add(self, scores: Array, targets: Array) -> None:
        """Add a batch."""

    def figures(self) -> dict[str, float]:
        """The figures of all batches added, by name."""


class Accuracy:
    """The share of right answers: of samples, pixels or, where a sample may have several labels, of labels.

    Parameters
    ----------
    task : Task
    from_logits : bool
        Whether the scores are logits, so that 0 and not 0.5 separates no from yes.
    """

    def __init__(self, task: Task, from_logits: bool) -> None:
        self.task = task
        self.threshold = 0.0 if from_logits else 0.5
        self.right = self.answers = 0

    def add(self, scores: Array, targets: Array) -> None:
        """Count the right answers of a batch."""
        if self.task.ignores:
            targets, scores = self.task.counted(targets, scores)
        right = self.task.class_of(scores, self.threshold) == self.task.class_of(targets)
        self.right += int(np.count_nonzero(right))
        self.answers += right.size

    def figures(self) -> dict[str, float]:
        """``accuracy``, from 0 to 1."""
        return {"accuracy": self.right / self.answers if self.answers else 0.0}


class Errors:
    """Mean absolute error and coefficient of determination of values, added up in float64.

    ``r2 = 1 - sum (t - y)^2 / sum (t - mean t)^2`` for each output, averaged over the outputs. Where an output's
    targets are all equal, r2 is 1 if they are met exactly and 0 otherwise, as scikit-learn has it.
    """

    def __init__(self) -> None:
        self.count = 0
        self.absolute = 0.0
        self.squared = self.mean = self.spread = np.zeros(1)  # per output

    def add(self, scores: Array, targets: Array) -> None:
        """Add a batch, merging means and sums of squares (Chan, Golub & LeVeque 1983)."""
        y, t = (values.reshape(len(values), -1).astype(np.float64) for values in (scores, targets))
        error = y - t
        mean = t.mean(0)
        away = mean - self.mean
        total = self.count + len(t)
        self.absolute += float(np.abs(error).sum())
        self.squared = self.squared + (error * error).sum(0)
        self.spread = self.spread + ((t - mean) ** 2).sum(0) + away * away * (self.count * len(t) / total)
        self.mean = self.mean + away * (len(t) / total)
        self.count = total

    def figures(self) -> dict[str, float]:
        """``mae`` and ``r2``."""
        varies = self.spread > 0
        share = np.divide(self.squared, self.spread, out=(self.squared > 0).astype(np.float64), where=varies)
        return {"mae": self.absolute / max(1, self.count * self.squared.size), "r2": float((1 - share).mean())}


def tally(task: Task, from_logits: bool) -> Tally:
    """An empty tally of the figures that a task has."""
    return Errors() if task.kind == "values" else Accuracy(task, from_logits)
