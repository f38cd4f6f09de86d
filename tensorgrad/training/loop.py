"""The training loop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from tensorgrad.data.batches import Augmentation, batches
from tensorgrad.engine import no_grad
from tensorgrad.kernels import blas
from tensorgrad.optim import clip_grad_norm, clip_grad_value
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.evaluation import measure
from tensorgrad.training.objective import Objective
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
    *,
    first_epoch: int,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    show_every: int,
    drop_last: bool,
    augment: Augmentation | None,
    callbacks: Sequence[Callback],
) -> None:
    """Train until `epochs` epochs are done, recording each in the model's history. The arguments are checked by now."""
    per_epoch: Stream | batches
    if isinstance(samples, Stream):
        per_epoch = samples
    else:
        per_epoch = batches(
            *samples.rows, batch_size=batch_size, shuffle=shuffle, rng=model.rng, drop_last=drop_last, augment=augment
        )
        _check_smallest_batch(model, len(samples), batch_size, drop_last)
    # checkpoints come last, so that they hold what the others did at the end of the epoch, such as a new learning rate
    callbacks = sorted(callbacks, key=lambda callback: callback.comes_last)
    model.stop_training = False
    names = figure_names(model.objective, samples.task, validation is not None)
    for callback in callbacks:
        callback.model = model
        callback.check_run(names)
    if not first_epoch:
        model.forget()

    def tell(hook: str, *args: Any) -> None:
        for callback in callbacks:
            getattr(callback, hook)(*args)

    tell("on_train_begin", {"epochs": epochs, "first_epoch": first_epoch, "batches": len(per_epoch)})
    try:
        # a loss that is not finite has an error of its own, which is not to be preceded by NumPy's warnings
        with blas.one_thread, np.errstate(over="ignore", invalid="ignore"), _interruptible() as interrupted:
            for epoch in range(first_epoch, epochs):
                if model.stop_training or interrupted():
                    break
                tell("on_epoch_begin", epoch, {})
                since = time.perf_counter()
                figures = _epoch(model, per_epoch, samples.task, epoch, tell, interrupted)
                if interrupted():
                    break
                if validation is not None:
                    figures |= _validated(model, validation, epoch, tell)
                figures["time"] = time.perf_counter() - since
                model.history.record(epoch, figures)
                if epoch % show_every == 0:
                    model.remember(epoch, figures)
                tell("on_epoch_end", epoch, figures)
    finally:
        with ExitStack() as ends:  # each is told, also if another one raises
            for callback in reversed(callbacks):
                ends.callback(callback.on_train_end, {})


def _check_smallest_batch(model: Trainee, samples: int, batch_size: int, drop_last: bool) -> None:
    """Raise if a layer, such as batch normalization, cannot be trained with a batch as small as the last one."""
    last = batch_size if drop_last else samples % batch_size or batch_size
    for layer in model.layers:
        for part in layer.walk():
            if part.least_batch > last:
                raise ValueError(
                    f"train: {part.title} needs batches of at least {part.least_batch} samples, but the last of "
                    f"{samples} samples in batches of {batch_size} has {last}; give drop_last=True or another "
                    "batch_size"
                )


def _validated(model: Trainee, samples: Samples | Stream, epoch: int, tell: Callable[..., None]) -> dict[str, float]:
    """The figures of the validation after an epoch, as the history names them."""
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
    return {f"val_{name}": figure for name, figure in found.items()}


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
) -> dict[str, float]:
    """Go over all batches once. The figures are those of each batch as it was met, averaged over the samples."""
    loss_sum = counted = 0.0
    figures = tally(task, model.objective.from_logits)
    dtype = model.dtype
    logs: dict[str, float] = {}
    for index, (raw, y, *weights) in enumerate(per_epoch):
        x = raw.astype(dtype, copy=False)
        tell("on_train_batch_begin", index, {})
        loss, scores = step(model, x, y, *weights)
        if not np.isfinite(loss):
            raise NonFiniteLossError(
                f"train: the loss became {loss} in epoch {epoch}, batch {index}; {first_bad_layer(model, x)}; "
                "use a smaller learning rate, or look at the data of that batch"
            )
        size = model.objective.size(y)
        loss_sum += loss * size
        counted += size
        figures.add(scores, y)
        logs = {"loss": loss_sum / max(1, counted)} | figures.figures()
        tell("on_train_batch_end", index, logs)
        if interrupted() or model.stop_training:
            break
    bad = bad_state(model)
    if bad:  # of the last step, which no later loss would show
        raise NonFiniteLossError(
            f"train: the loss was finite in epoch {epoch}, but after its last step {bad}; use a smaller learning rate"
        )
    return dict(logs)


def step(model: Trainee, x: Array, y: Array, weights: Array | None = None) -> tuple[float, Array]:
    """Take one optimizer step on a batch, unless its loss is not finite. Returns the mean loss and the scores."""
    objective = model.objective
    scores = model.forward(Tensor.wrap(x), True, logits=objective.from_logits)
    loss = objective(scores, Tensor.wrap(y), weights, training=True)
    value = float(loss.array)
    if np.isfinite(value):
        loss.backward()
        apply_gradients(model)
    return value, scores.array


def apply_gradients(model: Trainee) -> None:
    """Clip the gradients if told to, let the optimizer take a step, and forget them."""
    optimizer = model.optimizer
    if model.clip_value is not None:
        clip_grad_value(optimizer.params, model.clip_value)
    if model.clip_norm is not None:
        clip_grad_norm(optimizer.params, model.clip_norm)
    if model.schedule is not None:
        optimizer.lr = model.schedule(optimizer.steps)
    optimizer.step()
    optimizer.zero_grad()


def bad_state(model: Trainee) -> str:
    """Say which parameters or running statistics are not finite; nothing if all are."""
    for name, item in model.named_state():
        if not np.isfinite(item.array if isinstance(item, Tensor) else item).all():
            number, _, inner = name.partition(".")
            return f"the first bad layer is {model.layers[int(number)].title}: its {inner} are not finite"
    return ""


def first_bad_layer(model: Trainee, x: Array) -> str:
    """Say where a batch first meets, or makes, a value that is not finite."""
    if not np.isfinite(x).all():
        return "X holds NaN or infinity in that batch"
    bad = bad_state(model)
    if bad:
        return bad
    with no_grad(), np.errstate(all="ignore"):
        t = Tensor.wrap(x)
        for layer in model.layers:
            t = layer.forward(t, training=False)
            if not np.isfinite(t.array).all():
                return f"the first bad layer is {layer.title}: its output is not finite"
    return "every layer's output is finite, so it is the loss or metric itself that overflowed"


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the training after the batch that is under way; the second one raises as usual."""
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
