"""CSVLogger: the figures of each epoch in a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from tensorgrad.atomic_file import appending, check_target, replacing
from tensorgrad.training.callbacks.callback import Callback, Logs


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
        """A file to append to must have the same columns, and a new one must be possible."""
        check_target(self.path)
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
        with appending(self.path) as file:
            if not self._columns:
                self._columns = ["epoch", *logs]
                csv.writer(file).writerow(self._columns)
            csv.DictWriter(file, self._columns).writerow({"epoch": epoch, **logs})

    def _rows(self) -> list[list[str]]:
        """The rows of a file to append to, the header first."""
        if not self.append or not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))
