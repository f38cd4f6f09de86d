"""What a model is trained for: its loss and metrics, together with the activation that it ends with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad import losses
from tensorgrad.checks import is_number
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.losses import Loss
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training import metrics
from tensorgrad.training.metrics import Metric
from tensorgrad.training.tasks import Task


class Objective:
    """A loss and metrics for the outputs of a model.

    Where the loss can be computed from logits, as cross-entropy after softmax or sigmoid, it is, and nothing overflows.
    `scores` below are then the logits, otherwise the outputs.

    Parameters
    ----------
    loss : str, callable or Loss
        A name of ``tensorgrad.losses.LOSSES``, or a function of outputs and targets.
    metrics : sequence of str, callable or Metric
    activation : str or None
        What the last layer ends with.
    outputs : int
        How many outputs there are for each sample or pixel.
    label_smoothing : float
        While training, the share of each target that is spread evenly over the classes.

    Attributes
    ----------
    loss : str
        The name of the loss.
    task : Task
    from_logits : bool
    """

    def __init__(
        self,
        loss: Any,
        metrics_: Sequence[Any],
        activation: str | None,
        outputs: int,
        label_smoothing: float = 0.0,
    ) -> None:
        self.activation = activation
        self.task = Task.of(activation, outputs)
        self.record: Loss = losses.find(loss, activation)
        self.loss = self.record.name
        self.from_logits = self.record.of_logits is not None
        in_range = is_number(label_smoothing) and 0 <= label_smoothing <= 1
        if not in_range or (label_smoothing and not self.from_logits):
            raise ValueError(
                f"compile_model: label_smoothing must lie in 0 to 1, and needs the loss 'cse' or 'bce'; received "
                f"{label_smoothing!r} with {self.loss!r}"
            )
        self.label_smoothing = float(label_smoothing)
        self.metrics = tuple(self._checked(given) for given in metrics_)

    def _checked(self, given: Any) -> Metric:
        metric = metrics.metric(given)
        fits = not metric.tasks or self.task.kind in metric.tasks
        if not fits and metric.name != "accuracy":  # which the tutorial's programs name whatever they train for
            needs = "softmax" if metric.tasks == ("classes",) else "softmax or sigmoid"
            raise ValueError(
                f"compile_model: metric {metric.name!r} needs {needs} outputs, but they are {self.activation!r}"
            )
        return metric

    def reported(self, task: Task) -> Iterator[Metric]:
        """The metrics that an evaluation reports besides the loss and the task's own figures."""
        for metric in self.metrics:
            if metric.name not in task.figures and (not metric.tasks or task.kind in metric.tasks):
                yield metric

    def is_better_higher(self, figure: str) -> bool | None:
        """Whether a figure of that name is better if it is higher; None if nobody said."""
        name = figure.removeprefix("val_")
        metric = next((metric for metric in self.metrics if metric.name == name), None) or metrics.find(name)
        return False if metric is None else metric.higher_is_better

    def __call__(self, scores: Tensor, target: Tensor, weights: Array | None = None, training: bool = False) -> Tensor:
        """The loss of a batch: the mean over its samples, each times its weight if there are weights."""
        return self._mean(self.record.of_logits or self.record.function, scores, target, weights, training)

    def of_outputs(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The loss of outputs whose logits are not at hand."""
        return self._mean(self.record.function, outputs, target, None, False)

    def _mean(
        self, function: losses.LossFunction, x: Tensor, target: Tensor, weights: Array | None, training: bool
    ) -> Tensor:
        if training and self.label_smoothing:
            classes = target.shape[-1] if self.task.kind == "classes" else 2
            target = target * (1 - self.label_smoothing) + self.label_smoothing / classes
        loss = function(x, target)
        if weights is None:
            return loss.mean()
        per_sample = loss.mean(tuple(range(1, loss.ndim))) if loss.ndim > 1 else loss
        return (per_sample * Tensor.wrap(weights.astype(per_sample.dtype))).mean()

    def size(self, target: Array) -> float:
        """What the loss of a batch counts for in the mean over all batches."""
        return len(target)

    def outputs(self, scores: Tensor) -> Array:
        """What the model says, from its scores."""
        if self.from_logits:
            scores = ACTIVATIONS[str(self.activation)](scores)
        return np.asarray(scores.array)
