"""Metrics: what an evaluation reports on request. Each is a record, found by name, and users may add to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from tensorgrad import losses, vocabulary
from tensorgrad.checks import brief, check_function
from tensorgrad.engine import value
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.tally import Accuracy, Errors, Tally
from tensorgrad.training.tasks import Task

_TOP = re.compile(r"top_?([1-9]\d*)")


def confusion_matrix(labels: Array, said: Array, classes: int) -> Array:
    """How many samples of each class (row) were classified as each class (column): ``(classes, classes)``."""
    cells = labels.astype(np.int64) * classes + said.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def precision_recall_f1(confusion: Array) -> tuple[Array, Array, Array]:
    """Per class: the share of what was said that is right, the share that was found, their harmonic mean.

    Each is 0 where it would be ``0 / 0``: a class that nobody named, or that does not occur.
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


@dataclass
class Answers:
    """All outputs of an evaluation, and what they should have been.

    Attributes
    ----------
    outputs, targets : ndarray, shape=(N, *output_shape)
    task : Task
    """

    outputs: Array
    targets: Array
    task: Task

    @cached_property
    def rows(self) -> tuple[Array, Array]:
        """Outputs and targets with a row for each sample or, for maps, for each pixel that counts."""
        targets, outputs = self.task.counted(self.targets, self.outputs)
        return outputs, targets

    @cached_property
    def confusion(self) -> Array | None:
        """The confusion matrix; None unless each answer is one of several classes."""
        if not self.task.tells_classes_apart:
            return None
        said, there = (self.task.class_of(values) for values in self.rows)
        return confusion_matrix(there, said, self.task.classes)

    @cached_property
    def of_each_label(self) -> list[Array]:
        """The confusion matrix of no and yes for each label, or for a single yes or no."""
        outputs, targets = (values > 0.5 for values in self.rows)
        return [confusion_matrix(targets[:, i], outputs[:, i], 2) for i in range(outputs.shape[1])]


MetricFunction = Callable[[Array, Array], Any]


@dataclass(frozen=True)
class Metric:
    """A metric that models can be compiled with.

    Attributes
    ----------
    name : str
        What it is called in histories and evaluations.
    function : callable
        From :class:`Answers` to a number.
    higher_is_better : bool or None
        None if nobody said.
    tasks : tuple of str
        The kinds of :class:`~tensorgrad.training.tasks.Task` that it fits; all of them if empty.
    """

    name: str
    function: Callable[[Answers], float]
    higher_is_better: bool | None = None
    tasks: tuple[str, ...] = ()

    @classmethod
    def of(cls, function: MetricFunction, name: str | None = None, higher_is_better: bool | None = None) -> Metric:
        """Make a metric of ``function(outputs, targets)``, which gives a number."""
        name = name or losses.name_of(function)
        check_function(function, ("outputs", "targets"), f"metric {name!r}")
        return cls(name, _Measured(name, function), higher_is_better)


@dataclass(frozen=True)
class _Measured:
    """A user's function, called with outputs and targets, and checked to give a number."""

    name: str
    function: MetricFunction

    def __call__(self, answers: Answers) -> float:
        figure = np.asarray(value(self.function(answers.outputs, answers.targets)))
        if figure.size != 1 or figure.dtype.kind not in "fiub":
            raise TypeError(
                f"metric {self.name!r}: expected one number, received {figure.dtype} of shape {figure.shape}; take the "
                "mean, for instance"
            )
        return float(figure.reshape(()))


def _per_class(which: int, answers: Answers) -> float:
    """The mean of precision, recall or F1 over the classes that occur or are named; 1 if there are none."""
    if answers.task.kind == "classes":
        confusion = np.asarray(answers.confusion)
        figures, counts = precision_recall_f1(confusion)[which], confusion.sum(0) + confusion.sum(1)
    else:  # the yes of each label
        figures = np.array([precision_recall_f1(each)[which][1] for each in answers.of_each_label])
        counts = np.array([each.sum() - each[0, 0] for each in answers.of_each_label])
    return float(figures[counts > 0].mean()) if counts.any() else 1.0


def _loss(name: str, answers: Answers) -> float:
    after = "sigmoid" if answers.task.kind in ("yes or no", "labels") else "softmax"
    outputs, targets = (Tensor.wrap(values) for values in answers.rows)
    return float(losses.find(name, after).function(outputs, targets).mean().array)


def _tallied(name: str, answers: Answers) -> float:
    figures: Tally = Accuracy(answers.task, from_logits=False) if name == "accuracy" else Errors()
    figures.add(answers.outputs, answers.targets)
    return figures.figures()[name]


@dataclass(frozen=True)
class _TopK:
    k: int

    def __call__(self, answers: Answers) -> float:
        outputs, targets = answers.rows
        return top_k(outputs, targets.argmax(-1), self.k)


_CLASSIFIERS = ("classes", "yes or no", "labels")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("mse", partial(_loss, "mse"), higher_is_better=False),
        Metric("accuracy", partial(_tallied, "accuracy"), higher_is_better=True, tasks=_CLASSIFIERS),
        Metric("cse", partial(_loss, "cse"), higher_is_better=False),
        Metric("precision", partial(_per_class, 0), higher_is_better=True, tasks=_CLASSIFIERS),
        Metric("recall", partial(_per_class, 1), higher_is_better=True, tasks=_CLASSIFIERS),
        Metric("f1", partial(_per_class, 2), higher_is_better=True, tasks=_CLASSIFIERS),
        Metric("mae", partial(_tallied, "mae"), higher_is_better=False),
        Metric("r2", partial(_tallied, "r2"), higher_is_better=True),
    )
}
"""The metrics known by name; besides them "top1", "top2", ..., and those that :func:`register` adds."""


def register(function: MetricFunction, name: str | None = None, higher_is_better: bool | None = None) -> None:
    """Register a metric under a name, so that models can be compiled with it by name and files can be loaded.

    Parameters
    ----------
    function : callable
        ``function(outputs, targets)`` gives a number.
    name : str, optional
        By default that of the function.
    higher_is_better : bool, optional
        For callbacks that wait for an improvement.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    metric = Metric.of(function, name, higher_is_better)
    vocabulary.check_new(metric.name, "metrics", "metrics.register")
    if find(metric.name) is not None:
        raise ValueError(f"metrics.register: there is a metric {metric.name!r} already; give another name")
    METRICS[metric.name] = metric


def find(name: str) -> Metric | None:
    """The metric of a name, or None: those of METRICS, and the share of classes among the k highest outputs."""
    if name in METRICS:
        return METRICS[name]
    match = _TOP.fullmatch(name)
    if match is None:
        return None
    return Metric(name, _TopK(int(match.group(1))), higher_is_better=True, tasks=("classes",))


def metric(given: Any) -> Metric:
    """The metric that a model is compiled with: a name, a function of outputs and targets, or a record."""
    if isinstance(given, Metric):
        return given
    if callable(given):
        made = Metric.of(given)
        return next((known for known in METRICS.values() if known.function == made.function), made)
    found = find(given) if isinstance(given, str) else None
    if found is None:
        word = vocabulary.find(given, "metrics")
        near = f"; {vocabulary.instead(word)}." if word else vocabulary.did_you_mean(given, METRICS)
        known = ", ".join(map(repr, METRICS))
        raise ValueError(
            f"compile_model: unknown metric {brief(given)}{near + ' Known' if near else '; known'} are {known}, "
            "'top3' or any other k, and functions of (outputs, targets)"
        )
    return found
