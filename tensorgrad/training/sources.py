"""What a model is trained, validated and evaluated on, made from a user's arrays or batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from inspect import isgeneratorfunction
from typing import Any

import numpy as np

from tensorgrad.checks import brief, is_number
from tensorgrad.data.dataset import Dataset
from tensorgrad.rows import Rows, is_indexed
from tensorgrad.training.course import Course
from tensorgrad.training.samples import ClassWeight, Samples, check_something_counts, checked, weights_of
from tensorgrad.training.stream import Stream
from tensorgrad.training.tasks import Task
from tensorgrad.training.trainee import Trainee


def source(
    model: Trainee, X: Any, Y: Any, owner: str, *, task: Task | None = None, batch_size: int | None = None
) -> Samples | Stream:
    """Samples to evaluate on, checked: X and Y, or without Y a Dataset or an iterable of batches in the place of X."""
    if Y is not None:
        return _of_arrays(model, X, Y, owner, task)
    if isinstance(X, Dataset):
        return Stream(model, _batched(X, batch_size or 256), owner, task=task)
    return Stream(model, _batches(X, owner), owner, task=task)


def _of_arrays(model: Trainee, X: Any, Y: Any, owner: str, task: Task | None = None) -> Samples:
    """Samples from X and Y, checked."""
    if isinstance(X, Dataset):
        raise TypeError(
            f"{owner}: a Dataset brings its labels with it, as batches (x, y); leave Y out, or Dataset(X, Y)"
        )
    return checked(model, X, Y, owner, task)


def inputs(model: Trainee, X: Any) -> Iterator[Rows] | None:
    """The inputs of each batch of a Dataset or another iterable, checked; None if X is the samples themselves.

    Targets and weights of the batches are left aside. A list is an array, unless it is one of batches ``(x, y)``.
    """
    if isinstance(X, Dataset):
        return _inputs(model, X.in_order())
    if isinstance(X, list | tuple):
        return _inputs(model, X) if X and isinstance(X[0], list | tuple) and _is_batch(model, X[0]) else None
    arrays = ("__array__", "__array_interface__", "toarray")
    if isinstance(X, Sequence | Mapping | Set) or is_indexed(X) or any(hasattr(X, name) for name in arrays):
        return None
    return _inputs(model, X) if isinstance(X, Iterable) else None


def _inputs(model: Trainee, batches: Iterable[Any]) -> Iterator[Rows]:
    given = False
    for index, batch in enumerate(batches):
        given = True
        x = batch[0] if isinstance(batch, tuple) or (isinstance(batch, list) and _is_batch(model, batch)) else batch
        yield model.check_samples(x, f"predict, batch {index}")
    if not given:
        raise ValueError("predict: expected batches, received an iterable that gives none")


def _is_batch(model: Trainee, given: Sequence[Any]) -> bool:
    """Whether it begins with an array of samples, which makes it a batch and not an array."""
    return len(given) > 0 and tuple(getattr(given[0], "shape", ()))[1:] == model.input_shape


def sources(
    model: Trainee,
    X: Any,
    Y: Any,
    *,
    val_x: Any,
    val_y: Any,
    val_split: float,
    choice: np.random.Generator,
    sample_weight: Any,
    class_weight: ClassWeight | None,
    steps: int | None,
    course: Course,
) -> tuple[Samples | Stream, Samples | Stream | None]:
    """What to train on and what to validate with; the arguments are those of ``train``.

    A share of arrays or of a data set is set aside, as drawn from `choice`, or the last samples without shuffling.
    """
    if not is_number(val_split) or not 0 <= val_split < 1:
        raise ValueError(f"train: val_split must be at least 0 and below 1, received {brief(val_split)}")
    if val_x is None and val_y is not None:
        raise ValueError("train: val_y goes with val_x; received only val_y")
    training: Samples | Stream
    if Y is None:
        if course.drop_last:
            raise ValueError("train: drop_last goes with X and Y; leave the last batch out of the iterable instead")
        if sample_weight is not None:
            raise ValueError("train: sample_weight goes with X and Y; give batches (x, y, weights) instead")
        options: dict[str, Any] = {
            "class_weight": class_weight,
            "augment": course.augment,
            "rng": model.rng,
            "steps": steps,
        }
        if isinstance(X, Dataset):
            data, aside = _batched(X, course.batch_size), None
            if val_x is None and int(len(data) * val_split):
                data, aside = data.split(val_split, choice)
            ordered = data.shuffle() if course.shuffle and not data.is_shuffled else data
            first = next(iter(data.take(data.batch_size or course.batch_size).in_order()))
            training = Stream(model, ordered.epochs(model.rng), "train", first=first, **options)
            val_x = val_x if aside is None else aside.in_order()
        else:
            training = Stream(model, _batches(X, "train"), "train", **options)
            epochs = course.epochs - course.first_epoch
            if training.once and steps is None and epochs > 1:
                raise ValueError(
                    f"train: an iterator can be gone over once, received epochs={epochs}; give steps_per_epoch, or "
                    "what can be iterated over again"
                )
    else:
        if steps is not None:
            raise ValueError("train: steps_per_epoch goes with an iterable of batches; X and Y go with batch_size")
        training = _of_arrays(model, X, Y, "train")
        training = replace(
            training,
            weights=weights_of(model.objective, training.y, training.task, sample_weight, class_weight, "train"),
        )
        check_something_counts(training, model.objective, "train")
        if val_x is None:
            return training.split(val_split, choice if course.shuffle else None)
    if val_x is None:
        return training, None
    return training, source(model, val_x, val_y, "train, validation", task=training.task, batch_size=course.batch_size)


def _batched(data: Dataset, batch_size: int) -> Dataset:
    return data if data.batch_size else data.batch(batch_size)


def _batches(given: Any, owner: str) -> Iterable[Any]:
    """An iterable of batches, or an error if it is something else that came without Y."""
    if isinstance(given, np.ndarray) or is_indexed(given) or not isinstance(given, Iterable):
        remedy = f"; call it, {given.__name__}()" if isgeneratorfunction(given) else ""
        raise TypeError(
            f"{owner}: Y is missing; give the labels, or batches (x, y) as an iterable or a tensorgrad.data.Dataset; "
            f"received {type(given).__name__} alone{remedy}"
        )
    return given


def described(training: Samples | Stream, validation: Samples | Stream | None, batch_size: int, own: bool) -> str:
    """What is printed of the data before the first epoch; the validation's may be its `own`, or set aside."""
    if isinstance(training, Stream):
        return f"Total {len(training) or 'an unknown number of'} batches.\n"
    count = 0 if validation is None else len(validation)
    kind = "batches" if isinstance(validation, Stream) else "samples"
    return (
        f"Total {len(training) + (0 if own else count)} samples.\n"
        f"Training samples: {len(training)} Validation {kind}: {count}.\n"
        f"Total {-(-len(training) // batch_size)} batches, most batch has {batch_size} samples.\n"
    )
