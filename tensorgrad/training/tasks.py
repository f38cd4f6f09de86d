"""What a model answers: which class, yes or no, which labels, or values. Accuracy and class weights depend on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from tensorgrad.functional.activations import ACTIVATIONS
from tensorgrad.tensor import Array

SHARES = ("accuracy",)  # the figures of what can be right or wrong ...
ERRORS = ("mae", "r2")  # ... and those of values


@dataclass(frozen=True)
class Task:
    """What a model answers, for each sample or, if its outputs are maps, for each pixel.

    Attributes
    ----------
    kind : "classes", "yes or no", "labels" or "values"
        One class of many, after softmax; yes or no, after one sigmoid; a yes or no for each of several labels, after
        several sigmoids; numbers otherwise.
    classes : int
        How many classes or labels there are, 2 for yes or no, 0 for values.
    one_of_many : bool
        For labels: each sample has exactly one of them, so that the strongest output is the answer.
    ignores : bool
        For classes: what has no class, a target of zeros alone, does not count.
    """

    kind: Literal["classes", "yes or no", "labels", "values"]
    classes: int = 0
    one_of_many: bool = False
    ignores: bool = False

    @classmethod
    def of(cls, activation: str | None, outputs: int, ignores: bool = False) -> Self:
        """The task of a model with this last activation and number of outputs for each sample or pixel."""
        kind = ACTIVATIONS[activation].outputs if activation else "values"
        if kind == "values":
            return cls(kind)
        if kind == "labels" and outputs == 1:
            return cls("yes or no", 2)
        return cls(kind, outputs, ignores=ignores)

    def told_by(self, targets: Array, loss_is_of_probabilities: bool) -> Self:
        """The task in the light of all targets.

        Sigmoids whose targets are neither 0 nor 1 answer with values, unless the loss says that they are
        probabilities; labels of which each sample has exactly one are one of many.
        """
        if self.kind not in ("yes or no", "labels"):
            return self
        if not loss_is_of_probabilities and not ((targets == 0) | (targets == 1)).all():
            return replace(self, kind="values", classes=0)
        if self.kind == "labels":
            one_hot = bool((targets.max(-1) == 1).all() and (targets.sum(-1) == 1).all())
            return replace(self, one_of_many=one_hot)
        return self

    @property
    def figures(self) -> tuple[str, ...]:
        """The figures that are reported besides the loss."""
        return ERRORS if self.kind == "values" else SHARES

    @property
    def tells_classes_apart(self) -> bool:
        """Whether each answer is one of several classes, so that there is a confusion matrix."""
        return self.kind in ("classes", "yes or no")

    def counted(self, targets: Array, *others: Array) -> tuple[Array, ...]:
        """Targets and other arrays with a row for each sample or pixel, without those that do not count."""
        rows = [values.reshape(-1, values.shape[-1]) for values in (targets, *others)]
        if self.ignores:
            counts = rows[0].any(-1)
            rows = [values[counts] for values in rows]
        return tuple(rows)

    def class_of(self, outputs: Array, threshold: float = 0.5) -> Array:
        """The class of each output or target, ``shape=outputs.shape[:-1]``; for labels a bool for each."""
        if self.kind == "classes" or self.one_of_many:
            best: Array = outputs.argmax(-1)
            return best
        named: Array = outputs > threshold
        return named[..., 0].astype(np.intp) if self.kind == "yes or no" else named
