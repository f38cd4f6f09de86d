"""The training loop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np

from tensorgrad.data.batches import batches
from tensorgrad.engine import no_grad
from tensorgrad.kernels import blas
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.course import Course
from tensorgrad.training.evaluation import measure
from tensorgrad.training.objective import Objective
from tensorgrad.training.ranks import Alone, Ranks
from tensorgrad.training.samples import Samples
from tensorgrad.training.stream import Stream
from tensorgrad.training.tally import tally
from tensorgrad.training.tasks import Task
from tensorgrad.training.trainee import Trainee


class NonFiniteLossError(FloatingPointError):
    """The loss became NaN or infinite."""


def run(
    model: Trainee,
    samples: Samples | Stream,
    validation: Samples | Stream | None,
    course: Course,
    callbacks: Sequence[Callback],
    ranks: Ranks | None = None,
) -> None:
    """Train until all epochs of the course are done, recording each in the model's history.

    Without `ranks` it is done alone. Otherwise the leader calls the callbacks and validates, and all have the same
    model and history.
    """
    ranks = Alone() if ranks is None else ranks
    per_epoch = _per_epoch(model, samples, course, ranks)
    # checkpoints come last, so that they hold what the others did at the end of the epoch, such as a new learning rate
    callbacks = sorted(callbacks if ranks.leads else (), key=lambda callback: callback.comes_last)
    model.stop_training = False
    names = figure_names(model.objective, samples.task, validation is not None)
    for callback in callbacks:
        callback.model = model
        callback.check_run(names)
    if not course.first_epoch:
        model.forget()

    def tell(hook: str, *args: Any) -> None:
        for callback in callbacks:
            getattr(callback, hook)(*args)

    begin = {"epochs": course.epochs, "first_epoch": course.first_epoch, "batches": len(per_epoch)}
    tell("on_train_begin", begin)
    try:
        # a loss that is not finite has an error of its own, which is not to be preceded by NumPy's warnings
        with blas.one_thread, np.errstate(over="ignore", invalid="ignore"), _interruptible() as interrupted:
            for epoch in range(course.first_epoch, course.epochs):
                if ranks.any(model.stop_training or interrupted()):
                    break
                tell("on_epoch_begin", epoch, {})
                ranks.follow(model)
                since = time.perf_counter()
                figures = _epoch(model, per_epoch, samples.task, epoch, tell, interrupted, ranks)
                ranks.end_epoch(model)
                _check_state(model, epoch)
                if ranks.any(interrupted()):
                    break
                figures |= ranks.led(partial(_validated, model, validation, epoch, tell, since))
                model.history.record(epoch, figures)
                if epoch % course.show_every == 0:
                    model.remember(epoch, figures)
                tell("on_epoch_end", epoch, figures)
    finally:
        with ExitStack() as ends:  # each is told, also if another one raises
            for callback in reversed(callbacks):
                ends.callback(callback.on_train_end, {})


def _per_epoch(model: Trainee, samples: Samples | Stream, course: Course, ranks: Ranks) -> Stream | batches:
    """The batches of an epoch; of each, the share of this rank."""
    if isinstance(samples, Stream):
        samples.divide(ranks.share)
        return samples
    _check_smallest_batch(model, len(samples), course, ranks.share.size)
    return batches(
        *samples.rows,
        batch_size=course.batch_size,
        shuffle=course.shuffle,
        rng=model.rng,
        drop_last=course.drop_last,
        augment=course.augment,
        share=ranks.share,
    )


def _check_smallest_batch(model: Trainee, samples: int, course: Course, ranks: int) -> None:
    """Raise if a layer, such as batch normalization, cannot be trained with a batch as small as the last one."""
    last = course.last_batch(samples)
    for layer in model.layers:
        for part in layer.walk():
            parts = 1 if part.needs_whole_batch else ranks
            least = max(1, last // parts)  # of those who have a sample of it
            if part.least_batch > least:
                parted = f", {least} in each of {parts} parts" if parts > 1 else ""
                raise ValueError(
                    f"train: {part.title} needs batches of at least {part.least_batch} samples, but the last of "
                    f"{samples} samples in batches of {course.batch_size} has {last}{parted}; give "
                    "drop_last=True or another batch_size"
                )


def _validated(
    model: Trainee, samples: Samples | Stream | None, epoch: int, tell: Callable[..., None], since: float
) -> dict[str, float]:
    """The figures of the validation after an epoch, as the history names them, and the time that all of it took."""
    found: Mapping[str, float] = {}
    if samples is not None:
        tell("on_test_begin", {})
        found = measure(model, told(samples.blocks(model, None, "train"), tell), samples.task)
        tell("on_test_end", found)
    for name, figure in found.items():
        if not np.isfinite(figure):
            bad = bad_state(model) or "all parameters are finite"
            raise NonFiniteLossError(
                f"train: val_{name} became {figure} in epoch {epoch}; {bad}; use a smaller learning rate, or look at "
                "the validation's data"
            )
    return {f"val_{name}": figure for name, figure in found.items()} | {"time": time.perf_counter() - since}


def told(blocks: Iterator[tuple[Array, ...]], tell: Callable[..., None]) -> Iterator[tuple[Array, ...]]:
    """The same blocks; callbacks are told before and after each."""
    for index, block in enumerate(blocks):
        tell("on_test_batch_begin", index, {})
        yield block
        tell("on_test_batch_end", index, {})


def figure_names(objective: Objective, task: Task, validated: bool) -> list[str]:
    """The names of an epoch's figures, as the history will have them."""
    names = ["loss", *task.figures]
    measured = [*names, *(metric.name for metric in objective.reported(task))]
    return [*names, *(f"val_{name}" for name in measured if validated), "time"]


def _epoch(
    model: Trainee,
    per_epoch: Stream | batches,
    task: Task,
    epoch: int,
    tell: Callable[..., None],
    interrupted: Callable[[], bool],
    ranks: Ranks,
) -> dict[str, float]:
    """Train on all batches once. The figures are those of each batch before its step, averaged over the samples."""
    loss_sum = counted = 0.0
    figures = tally(task, model.objective.from_logits)
    dtype = model.dtype
    logs: dict[str, float] = {}
    for index, (raw, y, *weights) in enumerate(per_epoch):
        x = raw.astype(dtype, copy=False)
        tell("on_train_batch_begin", index, {})
        found = ranks.step(model, x, y, weights[0] if weights else None, figures)
        if found is None:
            break
        if not np.isfinite(found.loss):
            bad = ranks.first(first_bad_layer(model, x)) or (
                "every layer's output is finite, so it is the loss or metric itself that overflowed"
            )
            raise NonFiniteLossError(
                f"train: the loss became {found.loss} in epoch {epoch}, batch {index}; {bad}; use a smaller learning "
                "rate, or look at the data of that batch"
            )
        loss_sum += found.loss * found.size
        counted += found.size
        logs = {"loss": loss_sum / max(1, counted)} | figures.figures()
        tell("on_train_batch_end", index, logs)
        if interrupted() or model.stop_training:
            ranks.halt(index + 1 < len(per_epoch))
            break
    return dict(logs)


def _check_state(model: Trainee, epoch: int) -> None:
    """Raise if the last step of an epoch made a parameter NaN or infinite, which no later loss would show."""
    bad = bad_state(model)
    if bad:
        raise NonFiniteLossError(
            f"train: the loss was finite in epoch {epoch}, but after its last step {bad}; use a smaller learning rate"
        )


def bad_state(model: Trainee) -> str:
    """Say which parameters or running statistics are not finite; nothing if all are."""
    for name, item in model.named_state():
        if not np.isfinite(item.array if isinstance(item, Tensor) else item).all():
            number, _, inner = name.partition(".")
            return f"the first bad layer is {model.layers[int(number)].title}: its {inner} are not finite"
    return ""


def first_bad_layer(model: Trainee, x: Array) -> str:
    """Say where a batch first meets, or makes, a value that is not finite; nothing if all are finite."""
    if not np.isfinite(x).all():
        return "X holds NaN or infinity in that batch"
    bad = bad_state(model)
    if bad:
        return bad
    with no_grad(), np.errstate(all="ignore"):
        t = Tensor.wrap(x)
        for layer in model.layers if len(x) else ():
            t = layer.forward(t, training=False)
            if not np.isfinite(t.array).all():
                return f"the first bad layer is {layer.title}: its output is not finite"
    return ""


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the training after the current batch; the second one raises as usual."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # signals come to the main thread only
        return
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, before)

    if before is not signal.default_int_handler:
        yield lambda: False  # whoever set a handler of their own, or ignores it, keeps it
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)
