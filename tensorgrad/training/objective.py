"""What a model is trained for: its loss and metrics, together with the activation that it ends with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad import losses
from tensorgrad.checks import brief, is_number
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.losses import Loss
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training import metrics
from tensorgrad.training.metrics import Metric
from tensorgrad.training.tasks import Task

DEFAULT = ("mse",)  # the tutorial's metrics


class Objective:
    """A loss and metrics for the outputs of a model.

    Where the loss can be computed from logits, as cross-entropy after softmax or sigmoid, it is, and nothing overflows.
    `scores` below are then the logits, otherwise the outputs.

    Parameters
    ----------
    loss : str, callable or Loss
        A name of ``tensorgrad.losses.LOSSES``, or a function of outputs and targets.
    metrics : sequence of str, callable or Metric, or None
        By default "mse", as in the tutorial.
    activation : str or None
        What the outputs come from.
    output_shape : tuple of int
        Of one sample.
    label_smoothing : float
        While training, the share of each target that is spread evenly over the classes.
    ignore_index : int, optional
        An integer label that means that a sample or pixel does not count.

    Attributes
    ----------
    loss : str
        The name of the loss.
    task : Task
    from_logits : bool
    by_default : bool
        Whether nobody asked for any metrics.
    """

    def __init__(
        self,
        loss: Any,
        metrics_: Sequence[Any] | None,
        activation: str | None,
        output_shape: tuple[int, ...],
        label_smoothing: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:
        self.activation = activation
        self.task = Task.of(activation, output_shape[-1], ignores=ignore_index is not None)
        self.record: Loss = losses.find(loss, activation)
        self.loss = self.record.name
        self.from_logits = self.record.of_logits is not None
        in_range = is_number(label_smoothing) and 0 <= label_smoothing <= 1
        if not in_range or (label_smoothing and not self.from_logits):
            raise ValueError(
                f"compile_model: label_smoothing must lie in 0 to 1, and needs the loss 'cse' or 'bce'; received "
                f"{brief(label_smoothing)} with {self.loss!r}"
            )
        self.label_smoothing = float(label_smoothing)
        is_index = isinstance(ignore_index, int | np.integer) and not isinstance(ignore_index, bool)
        if ignore_index is not None and not (is_index and self.task.kind == "classes" and self.from_logits):
            raise ValueError(
                "compile_model: ignore_index must be an int, and needs the loss 'cse' after softmax; received "
                f"{brief(ignore_index)} with {self.loss!r} after {activation!r}; "
                "sample_weight may give pixels the weight 0"
            )
        self.ignore_index = None if ignore_index is None else int(ignore_index)
        self.gives_mean = callable(loss) and _gives_mean(self.record, output_shape)
        self.metrics = tuple(self._checked(given) for given in (DEFAULT if metrics_ is None else metrics_))
        self.by_default = metrics_ is None
        self._check_names()

    def _checked(self, given: Any) -> Metric:
        metric = metrics.metric(given)
        fits = not metric.tasks or self.task.kind in metric.tasks
        if not fits and metric.name != "accuracy":  # which the tutorial's programs name whatever they train for
            needs = "softmax" if metric.tasks == ("classes",) else "softmax or sigmoid"
            raise ValueError(
                f"compile_model: metric {metric.name!r} needs {needs} outputs, but they are {self.activation!r}"
            )
        return metric

    def _check_names(self) -> None:
        """Raise if two different figures would have one name."""
        known: dict[str, Metric] = {}
        for metric in self.metrics:
            taken = metric.name in ("loss", "epoch", "time") or metric.name.startswith("val_")
            own = metric.name in self.task.figures and metric != metrics.find(metric.name)
            if taken or own or known.setdefault(metric.name, metric) != metric:
                raise ValueError(
                    f"compile_model: there would be two figures {metric.name!r}; give the function another name, with "
                    "def or tensorgrad.training.metrics.register(function, name)"
                )

    def reported(self, task: Task) -> Iterator[Metric]:
        """The metrics that an evaluation reports besides the loss and the task's own figures."""
        for metric in self.metrics:
            if metric.name not in task.figures and (not metric.tasks or task.kind in metric.tasks):
                yield metric

    def in_order(self, task: Task) -> tuple[str, ...]:
        """The figures of an evaluation in Keras's order: the loss, then the requested metrics."""
        return ("loss", *(task.figures if self.by_default else (metric.name for metric in self.metrics)))

    def is_better_higher(self, figure: str) -> bool | None:
        """Whether higher is better for a figure; None if unknown."""
        name = figure.removeprefix("val_")
        metric = next((metric for metric in self.metrics if metric.name == name), None) or metrics.find(name)
        return False if metric is None else metric.higher_is_better

    def __call__(self, scores: Tensor, target: Tensor, weights: Array | None = None, training: bool = False) -> Tensor:
        """The loss of a batch: the mean over its samples, each times its weight if there are weights."""
        return self._mean(self.record.of_logits or self.record.function, scores, target, weights, training)

    def of_outputs(
        self, outputs: Tensor, target: Tensor, weights: Array | None = None, training: bool = False
    ) -> Tensor:
        """The loss of outputs whose logits are not known."""
        return self._mean(self.record.function, outputs, target, weights, training)

    def _mean(
        self, function: losses.LossFunction, x: Tensor, target: Tensor, weights: Array | None, training: bool
    ) -> Tensor:
        if training and self.label_smoothing:
            classes = target.shape[-1] if self.task.kind == "classes" else 2
            evenly = Tensor.wrap(np.asarray(self.label_smoothing / classes, target.dtype))
            if self.task.ignores:  # targets that do not count stay 0
                evenly = target.sum(-1, keepdims=True) * evenly
            target = target * (1 - self.label_smoothing) + evenly
        loss = function(x, target)
        if weights is not None:
            weights = weights.reshape(weights.shape + (1,) * (loss.ndim - weights.ndim))
            loss = loss * Tensor.wrap(weights.astype(loss.dtype))
        return loss.sum() / max(1.0, self.size(target.array)) if self.task.ignores else loss.mean()

    def size(self, target: Array) -> float:
        """The weight of a batch in the mean over all batches: its samples, or its labels that are not ignored."""
        return float(np.count_nonzero(target.any(-1))) if self.task.ignores else len(target)

    @property
    def unregistered(self) -> list[str]:
        """The names of the user's own losses and metrics by which a file could not find them again."""
        loss = [] if self.record in losses.LOSSES.get(self.loss, ()) else [self.loss]
        return loss + [metric.name for metric in self.metrics if metrics.find(metric.name) != metric]

    def outputs(self, scores: Tensor) -> Array:
        """The model's outputs, from its scores."""
        if self.from_logits:
            scores = ACTIVATIONS[str(self.activation)](scores)
        return np.asarray(scores.array)


def _gives_mean(loss: Loss, output_shape: tuple[int, ...]) -> bool:
    """Try a user's loss: whether it returns the mean, not the loss of each sample. An error if it returns neither."""
    shape = (output_shape[0] + 1, *output_shape)  # unlike that of a sample, whatever that is
    given = loss.function(
        Tensor(np.full(shape, 0.5, np.float32), requires_grad=True), Tensor(np.zeros(shape, np.float32))
    )
    fits = isinstance(given, Tensor) and given.requires_grad and given.ndim <= len(shape)
    lengths = [(shape[0],), *((1, n) for n in shape[1:])]  # of each sample, or of each element
    if not fits or any(n not in allowed for n, allowed in zip(given.shape, lengths, strict=False)):
        found = f"a Tensor of shape {given.shape}" if isinstance(given, Tensor) else type(given).__name__
        if isinstance(given, Tensor) and not given.requires_grad:
            found += " without a gradient"
        raise TypeError(
            f"compile_model: loss {loss.name!r} must be a function of (outputs, targets) that gives a Tensor, the loss "
            f"of each sample or their mean, computed from the outputs; for {shape[0]} samples it gave {found}"
        )
    return not given.ndim
