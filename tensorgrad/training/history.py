"""What happened while training: one row per epoch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import nan
from typing import Any, NoReturn

from tensorgrad.vocabulary import did_you_mean, find


class History:
    """The figures of each epoch of a training run.

    Attributes
    ----------
    history : dict of lists
        Under each name ("loss", "accuracy", "val_loss", "val_accuracy", "time", ...) one figure per epoch. Losses are
        means per sample, accuracies shares from 0 to 1, times seconds.
    epoch : list of int
        The number of each epoch, from 0.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def record(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Add an epoch's row. A figure that not all epochs have is NaN in the others."""
        for name in figures:
            self.history.setdefault(name, [nan] * len(self.epoch))
        self.epoch.append(epoch)
        for name, column in self.history.items():
            column.append(float(figures.get(name, nan)))

    def __getitem__(self, name: str) -> list[float]:
        """The figures under a name, one per epoch."""
        if name not in self.history:
            recorded = f"recorded are {', '.join(self.history) or 'no figures yet'}"
            raise KeyError(f"History: there is no {name!r}; {recorded}{meant(name, self.history)}")
        return self.history[name]

    def __getattr__(self, name: str) -> NoReturn:
        hint = f"; figures are under their names: history[{name!r}]" if name in vars(self).get("history", ()) else ""
        raise AttributeError(f"History has no {name!r}{hint}")

    def __contains__(self, name: object) -> bool:
        return name in self.history

    def __iter__(self) -> Iterator[str]:
        return iter(self.history)

    def __len__(self) -> int:
        return len(self.epoch)

    def __repr__(self) -> str:
        return f"History({len(self)} epochs of {', '.join(self.history) or 'nothing yet'})"

    def _repr_html_(self) -> str:
        """The curves, for a notebook; the table is below them, folded."""
        from html import escape  # here, as only notebooks need these

        from tensorgrad.training.curves import curves

        table = f"<details><summary>Table</summary><pre>{escape(str(self))}</pre></details>"
        return curves(self.epoch, self.history) + table

    def __str__(self) -> str:
        names = ["epoch", *self.history]
        rows = [
            [str(epoch), *(f"{figures[i]:.4f}" for figures in self.history.values())]
            for i, epoch in enumerate(self.epoch)
        ]
        widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
        lines = [[f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)] for row in [names, *rows]]
        return "\n".join("  ".join(line) for line in lines)


def meant(name: Any, figures: Iterable[str]) -> str:
    """A suggestion for the name of a figure, ``"; did you mean 'val_accuracy'?"``; empty if none is similar."""
    if not isinstance(name, str):
        return ""
    start = "val_" if name.startswith("val_") else ""
    word = find(name.removeprefix(start), "metrics")
    ours = f"{start}{word.ours}" if word is not None and word.works else ""
    return f"; did you mean {ours!r}?" if ours in figures else did_you_mean(name, figures)
