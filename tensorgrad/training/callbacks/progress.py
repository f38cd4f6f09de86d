"""ProgressLogger: what training prints."""

from __future__ import annotations

from typing import TextIO

from tensorgrad.training.callbacks.callback import Callback, Logs
from tensorgrad.training.terminal import Progress


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
