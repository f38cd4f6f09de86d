"""Callbacks that log a run's figures for other programs: lines of JSON, and TensorBoard's event files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorgrad.atomic_file import appending, check_target, replacing
from tensorgrad.checks import without
from tensorgrad.training.callbacks.callback import Callback, Logs


class JSONLLogger(Callback):
    """Writes each epoch's figures as one line of JSON, as soon as they are known.

    Parameters
    ----------
    path : path
    append : bool
        Go on with a file that is there, instead of replacing it. Where training is resumed, the lines of epochs that
        are done again are dropped.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file to go on with has other lines; when training begins, before any epoch.
    """

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        self.path = Path(path)
        self.append = append
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"JSONLLogger: there is no folder {str(self.path.parent)!r}; make it first")

    def check_run(self, figures: Sequence[str]) -> None:
        """A file to go on with must be of this kind, and a new one must be possible."""
        check_target(self.path)
        self._lines()

    def on_train_begin(self, logs: Logs) -> None:
        """Begin the file, or drop the last lines if they will be written again."""
        first = logs["first_epoch"] or float("inf")
        kept = [line for line in self._lines() if line["epoch"] < first]
        with replacing(self.path) as file:
            file.write("".join(json.dumps(line) + "\n" for line in kept).encode())

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add a line."""
        with appending(self.path) as file:
            file.write(json.dumps({"epoch": epoch, **logs}) + "\n")

    def _lines(self) -> list[dict[str, Any]]:
        """The lines of a file to go on with; one that a killed process left half-written at the end is dropped."""
        if not self.append or not self.path.exists():
            return []
        texts = self.path.read_text("utf-8").split("\n")
        lines: list[dict[str, Any]] = []
        for number, text in enumerate(texts[:-1], 1):
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if not isinstance(line, dict) or not isinstance(line.get("epoch"), int):
                raise ValueError(
                    f"JSONLLogger: line {number} of {self.path.name} is no epoch of a run; give another path, or leave "
                    "append out"
                )
            lines.append(line)
        return lines


class TensorBoardLogger(Callback):
    """Writes each epoch's figures, and the learning rate, to event files that TensorBoard shows.

    A figure and its counterpart of the validation are curves in one chart: ``loss`` of the runs ``train`` and
    ``validation``. Where training is resumed, TensorBoard drops what it knows of epochs that are done again.

    Parameters
    ----------
    folder : path
        Where the event files are to be: ``tensorboard --logdir FOLDER`` shows them. Made if it is not there.

    Raises
    ------
    ImportError
        Without the package tensorboardX, which the extra "tensorboard" installs.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._writer = _writer_class()

    def on_train_begin(self, logs: Logs) -> None:
        """Begin the event files."""
        first = int(logs["first_epoch"])
        own = {"purge_step": first, "filename_suffix": f".{first}"}  # two runs in a second get two files
        self._runs = {name: self._writer(str(self.folder / name), **own) for name in ("train", "validation")}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write the figures, so that they can be looked at now."""
        self._runs["train"].add_scalar("learning_rate", self.model.optimizer.lr, epoch)
        for name, figure in logs.items():
            run = "validation" if name.startswith("val_") else "train"
            self._runs[run].add_scalar(name.removeprefix("val_"), figure, epoch)
        for writer in self._runs.values():
            writer.flush()

    def on_train_end(self, logs: Logs) -> None:
        """Close the files."""
        for writer in self._runs.values():
            writer.close()


def _writer_class() -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise without("TensorBoardLogger", "the package tensorboardX", "tensorboard") from None
    return SummaryWriter
