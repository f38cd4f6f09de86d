"""Callbacks that wait for a figure to improve.

They name it as the history does ("val_loss", "accuracy", ...). Where training is resumed, they are shown the epochs
that were trained before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tensorgrad.checks import brief, is_number, one_of
from tensorgrad.tensor import Array
from tensorgrad.training.callbacks.callback import Callback, Logs
from tensorgrad.training.history import meant


class Waiting(Callback):
    """Waits for a figure to improve, and counts the epochs since it did."""

    best: float
    best_epoch: int
    wait: int

    def __init__(self, monitor: str, patience: int, min_delta: float, mode: str) -> None:
        one_of(mode, ("auto", "min", "max"), type(self).__name__, "mode")
        if not all(is_number(given) and given >= 0 for given in (patience, min_delta)):
            raise ValueError(
                f"{type(self).__name__}: patience and min_delta must be numbers of at least 0, "
                f"received {brief(patience)} "
                f"and {min_delta!r}"
            )
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.sign = 1 if mode == "min" else -1

    def check_run(self, figures: Sequence[str]) -> None:
        """The figure must be there."""
        if self.monitor not in figures:
            lacks_validation = self.monitor.startswith("val_") and "val_loss" not in figures
            raise ValueError(
                f"{type(self).__name__}: monitors {self.monitor!r}, but an epoch has {', '.join(map(repr, figures))}"
                + ("; validate with val_split or val_x" if lacks_validation else meant(self.monitor, figures))
            )
        if self.mode == "auto":
            higher = self.model.objective.is_better_higher(self.monitor)
            if higher is None:
                raise ValueError(
                    f"{type(self).__name__}: nobody said whether a higher {self.monitor!r} is better; give mode='min' "
                    "or mode='max'"
                )
            self.sign = -1 if higher else 1

    def on_train_begin(self, logs: Logs) -> None:
        """Begin to wait; where training is resumed, with the epochs trained before."""
        self.best, self.best_epoch, self.wait = math.inf, -1, 0
        history = self.model.history
        for epoch, figure in zip(history.epoch, history.history.get(self.monitor, []), strict=False):
            self.improved(epoch, {self.monitor: figure})

    def improved(self, epoch: int, logs: Logs) -> bool:
        """Note an epoch's figure, and tell whether it is the best so far."""
        figure = self.sign * logs[self.monitor]
        if figure < self.best - self.min_delta:
            self.best, self.best_epoch, self.wait = figure, epoch, 0
            return True
        self.wait += 1
        return False


class EarlyStopping(Waiting):
    """Stops when a figure has not improved for a while, and puts the best weights back, whatever ended the training.

    Where training is resumed, the weights of an epoch before that are not at hand, and cannot be put back: let a
    :class:`ModelCheckpoint` with ``save_best_only`` keep them.

    Parameters
    ----------
    monitor : str
    patience : int
        How many epochs without an improvement to allow.
    min_delta : float
        By how much the figure must be better to count as improved.
    mode : "auto", "min" or "max"
        Which way is better; "auto" goes by the figure's name.
    restore_best_weights : bool
        Put back the weights of the best epoch at the end.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 3,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best_weights: bool = True,
    ) -> None:
        super().__init__(monitor, patience, min_delta, mode)
        self.restore_best_weights = restore_best_weights

    def on_train_begin(self, logs: Logs) -> None:
        """Begin to wait, without any weights yet; if it has been too long by now, no epoch is trained."""
        super().on_train_begin(logs)
        self._state: dict[str, Array] = {}
        self._stop_if_due()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Keep a copy of the weights if they are the best; stop if it has been too long."""
        if self.improved(epoch, logs):
            self._state = self.model.state_dict()
        self._stop_if_due()

    def _stop_if_due(self) -> None:
        if self.wait > self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Logs) -> None:
        """Put the best weights back."""
        if self.restore_best_weights and self._state:
            self.model.load_state_dict(self._state)
