"""Pictures of what a classifier says: the confusion matrix, and the images that it gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.plot.sheet import FAINT, INK, new_figure
from tensorgrad.plot.tiles import natural, show
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad.cnn import CNN


def confusion_matrix(model: CNN, X: npt.ArrayLike, Y: npt.ArrayLike, names: Sequence[str] | None = None) -> Figure:
    """How many samples of each class (row) the model says to be of each class (column).

    Blue is what is right, red what is wrong; the darker, the larger the share of its row.

    Parameters
    ----------
    model, X, Y
        As for :func:`tensorgrad.inspection.confusion_matrix`.
    names : sequence of str, optional
        The classes' names.
    """
    counts = inspection.confusion_matrix(model, X, Y)
    names = _names(names, len(counts), "confusion_matrix")
    size = 1.3 + 0.42 * len(counts)
    figure = new_figure(size + 0.3, size, flowing=True)
    axes = figure.add_subplot()
    axes.imshow(_shades(counts), interpolation="nearest")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            dark = count > 0.6 * counts[i].sum()
            axes.text(j, i, f"{count}", ha="center", va="center", fontsize=7.5, color="white" if dark else INK)
    axes.set_xticks(range(len(counts)), names)
    axes.set_yticks(range(len(counts)), names)
    axes.set_xticks([i + 0.5 for i in range(len(counts) - 1)], minor=True)
    axes.set_yticks([i + 0.5 for i in range(len(counts) - 1)], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0, labelsize=8)
    axes.tick_params(axis="x", rotation=90 if max(map(len, names)) > 4 else 0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("what the model says", fontsize=8.5, color=FAINT)
    axes.set_ylabel("what it is", fontsize=8.5, color=FAINT)
    right, total = int(counts.trace()), int(counts.sum())
    axes.set_title(f"{right} of {total} right: {right / total:.1%}", fontsize=9, weight="bold", color=INK)
    return figure  # type: ignore[no-any-return]


def _shades(counts: Array) -> Array:
    """A colour per cell: from white to blue on the diagonal, to red beside it, so that a few mistakes are seen too."""
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    blue, red = np.array([0.10, 0.33, 0.60]), np.array([0.80, 0.25, 0.15])
    depth = np.where(np.eye(len(counts), dtype=bool), 0.05 + 0.95 * shares, np.sqrt(shares))[..., None]
    full = np.where(np.eye(len(counts), dtype=bool)[..., None], blue, red)
    return np.where(counts[..., None] > 0, 1 - depth * (1 - full), 0.965)


def mistakes(
    model: CNN, X: npt.ArrayLike, Y: npt.ArrayLike, names: Sequence[str] | None = None, *, most: int = 24
) -> Figure:
    """The images that the model gets wrong, with what they are, what it says and how sure it is: the surest first.

    Parameters
    ----------
    model, X, Y
        As for :func:`tensorgrad.inspection.mistakes`; the samples must be images.
    names : sequence of str, optional
        The classes' names.
    most : int
        Show at most so many.
    """
    found = inspection.mistakes(model, X, Y)
    images = np.asarray(X)
    if images.ndim != 4:
        raise ValueError(f"mistakes: expected images of shape (N, H, W, C) to show, received shape {images.shape}")
    classes = max(2, model.predict(images[:1]).shape[1])
    names = _names(names, classes, "mistakes")
    total = len(found.indices)
    shown = min(most, total)
    down = max(1, ceil(shown / 8))
    figure = new_figure(9, 0.4 + 1.4 * down)
    which = f"the {shown} of which the model is surest" if shown < total else "those of which it is surest come first"
    text = f"{total} of {len(images)} images are wrong" + (f"; {which}" if total else "")
    figure.text(0.01, 1 - 0.22 / (0.4 + 1.4 * down), text, fontsize=9, weight="bold", color=INK)
    answers = [(names[found.labels[place]], names[found.said[place]]) for place in range(shown)]
    between = ",\n" if any(len(label + said) > 10 for label, said in answers) else ", "
    for place, (label, said) in enumerate(answers):
        row, column = divmod(place, 8)
        axes = _cell(figure, down, row, column)
        show(axes, natural(images[found.indices[place]].astype(np.float64)))
        axes.set_title(f"{label}{between}says {said}", fontsize=8, color=INK, pad=12)
        axes.text(0.5, 1.03, f"{found.confidence[place]:.0%} sure", fontsize=7, color=FAINT, ha="center",
                  transform=axes.transAxes)  # fmt: skip
    return figure  # type: ignore[no-any-return]


def _cell(figure: Any, down: int, row: int, column: int) -> Any:
    height = 0.4 + 1.4 * down
    return figure.add_axes((0.012 + column / 8.1, (1.4 * (down - 1 - row) + 0.05) / height, 0.9 / 9, 0.9 / height))


def _names(names: Sequence[str] | None, classes: int, owner: str) -> list[str]:
    if names is None:
        return [str(i) for i in range(classes)]
    if len(names) != classes:
        raise ValueError(f"{owner}: expected {classes} names, one per class, received {len(names)}")
    return list(map(str, names))
