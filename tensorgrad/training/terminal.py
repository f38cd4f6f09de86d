"""What training prints: a line that is rewritten on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from tensorgrad.checks import brief
from tensorgrad.training.tasks import ERRORS

INTERVAL = 0.1  # seconds between two updates of the line


class Progress:
    """Reports a training run, or other work that takes long.

    Parameters
    ----------
    verbose : "auto", 0, 1 or 2
        0 prints nothing; 2 prints a block of plain lines per shown epoch; 1 shows a progress line besides; "auto" is
        1 on a terminal or in a notebook, and 2 elsewhere, so that a log file holds no control characters.
    stream : text file, optional
        Where to; standard output by default. It need not have more than ``write``.
    """

    def __init__(self, verbose: str | int = "auto", stream: TextIO | None = None) -> None:
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"train: verbose must be 'auto', 0, 1 or 2, received {brief(verbose)}")
        self.stream = sys.stdout if stream is None else stream  # None in a program without a console
        self.silent = verbose == 0 or self.stream is None or getattr(self.stream, "closed", False)
        self.live = not self.silent and (verbose == 1 or (verbose == "auto" and _rewrites_lines(self.stream)))
        self._due = 0.0
        self._width = 0
        self._since = 0.0

    def start(self) -> None:
        """Start the clock of an epoch."""
        self._since = time.perf_counter()

    def say(self, text: str) -> None:
        """Print a line."""
        if not self.silent:
            self._write(text + "\n")

    def batch(self, epoch: int, epochs: int, done: int, batches: int, loss: float) -> None:
        """Rewrite the progress line, if there is one and it is due."""
        now = time.perf_counter()
        if not self.live or (now < self._due and done != batches):
            return
        self._due = now + INTERVAL
        if batches:
            filled = 24 * done // batches
            left = (now - self._since) / done * (batches - done)
            count = f"[{'=' * filled}{'.' * (24 - filled)}] {done}/{batches}  loss {loss:.4f}  {left:.0f} s left"
        else:  # the number of batches is unknown
            count = f"batch {done}  loss {loss:.4f}"
        self.rewrite(f"Epoch {epoch + 1}/{epochs} {count}")

    def rewrite(self, text: str) -> None:
        """Let a text take the place of the progress line, if there is one."""
        if self.live:
            self._write("\r" + text.ljust(self._width))
            self._width = len(text)

    def epoch(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Print an epoch's figures in the tutorial's form."""
        self.clear()
        self.say(f"Epoch: {epoch}:\nTime: {figures['time']:.3f}sec\n{_line('Train', '', figures)}")
        if "val_loss" in figures:
            self.say(_line("Val", "val_", figures))
        self.say("")

    def clear(self) -> None:
        """Clear the progress line."""
        if self.live and self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        self.stream.write(text)
        if hasattr(self.stream, "flush"):  # loggers and windows that stand in for a file often have write alone
            self.stream.flush()


def _rewrites_lines(stream: TextIO) -> bool:
    """Whether a carriage return rewrites the line, as on a terminal and in a notebook."""
    in_notebook = type(stream).__module__.split(".")[0] == "ipykernel"
    return in_notebook or (hasattr(stream, "isatty") and stream.isatty())


def _line(of: str, prefix: str, figures: Mapping[str, float]) -> str:
    """The loss, and the accuracy of a classifier or the errors of a regression."""
    said = [f"{of} Loss: {figures[f'{prefix}loss']:.4f}"]
    if f"{prefix}accuracy" in figures:
        said.append(f"{of} Accuracy: {100 * figures[f'{prefix}accuracy']:.2f}%")
    else:
        said += [
            f"{of} {name.upper()}: {figures[f'{prefix}{name}']:.4f}" for name in ERRORS if prefix + name in figures
        ]
    return " ".join(said)
