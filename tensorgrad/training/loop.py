"""The training loop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.data.batches import Augmentation, batches
from tensorgrad.engine import no_grad
from tensorgrad.kernels import blas
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.callbacks import Callback, ModelCheckpoint
from tensorgrad.training.history import History

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

Samples = tuple[Array, ...]  # inputs, targets and, where there are any, the weights of the samples


class NonFiniteLossError(FloatingPointError):
    """The loss became NaN or infinite."""


def split(samples: Samples, share: float, rng: np.random.Generator | None) -> tuple[Samples, Samples]:
    """Set a share of the samples aside for validation: a random choice, or the last ones without `rng`."""
    total = len(samples[0])
    count = int(total * share)
    order = np.arange(total) if rng is None else rng.permutation(total)
    kept, aside = np.sort(order[: total - count]), np.sort(order[total - count :])
    return tuple(part[kept] for part in samples), tuple(part[aside] for part in samples)


def run(
    model: CNN,
    samples: Samples,
    validation: Samples | None,
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
    per_epoch = batches(*samples, batch_size=batch_size, shuffle=shuffle, rng=model.rng, augment=augment)
    # checkpoints come last, so that they hold what the others did at the end of the epoch, such as a new learning rate
    callbacks = sorted(callbacks, key=lambda callback: isinstance(callback, ModelCheckpoint))
    model.stop_training = False
    figures_of_an_epoch = _figure_names(model, validation is not None)
    for callback in callbacks:
        callback.model = model
        callback.check_run(figures_of_an_epoch)
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
                figures = _epoch(model, per_epoch, epoch, tell, interrupted)
                if interrupted():
                    break
                if validation is not None:
                    found = model.measure(*validation)
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


def _figure_names(model: CNN, validated: bool) -> list[str]:
    """The names of an epoch's figures, as the history will have them."""
    measured = ["loss", "accuracy", *(name for name in model.metrics if name != "accuracy")]
    return ["loss", "accuracy", *(f"val_{name}" for name in measured if validated), "time"]


def _epoch(
    model: CNN, per_epoch: batches, epoch: int, tell: Callable[..., None], interrupted: Callable[[], bool]
) -> dict[str, float]:
    """Go over all batches once. Loss and accuracy are those of each batch as it was met, averaged over the samples."""
    loss_sum = hits = 0.0
    seen = 0
    dtype = model.dtype
    for index, (raw, *rest) in enumerate(per_epoch):
        x = raw.astype(dtype, copy=False)
        loss, right = step(model, x, *rest)
        if not np.isfinite(loss):
            raise NonFiniteLossError(
                f"train: the loss became {loss} in epoch {epoch}, batch {index}; {first_bad_layer(model, x)}; "
                "use a smaller learning rate, or look at the data of that batch"
            )
        loss_sum += loss * len(x)
        hits += right
        seen += len(x)
        tell("on_train_batch_end", index, {"loss": loss_sum / seen, "accuracy": hits / seen})
        if interrupted():
            break
    return {"loss": loss_sum / seen, "accuracy": hits / seen}


def step(model: CNN, x: Array, y: Array, weights: Array | None = None) -> tuple[float, float]:
    """Take one optimizer step on a batch, unless its loss is not finite. Returns the mean loss and the hits."""
    scores = model.scores(Tensor.wrap(x), training=True)
    loss = model.objective(scores, Tensor.wrap(y), weights, training=True)
    value = float(loss.array)
    hits = model.objective.hits(scores.array, y)
    if np.isfinite(value):
        loss.backward()
        model.apply_gradients()
    return value, hits


def first_bad_layer(model: CNN, x: Array) -> str:
    """Say where a batch first meets, or makes, a value that is not finite."""
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
