"""What a model is trained for: how losses and metrics read its outputs and the targets."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from tensorgrad import losses
from tensorgrad.checks import is_number
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training import metrics
from tensorgrad.training.metrics import Evaluation

LOSSES = ("mse", "cse", "mae", "huber", "bce")
PER_CLASS = ("precision", "recall", "f1")
METRICS = ("mse", "accuracy", "cse", *PER_CLASS)  # and top1, top2, ...

_PLAIN = {"mse": losses.mse, "mae": losses.mae, "huber": losses.huber}


class Objective:
    """A loss, together with the activation that the model ends with.

    Softmax followed by cross-entropy ("cse") is computed from the logits, and so is sigmoid followed by binary
    cross-entropy ("bce", or "cse"): nothing overflows. `scores` below are then the logits, otherwise the outputs.

    Parameters
    ----------
    loss : str
        One of LOSSES.
    activation : str or None
        What the last layer ends with.
    label_smoothing : float
        While training, the share of each target that is spread evenly over the classes.
    """

    def __init__(self, loss: str, activation: str | None, label_smoothing: float = 0.0) -> None:
        if loss == "cse" and activation not in ("softmax", "sigmoid"):
            raise ValueError(
                f"compile_model: loss 'cse' needs probabilities, but the last layer's activation is {activation!r}; "
                "give it activation='softmax', or 'sigmoid' for yes-or-no outputs"
            )
        if loss == "bce" and activation != "sigmoid":
            raise ValueError(
                f"compile_model: loss 'bce' needs outputs between 0 and 1, but the last layer's activation is "
                f"{activation!r}; give it activation='sigmoid'"
            )
        self.loss = loss
        self.activation = activation
        self.from_logits = loss in ("cse", "bce")
        in_range = is_number(label_smoothing) and 0 <= label_smoothing <= 1
        if not in_range or (label_smoothing and not self.from_logits):
            raise ValueError(
                f"compile_model: label_smoothing must lie in 0 to 1, and needs the loss 'cse' or 'bce'; received "
                f"{label_smoothing!r} with {loss!r}"
            )
        self.label_smoothing = float(label_smoothing)

    def __call__(self, scores: Tensor, target: Tensor, weights: Array | None = None, training: bool = False) -> Tensor:
        """The loss of a batch: the mean over its samples, each times its weight if there are weights."""
        if training and self.label_smoothing:
            classes = target.shape[-1] if self.activation == "softmax" else 2
            target = target * (1 - self.label_smoothing) + self.label_smoothing / classes
        reduction = "mean" if weights is None else "none"
        if not self.from_logits:
            loss = _PLAIN[self.loss](scores, target, reduction=reduction)
        elif self.activation == "softmax":
            loss = losses.cross_entropy(scores, target, reduction=reduction)
        else:
            loss = losses.bce_with_logits(scores, target, reduction=reduction)
        if weights is None:
            return loss
        per_sample = loss.mean(tuple(range(1, loss.ndim))) if loss.ndim > 1 else loss
        return (per_sample * Tensor.wrap(weights.astype(per_sample.dtype))).mean()

    def of_outputs(self, out: Tensor, target: Tensor) -> Tensor:
        """The loss of outputs whose logits are not at hand: probabilities count as at least tiny."""
        if not self.from_logits:
            return _PLAIN[self.loss](out, target)
        if self.activation == "sigmoid":
            return losses.bce(out, target)
        tiny = float(np.finfo(out.dtype).tiny)
        return -(target * out.clip(tiny, None).log()).sum(-1).mean()

    def hits(self, scores: Array, target: Array) -> float:
        """How many samples are right: the class for softmax, every yes and no, in parts, for sigmoid."""
        if not scores.size:
            return 0.0
        if self.activation == "sigmoid":
            said = scores > (0 if self.from_logits else 0.5)
            return float((said == (target > 0.5)).mean() * len(scores))
        if scores.ndim > 1 and scores.shape[-1] > 1 and (self.activation == "softmax" or _is_one_hot(target)):
            return float((scores.argmax(-1) == target.argmax(-1)).mean() * len(scores))
        return float((np.abs(scores - target) < 1e-6).mean() * len(scores))

    def outputs(self, scores: Tensor) -> Array:
        """What the model says, from its scores."""
        if self.from_logits:
            scores = ACTIVATIONS[str(self.activation)](scores)
        return np.asarray(scores.array)

    def evaluation(self, names: Sequence[str], outputs: Array, target: Array) -> Evaluation:
        """Metrics of the model's outputs for all samples; for a classifier with the confusion matrix."""
        found = Evaluation()
        rows, right = (
            values.reshape(-1, target.shape[-1]) for values in (outputs, target)
        )  # one for each pixel of maps
        if self.activation == "softmax":
            found.confusion = metrics.confusion_matrix(right.argmax(-1), rows.argmax(-1), target.shape[-1])
        elif self.activation == "sigmoid" and outputs.shape[1:] == (1,):
            found.confusion = metrics.confusion_matrix(right[:, 0] > 0.5, rows[:, 0] > 0.5, 2)
        for name in names:
            k = metrics.k_of(name)
            if name == "mse":
                found[name] = float(losses.mse(outputs, target).array)
            elif name == "cse":
                activation = "sigmoid" if self.activation == "sigmoid" else "softmax"
                loss = Objective("cse", activation).of_outputs(Tensor.wrap(outputs), Tensor.wrap(target))
                found[name] = float(loss.array)
            elif k is not None and self.activation == "softmax":
                found[name] = metrics.top_k(rows, right.argmax(-1), k)
            elif name in PER_CLASS:
                found[name] = float(self._per_class(found.confusion, rows, right)[PER_CLASS.index(name)].mean())
        return found

    def _per_class(self, confusion: Array | None, rows: Array, right: Array) -> Array:
        """Precision, recall and F1 of each class, or of the yes of each yes-or-no output: ``(3, classes)``."""
        if self.activation == "softmax" and confusion is not None:
            return np.array(metrics.precision_recall_f1(confusion))
        each = (metrics.confusion_matrix(right[:, i] > 0.5, rows[:, i] > 0.5, 2) for i in range(rows.shape[1]))
        return np.stack([np.array(metrics.precision_recall_f1(counts))[:, 1] for counts in each], axis=1)

    def check_metric(self, name: str) -> None:
        """Raise unless the metric is known and goes with the model's outputs."""
        if not isinstance(name, str) or (name not in METRICS and metrics.k_of(name) is None):
            known = ", ".join(map(repr, METRICS))
            raise ValueError(f"compile_model: unknown metric {name!r}; known are {known}, and 'top3' or any other k")
        needs = "softmax" if metrics.k_of(name) is not None else "softmax or sigmoid"
        if name not in ("mse", "accuracy", "cse") and str(self.activation) not in needs:
            raise ValueError(f"compile_model: metric {name!r} needs {needs} outputs, but they are {self.activation!r}")


def _is_one_hot(target: Array) -> bool:
    return bool(((target == 0) | (target == 1)).all() and (target.sum(-1) == 1).all())


def targets(given: Array, output_shape: tuple[int, ...], objective: Objective, owner: str) -> Array:
    """Labels or values as the loss wants them: float32, one row per sample; integer labels become one-hot."""
    classes = output_shape[-1]
    by_class = classes > 1 and objective.activation != "sigmoid"
    if by_class and given.ndim == len(output_shape) and given.dtype.kind in "iu":
        try:
            return losses.one_hot(given, classes)
        except ValueError as error:
            raise ValueError(f"{owner}: Y: {error}") from None
    if given.shape[1:] == () and output_shape == (1,):
        given = given.reshape(-1, 1)
    if given.shape[1:] != output_shape:
        raise ValueError(
            f"{owner}: the last layer gives samples of shape {output_shape}, but Y has shape {given.shape}; expected "
            f"{(len(given), *output_shape)}" + (_labels_hint(given, output_shape) if by_class else "")
        )
    result = given.astype(np.float64 if given.dtype == np.float64 else np.float32)
    if not np.isfinite(result).all():
        raise ValueError(
            f"{owner}: Y holds NaN or infinity, first at sample {_first_bad(result)}; clean the data first"
        )
    if objective.from_logits and len(result):
        if result.min() < 0 or result.max() > 1:
            raise ValueError(
                f"{owner}: loss {objective.loss!r} needs targets between 0 and 1 in Y; they reach from "
                f"{result.min():g} to {result.max():g}"
            )
        if objective.activation == "softmax" and np.abs(result.sum(-1) - 1).max() > 1e-3:
            raise ValueError(
                f"{owner}: with softmax every row of Y is a distribution, but one adds up to "
                f"{result.sum(-1)[np.abs(result.sum(-1) - 1).argmax()]:g}; use one-hot or integer labels"
            )
    return result


def _labels_hint(given: Array, output_shape: tuple[int, ...]) -> str:
    """That labels may be integers, and how to make them so where they nearly are."""
    shape = given.shape[:1] + output_shape[:-1]
    whole = given.dtype.kind in "iub" or bool((given % 1 == 0).all())
    steps = "" if given.shape == shape else f".reshape({', '.join(map(str, shape))})"
    steps += "" if given.dtype.kind in "iu" else ".astype(int)"
    nearly = whole and given.size == prod(shape)
    return f", or integer labels of shape {shape}" + (f": use Y{steps}" if nearly else "")


def _first_bad(values: Array) -> int:
    return int(np.nonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0][0])


def check_finite(x: Array, owner: str, dtype: np.dtype[Any]) -> None:
    """Raise if inputs hold NaN, infinity, or what is infinite as `dtype`; in blocks, so that no second copy is made."""
    for start in range(0, len(x), 4096):
        with np.errstate(over="ignore"):
            block = x[start : start + 4096].astype(dtype, copy=False)
        if not np.isfinite(block).all():
            raise ValueError(
                f"{owner}: X holds NaN or infinity (as {dtype}), first at sample {start + _first_bad(block)}; "
                "clean or scale the data first"
            )
