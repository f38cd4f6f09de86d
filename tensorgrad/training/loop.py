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
from tensorgrad.training.history import History
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
    augment: Augmentation | None,
    callbacks: Sequence[Callback],
) -> None:
    """Train until `epochs` epochs are done, recording each in the model's history. The arguments are checked by now."""
    per_epoch: Stream | batches = (
        samples
        if isinstance(samples, Stream)
        else batches(*samples.rows, batch_size=batch_size, shuffle=shuffle, rng=model.rng, augment=augment)
    )
    # checkpoints come last, so that they hold what the others did at the end of the epoch, such as a new learning rate
    callbacks = sorted(callbacks, key=lambda callback: callback.comes_last)
    model.stop_training = False
    names = figure_names(model.objective, samples.task, validation is not None)
    for callback in callbacks:
        callback.model = model
        callback.check_run(names)
    if not first_epoch:
        model.history = History()

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
                    found = measure(model, validation.blocks(model, None, "train"), validation.task)
                    figures |= {f"val_{name}": figure for name, figure in found.items()}
                figures["time"] = time.perf_counter() - since
                model.history.record(epoch, figures)
                if epoch % show_every == 0:
                    model.remember(epoch, figures)
                tell("on_epoch_end", epoch, figures)
    finally:
        with ExitStack() as ends:  # each is told, also if another one raises
            for callback in reversed(callbacks):
                ends.callback(callback.on_train_end, {})


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
        if interrupted():
            break
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


def first_bad_layer(model: Trainee, x: Array) -> str:
    """Say where a batch first meets, or makes, a value that is not finite."""
    if not np.isfinite(x).all():
        return "X holds NaN or infinity in that batch"
    with no_grad(), np.errstate(all="ignore"):
        t = Tensor.wrap(x)
        for layer in model.layers:
            for name, parameter in layer.named_parameters():
                if not np.isfinite(parameter.array).all():
                    return f"the first bad layer is {layer.title}: its {name} are not finite"
            t = layer.forward(t, training=False)
            if not np.isfinite(t.array).all():
                return f"the first bad layer is {layer.title}: its output is not finite"
    return "every layer's output is finite, so it is the loss itself that overflowed"


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
