"""How good a model is on samples: its loss, the figures of its task, its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NoReturn

import numpy as np

from tensorgrad.engine import no_grad
from tensorgrad.kernels import blas
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.metrics import Answers, precision_recall_f1
from tensorgrad.training.tally import tally
from tensorgrad.training.tasks import Task
from tensorgrad.training.trainee import Trainee


class Evaluation(dict[str, float]):
    """The figures of an evaluation: a dict by name, which unpacks like Keras's list.

    Attributes
    ----------
    order : tuple of str
        The names of what it is unpacked into; by default all of them.
    confusion : ndarray of int, shape=(classes, classes), or None
        Of a classifier, how many samples of each class (row) were said to be of each class (column).
    classes : tuple of str
        The classes' names, if the model has any.

    Examples
    --------
    >>> found = Evaluation({"loss": 0.25, "accuracy": 1.0})
    >>> found["accuracy"]
    1.0
    >>> loss, accuracy = found
    >>> loss
    0.25
    """

    order: tuple[str, ...] | None = None
    confusion: Array | None = None
    classes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[float]:  # type: ignore[override]  # unpacked as Keras's list is
        return iter(self.values() if self.order is None else [self[name] for name in self.order])

    def __missing__(self, name: object) -> NoReturn:
        raise KeyError(f"Evaluation: there is no {name!r}; it has {', '.join(self.keys())}; go over them with items()")

    def __str__(self) -> str:
        lines = ["  ".join(f"{name} {figure:.4f}" for name, figure in self.items())]
        if self.confusion is not None:
            names = self.classes or tuple(map(str, range(len(self.confusion))))
            width = max(8, *(len(name) for name in names))
            lines.append(f"{'class':>{width}}{'precision':>11}{'recall':>9}{'F1':>9}{'samples':>9}")
            for c, row in enumerate(zip(*precision_recall_f1(self.confusion), self.confusion.sum(1), strict=True)):
                lines.append(f"{names[c]:>{width}}{row[0]:>11.3f}{row[1]:>9.3f}{row[2]:>9.3f}{row[3]:>9}")
        return "\n".join(lines)


def measure(model: Trainee, batches: Iterable[tuple[Array, ...]], task: Task) -> Evaluation:
    """Evaluate a model on batches of inputs and targets that were checked."""
    objective, dtype = model.objective, model.dtype
    figures = tally(task, objective.from_logits)
    loss = counted = 0.0
    outputs, targets = [], []
    with no_grad(), blas.one_thread:
        for x, target, *_ in batches:
            scores = model.forward(Tensor.wrap(x.astype(dtype, copy=False)), False, logits=objective.from_logits)
            size = objective.size(target)
            loss += float(objective(scores, Tensor.wrap(target)).array) * size
            counted += size
            figures.add(scores.array, target)
            outputs.append(objective.outputs(scores))
            targets.append(target)
    answers = Answers(np.concatenate(outputs), np.concatenate(targets), task)
    found = Evaluation({"loss": loss / max(1, counted)} | figures.figures())
    found |= {metric.name: metric.function(answers) for metric in objective.reported(task)}
    there = set(found.keys())
    found.order = tuple(name for name in objective.in_order(task) if name in there)
    found.confusion = answers.confusion
    return found
