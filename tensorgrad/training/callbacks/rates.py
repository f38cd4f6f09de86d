"""Callbacks that set the learning rate: by the epoch, or when a figure stops improving."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from tensorgrad.checks import brief, is_number
from tensorgrad.training.callbacks.callback import Callback, Logs
from tensorgrad.training.callbacks.waiting import Waiting


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Parameters
    ----------
    schedule : callable
        From the epoch's number, or from that and the learning rate so far, to a learning rate: one of the schedules of
        :mod:`tensorgrad.optim`, or ``lambda epoch, lr: 0.9 * lr``.

    Raises
    ------
    TypeError
        If it cannot be called so.
    """

    def __init__(self, schedule: Callable[..., float]) -> None:
        self.takes_rate = takes_rate(schedule, "LearningRateScheduler: the schedule")
        self.schedule = schedule

    def check_run(self, figures: Sequence[str]) -> None:
        """No schedule may set the learning rate too."""
        check_no_schedule(self)

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Set it."""
        optimizer = self.model.optimizer
        optimizer.lr = self.schedule(epoch, optimizer.lr) if self.takes_rate else self.schedule(epoch)


def takes_rate(schedule: Any, owner: str) -> bool:
    """Whether a schedule must be called with (epoch, lr), and not with (epoch); an error if with neither."""
    if not callable(schedule):
        raise TypeError(f"{owner} must be a function of (epoch) or (epoch, lr), received {brief(schedule)}")
    try:
        signature = inspect.signature(schedule)
    except ValueError:  # some functions written in C do not tell
        return False
    for arguments in ((0,), (0, 0.1)):
        with suppress(TypeError):
            signature.bind(*arguments)
            second = list(signature.parameters)[1:2]
            return len(arguments) == 2 or second in (["lr"], ["learning_rate"])
    raise TypeError(f"{owner} must take (epoch) or (epoch, lr); it takes {signature}")


def check_no_schedule(callback: Callback) -> None:
    """Raise if the model was compiled with a schedule, which would set the learning rate too."""
    if callback.model.schedule is not None:
        raise ValueError(
            f"{type(callback).__name__}: the model was compiled with a learning-rate schedule, which sets the rate "
            "before every step; leave one of them out: compile it with a number for lr"
        )


class ReduceLROnPlateau(Waiting):
    """Lowers the learning rate when a figure has not improved for a while.

    Parameters
    ----------
    monitor : str
    factor : float, 0 < factor < 1
        What the learning rate is multiplied by.
    patience : int
        How many epochs without an improvement to allow.
    min_delta : float
        By how much the figure must be better to count as improved.
    min_lr : float
        Not below this.
    mode : "auto", "min" or "max"
        Which way is better; "auto" goes by the figure's name.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 3,
        min_delta: float = 1e-4,
        min_lr: float = 0.0,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode)
        if not (is_number(factor) and 0 < factor < 1):
            raise ValueError(f"ReduceLROnPlateau: factor must lie between 0 and 1, received {brief(factor)}")
        self.factor = factor
        self.min_lr = min_lr

    def check_run(self, figures: Sequence[str]) -> None:
        """The figure must exist, and no schedule may set the learning rate too."""
        super().check_run(figures)
        check_no_schedule(self)

    def improved(self, epoch: int, logs: Logs) -> bool:
        """Note an epoch's figure; after too long a wait, begin to wait anew."""
        if super().improved(epoch, logs):
            return True
        self._due = self.wait > self.patience
        if self._due:
            self.wait = 0
        return False

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Lower it if it has been too long."""
        if not self.improved(epoch, logs) and self._due:
            optimizer = self.model.optimizer
            optimizer.lr = max(optimizer.lr * self.factor, min(optimizer.lr, self.min_lr))
