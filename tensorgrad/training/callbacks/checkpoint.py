"""ModelCheckpoint: the model in a file after each epoch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tensorgrad.atomic_file import remove_leftovers
from tensorgrad.checks import whole
from tensorgrad.training.callbacks.callback import Logs
from tensorgrad.training.callbacks.waiting import Waiting


class ModelCheckpoint(Waiting):
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
        whole(every, "ModelCheckpoint", "every")
        if keep is not None:
            whole(keep, "ModelCheckpoint", "keep")
        self.path = os.fspath(path)
        folder = Path(self.path).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"ModelCheckpoint: there is no folder {str(folder)!r}; make it first")
        self.save_best_only = save_best_only
        self.every = every
        self.keep = keep
        self.saved: list[Path] = []

    def check_run(self, figures: Sequence[str]) -> None:
        """The monitored figure must exist, and those that the path names; the file must be able to hold the model."""
        if self.save_best_only:
            super().check_run(figures)
        try:
            path = self._filled(0, dict.fromkeys(figures, 0.0))
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"ModelCheckpoint: {self.path!r} cannot be filled in ({error}); it may name epoch, {', '.join(figures)}"
            ) from None
        self.model.check_saving(path)

    def on_train_begin(self, logs: Logs) -> None:
        """Begin a run; a resumed one counts the files that it saved before."""
        super().on_train_begin(logs)
        history, before = self.model.history, []
        for i, epoch in enumerate(history.epoch):
            with suppress(KeyError):  # of a figure that the epochs before did not have
                before.append(self._filled(epoch, {name: column[i] for name, column in history.history.items()}))
        self.saved = [path for path in dict.fromkeys(before) if path.exists()]
        if before:  # of a kill after another checkpoint had this epoch, so that nobody writes to that path again
            remove_leftovers(Path(os.path.realpath(before[-1])))

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save if due; then delete the oldest files beyond `keep`."""
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
