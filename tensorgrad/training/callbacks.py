"""Callbacks: what to do at the turns of a training run. The hooks have Keras's names and arguments.

A callback that looks at a figure names it as the history does ("val_loss", "accuracy", ...). Where training is
resumed, the callbacks that wait for a figure to improve are shown the epochs that were trained before.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TextIO

from tensorgrad.atomic_file import remove_leftovers, replacing
from tensorgrad.checks import one_of
from tensorgrad.tensor import Array
from tensorgrad.training.terminal import Progress
from tensorgrad.training.trainee import Trainee

Logs = Mapping[str, float]


class Callback:
    """Does nothing; subclass it and override the hooks you need. ``self.model`` is the model that is trained."""

    model: Trainee
    comes_last: ClassVar[bool] = False  # its turn is after all others, wherever it stands among them

    def check_run(self, figures: Sequence[str]) -> None:
        """Raise, before anything has begun, if it cannot work; an epoch's logs will have these figures."""

    def on_train_begin(self, logs: Logs) -> None:
        """Before the first epoch; logs has "epochs", "first_epoch" and "batches"."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Before an epoch; logs is empty."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """After a step; logs has the epoch's "loss" and "accuracy" so far."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation; logs has the epoch's figures, which the history holds by now."""

    def on_train_end(self, logs: Logs) -> None:
        """After the last epoch, whatever ended the training: its end, another callback, Ctrl-C or an error."""


class LambdaCallback(Callback):
    """Calls functions at the hooks that they are given for.

    Parameters
    ----------
    **hooks : callable
        Under a hook's name, a function with the hook's arguments: ``on_epoch_end=lambda epoch, logs: ...``.
    """

    def __init__(self, **hooks: Callable[..., None]) -> None:
        known = [name for name in vars(Callback) if name.startswith("on_")]
        for name, function in hooks.items():
            one_of(name, known, "LambdaCallback", "hook")
            setattr(self, name, function)


class ProgressLogger(Callback):
    """Prints the progress: what :meth:`tensorgrad.CNN.train` does by itself unless ``verbose=0``.

    Parameters
    ----------
    verbose : "auto", 0, 1 or 2
        See :class:`tensorgrad.training.terminal.Progress`.
    show_every : int
        Print every so many epochs.
    stream : text file, optional
        Where to; standard output by default.
    """

    def __init__(self, verbose: str | int = "auto", show_every: int = 1, stream: TextIO | None = None) -> None:
        self.progress = Progress(verbose, stream)
        self.show_every = show_every

    def on_train_begin(self, logs: Logs) -> None:
        """Take note of how many batches and epochs there are."""
        self._epochs, self._batches = int(logs["epochs"]), int(logs["batches"])

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Start the clock."""
        self._epoch = epoch
        self.progress.start()

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Move the line on."""
        self.progress.batch(self._epoch, self._epochs, batch + 1, self._batches, logs["loss"])

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Print the figures."""
        if epoch % self.show_every == 0:
            self.progress.epoch(epoch, logs)

    def on_train_end(self, logs: Logs) -> None:
        """Take the line away."""
        self.progress.clear()


class CSVLogger(Callback):
    """Writes each epoch's figures to a CSV file as soon as they are known.

    Parameters
    ----------
    path : path
    append : bool
        Go on with a file that is there, instead of replacing it. Where training is resumed, the rows of epochs that
        are done again are dropped.
    """

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        self.path = Path(path)
        self.append = append
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"CSVLogger: there is no folder {str(self.path.parent)!r}; make it first")

    def check_run(self, figures: Sequence[str]) -> None:
        """A file to go on with must have the columns."""
        rows = self._rows()
        unknown = [name for name in ("epoch", *figures) if rows and name not in rows[0]]
        if unknown:
            raise ValueError(
                f"CSVLogger: {self.path.name} has the columns {', '.join(rows[0])}, but an epoch has {unknown} too; "
                "give another path, or leave append out"
            )

    def on_train_begin(self, logs: Logs) -> None:
        """Begin the file, or drop the last rows if they will be written again."""
        rows = self._rows()
        self._columns = rows[0] if rows else []
        while len(rows) > 1 and logs["first_epoch"] and not self._is_before(int(logs["first_epoch"]), rows[-1]):
            rows.pop()
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        with replacing(self.path) as file:
            file.write(text.getvalue().encode())

    def _is_before(self, epoch: int, row: list[str]) -> bool:
        """Whether a row is whole, and of an earlier epoch."""
        number = dict(zip(self._columns, row, strict=False)).get("epoch", "")
        return len(row) == len(self._columns) and number.isdecimal() and int(number) < epoch

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add a row."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            if not self._columns:
                self._columns = ["epoch", *logs]
                csv.writer(file).writerow(self._columns)
            csv.DictWriter(file, self._columns).writerow({"epoch": epoch, **logs})

    def _rows(self) -> list[list[str]]:
        """The rows of a file to go on with, the header first."""
        if not self.append or not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch.

    Parameters
    ----------
    schedule : callable
        From the epoch's number to a learning rate, such as the schedules of :mod:`tensorgrad.optim`.
    """

    def __init__(self, schedule: Callable[[int], float]) -> None:
        self.schedule = schedule

    def check_run(self, figures: Sequence[str]) -> None:
        """Nobody else may set it."""
        _check_no_schedule(self)

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Set it."""
        self.model.optimizer.lr = self.schedule(epoch)


def _check_no_schedule(callback: Callback) -> None:
    if callback.model.schedule is not None:
        raise ValueError(
            f"{type(callback).__name__}: the model was compiled with a learning-rate schedule, which sets the rate "
            "before every step; leave one of them out: compile it with a number for lr"
        )


class _Waiting(Callback):
    """Waits for a figure to improve, and counts the epochs since it did."""

    def __init__(self, monitor: str, patience: int, min_delta: float, mode: str) -> None:
        one_of(mode, ("auto", "min", "max"), type(self).__name__, "mode")
        if patience < 0 or min_delta < 0:
            raise ValueError(f"{type(self).__name__}: patience and min_delta must be at least 0")
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.mode = mode
        self.sign = 1 if mode == "min" else -1

    def check_run(self, figures: Sequence[str]) -> None:
        """The figure must be there."""
        if self.monitor not in figures:
            raise ValueError(
                f"{type(self).__name__}: monitors {self.monitor!r}, but an epoch has {', '.join(map(repr, figures))}"
                + ("; validate with val_split or val_x" if self.monitor.startswith("val_") else "")
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


class EarlyStopping(_Waiting):
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


class ReduceLROnPlateau(_Waiting):
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
        if not 0 < factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor must lie between 0 and 1, received {factor!r}")
        self.factor = factor
        self.min_lr = min_lr

    def check_run(self, figures: Sequence[str]) -> None:
        """The figure must be there, and nobody else may set the learning rate."""
        super().check_run(figures)
        _check_no_schedule(self)

    def improved(self, epoch: int, logs: Logs) -> bool:
        """Note an epoch's figure; after too long a wait, begin to wait anew."""
        if super().improved(epoch, logs):
            return True
        self.due = self.wait > self.patience
        if self.due:
            self.wait = 0
        return False

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Lower it if it has been too long."""
        if not self.improved(epoch, logs) and self.due:
            optimizer = self.model.optimizer
            optimizer.lr = max(optimizer.lr * self.factor, min(optimizer.lr, self.min_lr))


class ModelCheckpoint(_Waiting):
    """Saves the model after epochs, so that training can go on from there (see :meth:`tensorgrad.CNN.resume`).

    Its turn comes after all other callbacks, wherever it stands among them, so that their effects are in the file.

    Parameters
    ----------
    path : str
        Where to. May contain ``{epoch}`` and the names of figures, as ``"digits-{epoch:03d}-{val_loss:.3f}.tgrad"``.
    monitor : str
        The figure that says which epoch is the best.
    save_best_only : bool
        Save only after an epoch that is the best so far.
    every : int
        Save after every so many epochs.
    keep : int, optional
        Of several files, keep the newest so many.
    mode : "auto", "min" or "max"
        Which way is better; "auto" goes by the figure's name.
    """

    comes_last = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = False,
        every: int = 1,
        keep: int | None = None,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, 0, 0.0, mode)
        if every < 1 or (keep is not None and keep < 1):
            raise ValueError(f"ModelCheckpoint: every and keep must be at least 1, received {every!r} and {keep!r}")
        self.path = os.fspath(path)
        folder = Path(self.path).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"ModelCheckpoint: there is no folder {str(folder)!r}; make it first")
        self.save_best_only = save_best_only
        self.every = every
        self.keep = keep
        self.saved: list[Path] = []

    def check_run(self, figures: Sequence[str]) -> None:
        """The figure that it goes by must be there, and those that the path names."""
        if self.save_best_only:
            super().check_run(figures)
        try:
            self._filled(0, dict.fromkeys(figures, 0.0))
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"ModelCheckpoint: {self.path!r} cannot be filled in ({error}); it may name epoch, {', '.join(figures)}"
            ) from None

    def on_train_begin(self, logs: Logs) -> None:
        """Begin to wait; where training is resumed, with the files that it saved before."""
        super().on_train_begin(logs)
        history, before = self.model.history, []
        for i, epoch in enumerate(history.epoch):
            with suppress(KeyError):  # of a figure that the epochs before did not have
                before.append(self._filled(epoch, {name: column[i] for name, column in history.history.items()}))
        self.saved = [path for path in dict.fromkeys(before) if path.exists()]
        if before:  # of a kill after another checkpoint had this epoch, so that nobody writes to that path again
            remove_leftovers(Path(os.path.realpath(before[-1])))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save, if it is time to; then drop the oldest files beyond `keep`."""
        due = self.improved(epoch, logs) if self.save_best_only else (epoch + 1) % self.every == 0
        if not due:
            return
        path = self._filled(epoch, logs)
        self.model.save_model(path)
        self.saved = [other for other in self.saved if other != path] + [path]
        while self.keep is not None and len(self.saved) > self.keep:
            self.saved.pop(0).unlink(missing_ok=True)

    def _filled(self, epoch: int, logs: Logs) -> Path:
        """The path of an epoch's file."""
        return Path(self.path.format(epoch=epoch, **logs))
