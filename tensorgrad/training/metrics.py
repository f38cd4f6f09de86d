"""How good a classifier's outputs are: confusion matrix, precision, recall, F1, top-k."""

from __future__ import annotations

import re

import numpy as np

from tensorgrad.tensor import Array

_TOP = re.compile(r"top_?([1-9]\d*)")


def confusion_matrix(labels: Array, said: Array, classes: int) -> Array:
    """How many samples of each class (row) were said to be of each class (column): ``(classes, classes)``."""
    cells = labels.astype(np.int64) * classes + said.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def precision_recall_f1(confusion: Array) -> tuple[Array, Array, Array]:
    """Per class: the share of what was said that is right, the share that was found, their harmonic mean.

    Each is 0 where it would be 0 / 0: a class that nobody named, or that does not occur.
    """
    right = np.diag(confusion).astype(np.float64)
    named, there = confusion.sum(0), confusion.sum(1)
    precision = np.divide(right, named, out=np.zeros_like(right), where=named > 0)
    recall = np.divide(right, there, out=np.zeros_like(right), where=there > 0)
    both = precision + recall
    return precision, recall, np.divide(2 * precision * recall, both, out=np.zeros_like(right), where=both > 0)


def top_k(outputs: Array, labels: Array, k: int) -> float:
    """The share of samples whose class is among the k with the highest outputs; a tie counts against them."""
    own = np.take_along_axis(outputs, labels[:, None].astype(np.int64), axis=1)
    rank = (outputs >= own).sum(axis=1)  # 1 for the highest
    return float((rank <= k).mean())


def k_of(name: str) -> int | None:
    """The k of a metric's name "top3" or "top_3"; None for another name."""
    match = _TOP.fullmatch(name)
    return int(match.group(1)) if match else None


class Evaluation(dict[str, float]):
    """The figures of an evaluation under their names; of a classifier, the confusion matrix too.

    Attributes
    ----------
    confusion : ndarray of int, shape=(classes, classes), or None
        How many samples of each class (row) were said to be of each class (column).
    """

    confusion: Array | None = None

    def __str__(self) -> str:
        lines = ["  ".join(f"{name} {figure:.4f}" for name, figure in self.items())]
        if self.confusion is not None:
            lines.append(f"{'class':>8}{'precision':>11}{'recall':>9}{'F1':>9}{'samples':>9}")
            for c, row in enumerate(zip(*precision_recall_f1(self.confusion), self.confusion.sum(1), strict=True)):
                lines.append(f"{c:>8}{row[0]:>11.3f}{row[1]:>9.3f}{row[2]:>9.3f}{row[3]:>9}")
        return "\n".join(lines)
