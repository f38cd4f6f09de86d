"""Samples to train or evaluate on: all checks of inputs, targets and weights, and what they mean for the task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tensorgrad import losses
from tensorgrad.checks import brief, is_number, numbers
from tensorgrad.rows import Rows
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.names import numbered
from tensorgrad.training.objective import Objective
from tensorgrad.training.tasks import Task
from tensorgrad.training.trainee import Trainee

BLOCK_BYTES = 2**22  # of inputs that are checked at once

ClassWeight: TypeAlias = Mapping[int, float] | npt.ArrayLike


@dataclass(frozen=True)
class Samples:
    """Inputs and targets in the form that the loss takes, their task and, if there are any, their weights.

    Attributes
    ----------
    x : Rows, shape=(N, *input_shape)
        Read batch by batch.
    y : ndarray of float, shape=(N, *output_shape)
    task : Task
    weights : ndarray, or None
        Of the shape that the shape of y begins with.
    """

    x: Rows
    y: Array
    task: Task
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def rows(self) -> tuple[Rows, ...]:
        """Inputs, targets and, if there are any, weights."""
        return (self.x, Rows(self.y), *([] if self.weights is None else [Rows(self.weights)]))

    @property
    def arrays(self) -> list[Array]:
        """The arrays that hold the samples."""
        return [rows.array for rows in self.rows if rows.array is not None]

    def blocks(self, model: Trainee, batch_size: int | None, owner: str) -> Iterator[tuple[Array, Array]]:
        """Inputs and targets in blocks of `batch_size`, or that fit into memory."""
        return ((self.x[part], self.y[part]) for part in model.blocks(len(self), batch_size, owner))

    def split(self, share: float, rng: np.random.Generator | None) -> tuple[Samples, Samples | None]:
        """Set a share aside: chosen at random, or the last ones without `rng`. None if it is less than one sample."""
        count = int(len(self) * share)
        if not count:
            return self, None
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        kept, aside = np.split(order, [len(self) - count])
        return self._at(np.sort(kept)), self._at(np.sort(aside))

    def _at(self, places: Array) -> Samples:
        return Samples(
            self.x.at(places), self.y[places], self.task, None if self.weights is None else self.weights[places]
        )


def checked(model: Trainee, X: Any, Y: Any, owner: str, task: Task | None = None) -> Samples:
    """Samples and targets as arrays, or an error in the name of `owner`; unless it is given, Y tells the task."""
    if not model.iscompiled:
        raise ValueError(f"{owner}: the model is not compiled; call compile_model(...) first")
    if model.last_activation != model.objective.activation:
        raise ValueError(
            f"{owner}: the model ends in {model.last_activation!r} now, but was compiled when it ended in "
            f"{model.objective.activation!r}; call compile_model(...) again"
        )
    optimized = {id(parameter) for parameter in model.optimizer.params}
    for name, item in model.named_state():
        if isinstance(item, Tensor) and item.requires_grad and id(item) not in optimized:
            raise ValueError(
                f"{owner}: {name} is trained now, but was frozen or another tensor when the model was compiled; call "
                "compile_model(...) again"
            )
    x, y = model.check_samples(X, owner), numbers(numbered(Y, model.classes, owner), owner, "Y")
    if y.shape[:1] != x.shape[:1]:
        received = len(y) if y.ndim else "only one number"
        raise ValueError(f"{owner}: X has {len(x)} samples but Y has {received}; each sample needs one label")
    if x.in_memory:
        check_finite(x, owner, model.dtype)
    spelled = "Y" if isinstance(Y, np.ndarray) else "np.asarray(Y)"
    y = targets(y, model.output_shape, model.objective, owner, spelled)
    return Samples(x, y, task or model.objective.task.told_by(y, model.objective.from_logits))


def targets(given: Array, output_shape: tuple[int, ...], objective: Objective, owner: str, spelled: str = "Y") -> Array:
    """Labels or values in the form that the loss takes: floating, one row per sample; integer labels become one-hot."""
    task, classes = objective.task, output_shape[-1]
    if task.kind == "classes" and classes == 1:
        raise ValueError(
            f"{owner}: softmax over a single output is always 1; for yes or no give the last layer "
            "activation='sigmoid' and loss='bce', otherwise one output per class"
        )
    if not np.isfinite(given).all():
        raise ValueError(f"{owner}: Y holds NaN or infinity, first at sample {_first_bad(given)}; clean the data first")
    by_class = classes > 1 and task.kind != "labels"
    if by_class and given.ndim == len(output_shape) and given.dtype.kind in "iu":
        return _one_hot(given, classes, objective.ignore_index, owner)
    if given.shape == (len(given), *output_shape[:-1]) and classes == 1:
        given = given[..., None]
    if given.shape[1:] != output_shape:
        hint = _labels_hint(given, output_shape, spelled) if by_class else ""
        if task.kind == "labels" and given.dtype.kind in "iu" and given.size == prod((len(given), *output_shape[:-1])):
            hint = (
                f"; for one class of {classes} use activation='softmax' with loss='cse', or "
                f"tensorgrad.one_hot({spelled}, {classes})"
            )
        raise ValueError(
            f"{owner}: the last layer gives samples of shape {output_shape}, but Y has shape {given.shape}; expected "
            f"{(len(given), *output_shape)}{hint}"
        )
    result = given.astype(np.float64 if given.dtype == np.float64 else np.float32)
    if objective.from_logits and len(result):
        if result.min() < 0 or result.max() > 1:
            raise ValueError(
                f"{owner}: loss {objective.loss!r} needs targets between 0 and 1 in Y; they reach from "
                f"{result.min():g} to {result.max():g}"
            )
        if task.kind == "classes" and np.abs(result.sum(-1) - 1).max() > 1e-3:
            raise ValueError(
                f"{owner}: with softmax every row of Y is a distribution, but one adds up to "
                f"{result.sum(-1).flat[np.abs(result.sum(-1) - 1).argmax()]:g}; use one-hot or integer labels"
            )
    return result


def _one_hot(labels: Array, classes: int, ignored: int | None, owner: str) -> Array:
    """A row with a single 1 for each label; all zeros for an ignored label."""
    counts = None if ignored is None else labels != ignored
    try:
        if counts is None:
            return losses.one_hot(labels, classes)
        rows = losses.one_hot(np.where(counts, labels, 0), classes)
        rows[~counts] = 0
        return rows
    except ValueError as error:
        hint = "; labels that do not count need compile_model(..., ignore_index=...)" if ignored is None else ""
        raise ValueError(f"{owner}: Y: {error}{hint}") from None


def _labels_hint(given: Array, output_shape: tuple[int, ...], spelled: str) -> str:
    """A hint that labels may be integers, and how to convert labels that nearly are."""
    shape = given.shape[:1] + output_shape[:-1]
    whole = given.dtype.kind in "iub" or bool((given % 1 == 0).all())
    steps = "" if given.shape == shape else f".reshape({', '.join(map(str, shape))})"
    steps += "" if given.dtype.kind in "iu" else ".astype(int)"
    nearly = whole and given.size == prod(shape)
    return f", or integer labels of shape {shape}" + (f": use {spelled}{steps}" if nearly else "")


def _first_bad(values: Array) -> int:
    return int(np.nonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0][0])


def check_finite(x: Rows, owner: str, dtype: np.dtype[Any]) -> None:
    """Raise if inputs hold NaN, infinity, or what is infinite as `dtype`; in blocks, so that no second copy is made."""
    if x.dtype.kind in "iub" and dtype.itemsize >= 4:  # no integer is infinite even as float32
        return
    per_block = max(1, BLOCK_BYTES * len(x) // max(1, x.size * max(x.dtype.itemsize, dtype.itemsize)))
    for start in range(0, len(x), per_block):
        with np.errstate(over="ignore"):
            values = x[start : start + per_block].astype(dtype, copy=False)
        if not np.isfinite(values).all():
            raise ValueError(
                f"{owner}: X holds NaN or infinity (as {dtype}), first at sample {start + _first_bad(values)}; "
                "clean or scale the data first"
            )


def check_something_counts(samples: Samples, objective: Objective, owner: str) -> None:
    """Raise if nothing could be learned, as all labels are ignored, or all weights are 0."""
    if objective.ignore_index is not None and not samples.y.any():
        raise ValueError(
            f"{owner}: every label of Y is {objective.ignore_index}, the ignore_index; none is left to learn"
        )
    if samples.weights is not None and not samples.weights.any():
        raise ValueError(
            f"{owner}: the weights of all samples are 0, so nothing would be learned; give some a positive "
            "sample_weight or class_weight"
        )


def weights_of(
    objective: Objective,
    y: Array,
    task: Task,
    sample_weight: npt.ArrayLike | None,
    class_weight: ClassWeight | None,
    owner: str,
) -> Array | None:
    """The weights of samples, pixels or labels: what was given for them times that of their classes; None without any.

    The shape is a beginning of the shape of `y`: (N,), (N, H, W) where pixels have weights of their own, and
    all of it where labels have.
    """
    if sample_weight is None and class_weight is None:
        return None
    if objective.gives_mean:
        raise ValueError(
            f"{owner}: loss {objective.loss!r} gives the mean over the batch, which leaves nothing to weigh; let it "
            "give the loss of each sample, or leave weights out"
        )
    weights = _sample_weights(y, sample_weight, owner)
    if class_weight is not None:
        factors = _class_weights(y, task, class_weight, owner)
        if task.kind == "labels":  # each label's own terms
            weights = weights.reshape(weights.shape + (1,) * (y.ndim - weights.ndim)) * factors
        else:
            by_class = factors[task.class_of(y)]
            weights = weights.reshape(weights.shape + (1,) * (by_class.ndim - weights.ndim)) * by_class
    return weights  # float64, so that a float64 network loses nothing; the loss has its own dtype


def _sample_weights(y: Array, given: npt.ArrayLike | None, owner: str) -> Array:
    """One weight per sample or, for maps, per pixel."""
    count, *pixels = y.shape[:-1]
    if given is None:
        return np.ones(count)
    weights = numbers(given, owner, "sample_weight").astype(np.float64)
    if weights.shape == (count, *pixels, 1) and pixels:
        weights = weights[..., 0]
    right = weights.shape == (count,) or weights.shape == (count, *pixels)
    if not right or not np.isfinite(weights).all() or (weights < 0).any():
        per_pixel = f", or of shape {(count, *pixels)}, one per pixel" if pixels else ""
        raise ValueError(
            f"{owner}: sample_weight must be {count} finite numbers of at least 0, one per sample{per_pixel}; received "
            f"shape {weights.shape}" + (f", from {weights.min():g} to {weights.max():g}" if right else "")
        )
    return weights


def _class_weights(y: Array, task: Task, given: ClassWeight, owner: str) -> Array:
    """One weight per class."""
    if not task.classes:
        raise ValueError(
            f"{owner}: class_weight needs classes, but the model's outputs are values (it does not end in softmax or "
            "sigmoid, or Y is neither 0 nor 1); use sample_weight"
        )
    what = "labels" if task.kind == "labels" else "classes"
    if isinstance(given, str):
        if given != "balanced" or task.kind == "labels":
            raise ValueError(
                f"{owner}: class_weight must be a dict, an array of {task.classes} numbers or, for one class of "
                f"several, 'balanced'; received {brief(given)} for {task.classes} {what}"
            )
        (counted,) = task.counted(y)
        counts = np.bincount(task.class_of(counted), minlength=task.classes)
        balanced: Array = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return balanced
    if not isinstance(given, Mapping):
        given = dict(enumerate(numbers(given, owner, "class_weight").ravel().tolist()))
        if len(given) != task.classes:
            raise ValueError(f"{owner}: class_weight has {len(given)} numbers for {task.classes} {what}; give one each")
    factors = np.ones(task.classes)
    for label, factor in given.items():
        if label not in range(task.classes) or not (is_number(factor) and np.isfinite(factor) and factor >= 0):
            raise ValueError(
                f"{owner}: class_weight[{label!r}] = {factor!r}: expected {what} from 0 to {task.classes - 1} and "
                "finite weights of at least 0"
            )
        factors[label] = factor
    return factors


def hints(x: Array | None, lr: float) -> Iterator[str]:
    """Hints at what is allowed but rarely meant: inputs as large as bytes, a huge learning rate.

    `x` is some of the inputs; None if the model scales them itself.
    """
    most = 0.0 if x is None else float(x.max())
    if most > 50:
        yield (
            f"X reaches {most:g}; networks learn faster from inputs near -1 to 1: X / {max(255, most):g}, or "
            "tensorgrad.data.standardize(X)"
        )
    if lr > 10:
        yield f"the learning rate {lr:g} is very large; 0.0001 to 0.1 are usual"
