"""The figures that every epoch and evaluation reports besides the loss, added up batch by batch."""

from __future__ import annotations

import numpy as np

from tensorgrad.tensor import Array
from tensorgrad.training.tasks import ERRORS, Task


class Tally:
    """Figures of the batches that were added so far.

    They are kept as sums, so that a batch may be added in parts: the sums of all parts, added up, are those of the
    batch.
    """

    def __init__(self) -> None:
        self.count = 0.0  # of what was added

    def add(self, scores: Array, targets: Array) -> None:
        """Add a batch."""
        if not self.count:
            self.begin(targets)
        self.merge(self.sums(scores, targets))

    def begin(self, targets: Array) -> None:
        """Look at some targets before the first batch is added; they are not counted."""

    def sums(self, scores: Array, targets: Array) -> Array:
        """What a batch, or a part of one, adds: float64, one-dimensional, and of one length for all batches."""
        raise NotImplementedError

    def merge(self, sums: Array) -> None:
        """Add the sums of a batch."""
        raise NotImplementedError

    def figures(self) -> dict[str, float]:
        """The figures of all batches added, by name."""
        raise NotImplementedError


class Accuracy(Tally):
    """The share of right answers: of samples, pixels or, where a sample may have several labels, of labels.

    Parameters
    ----------
    task : Task
    from_logits : bool
        Whether the scores are logits, so that 0 and not 0.5 separates no from yes.
    """

    def __init__(self, task: Task, from_logits: bool) -> None:
        super().__init__()
        self.task = task
        self.threshold = 0.0 if from_logits else 0.5
        self.right = 0.0

    def sums(self, scores: Array, targets: Array) -> Array:
        """The answers, and the right ones among them."""
        if self.task.ignores:
            targets, scores = self.task.counted(targets, scores)
        right = self.task.class_of(scores, self.threshold) == self.task.class_of(targets)
        return np.array([right.size, np.count_nonzero(right)], np.float64)

    def merge(self, sums: Array) -> None:
        """Add them."""
        self.count += float(sums[0])
        self.right += float(sums[1])

    def figures(self) -> dict[str, float]:
        """``accuracy``, from 0 to 1."""
        return {"accuracy": self.right / self.count if self.count else 0.0}


class Errors(Tally):
    """Mean absolute error and coefficient of determination of values, added up in float64.

    ``r2 = 1 - sum (t - y)^2 / sum (t - mean(t))^2`` for each output, averaged over the outputs. Where an output's
    targets are all equal, r2 is 1 if they are met exactly and 0 otherwise, as scikit-learn has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.absolute = 0.0
        self.squared = self.mean = self.spread = np.zeros(1)  # per output

    def begin(self, targets: Array) -> None:
        """Take the first batch's sums of squares about its first target, which loses fewer digits than about 0."""
        self.mean = targets[0].reshape(-1).astype(np.float64)

    def sums(self, scores: Array, targets: Array) -> Array:
        """The samples and their absolute errors; of each output errors squared, and targets about the mean so far."""
        y, t = (values.reshape(len(values), self.mean.size).astype(np.float64) for values in (scores, targets))
        error, away = y - t, t - self.mean
        each = [(error * error).sum(0), away.sum(0), (away * away).sum(0)]
        return np.concatenate([[len(t), np.abs(error).sum()], *each])

    def merge(self, sums: Array) -> None:
        """Add them; the mean moves, and the sum of squares is then about the new one (Chan, Golub & LeVeque 1983)."""
        count, absolute = sums[:2].tolist()
        squared, away, spread = sums[2:].reshape(3, -1)
        self.count += count
        self.absolute += absolute
        self.squared = self.squared + squared
        self.spread = self.spread + spread - away * away / max(1.0, self.count)
        self.mean = self.mean + away / max(1.0, self.count)

    def figures(self) -> dict[str, float]:
        """``mae`` and ``r2``."""
        varies = self.spread > 0
        share = np.divide(self.squared, self.spread, out=(self.squared > 0).astype(np.float64), where=varies)
        absolute = self.absolute / max(1, self.count * self.squared.size)
        return dict(zip(ERRORS, (absolute, float((1 - share).mean())), strict=True))


def tally(task: Task, from_logits: bool) -> Tally:
    """An empty tally of the figures that a task has."""
    return Errors() if task.kind == "values" else Accuracy(task, from_logits)
