"""Pictures of a classifier's answers: the confusion matrix, and the images that it gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.checks import whole
from tensorgrad.network import Network
from tensorgrad.plot.sheet import FAINT, INK, PAGE, literal, new_figure
from tensorgrad.plot.tiles import natural, show
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ACROSS = 6  # mistakes in a row
LONGEST = 20  # letters of a class's name beside the matrix
HEAD, ROW = 0.3, 1.4  # inches


def confusion_matrix(model: Network, X: npt.ArrayLike, Y: npt.ArrayLike, names: Sequence[str] | None = None) -> Figure:
    """The number of samples of each class (row) that the model takes for each class (column).

    Blue is right and red is wrong; the darker, the larger the share of the row.

    Parameters
    ----------
    model, X, Y
        As for :func:`tensorgrad.inspection.confusion_matrix`.
    names : sequence of str, optional
        The classes' names.
    """
    counts = inspection.confusion_matrix(model, X, Y)
    names = class_names(names, len(counts), "confusion_matrix")
    short = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    size = 1.3 + 0.42 * len(counts) + 0.1 * max(0, max(map(len, short)) - 8)
    figure = new_figure(size + 1.7, size, flowing=True)
    axes = figure.add_subplot()
    axes.imshow(_shades(counts), interpolation="nearest")
    for (i, j), count in np.ndenumerate(counts):
        if count:
            dark = count > 0.6 * counts[i].sum()
            axes.text(j, i, f"{count}", ha="center", va="center", fontsize=7.5, color="white" if dark else INK)
    axes.set_xticks(range(len(counts)), map(literal, short))
    axes.set_yticks(range(len(counts)), map(literal, short))
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
    for right_or_wrong, text in ((False, "wrong"), (True, "right")):
        _share_bar(figure, axes, right_or_wrong, text)
    return figure  # type: ignore[no-any-return]


def _share_bar(figure: Any, axes: Any, right: bool, text: str) -> None:
    """The colours of the shares of a row."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap

    shares = ScalarMappable(cmap=ListedColormap(_shade(np.linspace(0, 1, 256), np.full(256, right))))
    bar = figure.colorbar(shares, ax=axes, fraction=0.05, pad=0.02, aspect=40)
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0 %", "25 %", "50 %", "75 %", "100 %"])
    bar.set_label(f"{text}: share of the row", fontsize=8, color=FAINT, labelpad=2)
    bar.ax.tick_params(labelsize=7.5, colors=FAINT, length=2)
    bar.outline.set_visible(False)


def _shades(counts: Array) -> Array:
    """A colour per cell."""
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    return np.where(counts[..., None] > 0, _shade(shares, np.eye(len(counts), dtype=bool)), 0.965)


def _shade(shares: Array, right: Array) -> Array:
    """White to blue for right answers, white to red for wrong ones, by the square root so that a few are visible."""
    blue, red = np.array([0.10, 0.33, 0.60]), np.array([0.80, 0.25, 0.15])
    depth = np.where(right, 0.05 + 0.95 * shares, np.sqrt(shares))[..., None]
    colours: Array = 1 - depth * (1 - np.where(right[..., None], blue, red))
    return colours


def mistakes(
    model: Network, X: npt.ArrayLike, Y: npt.ArrayLike, names: Sequence[str] | None = None, *, most: int = 24
) -> Figure:
    """The images that the model gets wrong, the most confident mistakes first.

    Each is shown in its own scale of grey or colour, with its class, the model's, and how sure the model is.

    Parameters
    ----------
    model, X, Y
        As for :func:`tensorgrad.inspection.mistakes`; the samples must be images.
    names : sequence of str, optional
        The classes' names.
    most : int
        Show at most so many.
    """
    most = whole(most, "mistakes", "most")
    found = inspection.mistakes(model, X, Y)
    images = np.asarray(X)
    if images.ndim != 4:
        raise ValueError(f"mistakes: expected images of shape (N, H, W, C) to show, received shape {images.shape}")
    classes = max(2, model.predict(images[:1]).shape[1])
    names = class_names(names, classes, "mistakes")
    total = len(found.indices)
    shown = min(most, total)
    down = max(1, ceil(shown / ACROSS))
    figure = new_figure(PAGE, HEAD + ROW * down)
    which = f"the {shown} of which the model is surest" if shown < total else "those of which it is surest come first"
    text = f"{total} of {len(images)} images are wrong" + (f"; {which}" if total else "")
    figure.text(0.012, 1 - 0.2 / (HEAD + ROW * down), text, fontsize=9, weight="bold", color=INK)
    answers = [(names[found.labels[place]], names[found.said[place]]) for place in range(shown)]
    between = ",\n" if any(len(label + said) > 10 for label, said in answers) else ", "
    for place, (label, said) in enumerate(answers):
        row, column = divmod(place, ACROSS)
        axes = _cell(figure, down, row, column)
        show(axes, natural(images[found.indices[place]].astype(np.float64)))
        axes.set_title(literal(f"{label}{between}says {said}"), fontsize=8, color=INK, pad=12)
        axes.text(0.5, 1.03, f"{found.confidence[place]:.0%} sure", fontsize=7.5, color=FAINT, ha="center",
                  transform=axes.transAxes)  # fmt: skip
    return figure  # type: ignore[no-any-return]


def _cell(figure: Any, down: int, row: int, column: int) -> Any:
    height = HEAD + ROW * down
    left, bottom = 0.012 + column * (0.976 + 0.02) / ACROSS, (ROW * (down - 1 - row) + 0.05) / height
    return figure.add_axes((left, bottom, 0.976 / ACROSS - 0.02, (ROW - 0.47) / height))


def class_names(names: Sequence[str] | None, classes: int, owner: str) -> list[str]:
    """One name for each class; their numbers if there are none."""
    if names is None:
        return [str(i) for i in range(classes)]
    if len(names) != classes:
        raise ValueError(f"{owner}: expected {classes} names, one per class, received {len(names)}")
    return list(map(str, names))
