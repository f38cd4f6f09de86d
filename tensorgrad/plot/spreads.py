"""A picture of how activations and gradients spread in each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.inspection import LayerStatistics, Spread
from tensorgrad.inspection.tracing import named_layers
from tensorgrad.plot.sheet import ACCENT, FAINT, INK, SECOND, literal, new_figure, plain
from tensorgrad.training.trainee import Trainee

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ROW, HEAD = 0.82, 0.62  # inches
LEFT, COLUMN = 1.55, 2.95  # inches: what comes before the histograms, and a histogram with its figures
LINE = 20  # characters of a name on one line


def statistics(model: Trainee, X: npt.ArrayLike, Y: npt.ArrayLike | None = None) -> Figure:
    """Histograms of each layer's outputs, and with labels of the gradients by them, with their figures.

    The heights are counts on a logarithmic scale, since often most numbers are 0. Layers that pass on what they
    receive share a row. The arguments are those of :func:`tensorgrad.inspection.statistics`.
    """
    rows = _rows(model, X, Y)
    height = HEAD + ROW * len(rows) + 0.1
    width = LEFT + COLUMN * (1 if Y is None else 2)
    figure = new_figure(width, height)
    columns = ("what each layer gives", "the gradient of the loss by it")[: 1 if Y is None else 2]
    for column, text in enumerate(columns):
        left = (LEFT + COLUMN * column) / width
        figure.text(left, 1 - 0.24 / height, text, fontsize=9, weight="bold", color=INK)
        text = "heights: how many numbers, on a logarithmic scale"
        figure.text(left, 1 - 0.4 / height, text, fontsize=7.5, color=FAINT)
    for row, (names, found) in enumerate(rows):
        bottom = height - HEAD - ROW * (row + 1) + 0.25
        first, *others = names
        label = _wrapped(first) + (_wrapped("\nand " + ",\n".join(others)) if others else "")
        figure.text(0.1 / width, (bottom + 0.4) / height, literal(label), fontsize=8, color=INK, va="top")
        for column, spread in enumerate((found.activations, found.gradients)):
            if spread is not None:
                left = LEFT + COLUMN * column
                box = (left / width, bottom / height, 1.25 / width, (ROW - 0.28) / height)
                _histogram(figure.add_axes(box), spread, SECOND if column else ACCENT)
                text = _figures(spread, None if column else found)
                figure.text((left + 1.33) / width, bottom / height, text, fontsize=7.5, color=FAINT, linespacing=1.25)
    return figure  # type: ignore[no-any-return]


def _rows(model: Trainee, X: npt.ArrayLike, Y: npt.ArrayLike | None) -> list[tuple[list[str], LayerStatistics]]:
    """The layers' statistics with their names; no row repeats the one before."""
    known = named_layers(model)
    rows: list[tuple[list[str], LayerStatistics]] = []
    for name, found in inspection.statistics(model, X, Y).items():
        if known[name].is_chain:  # gives what the last layer in it gives
            continue
        if rows and _same(rows[-1][1].activations, found.activations) and _same(rows[-1][1].gradients, found.gradients):
            rows[-1][0].append(name)
        else:
            rows.append(([name], found))
    return rows


def _same(one: Spread | None, other: Spread | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.bad == other.bad and np.array_equal(one.counts, other.counts) and np.array_equal(one.edges, other.edges)


def _figures(spread: Spread, layer: LayerStatistics | None) -> str:
    """The figures beside a histogram of a layer's activations, or of gradients without one."""
    form = "+.1e" if layer is None else "+.2f"
    lines = [f"mean {spread.mean:{form}}", f"std {spread.std:{form[1:]}}", f"zeros {spread.zeros:.0%}"]
    if layer is not None:
        lines.append(f"dead units {layer.dead:.0%}")
    if spread.bad:
        lines.append(f"NaN or infinite {spread.bad:.0%}")
    return "\n".join(lines)


def _wrapped(name: str) -> str:
    """A long name on several lines."""
    return name if len(name) <= LINE else name.replace(".branches", "\n.branches").replace(".layers", "\n.layers")


def _histogram(axes: Any, spread: Spread, colour: str) -> None:
    plain(axes)
    axes.tick_params(labelsize=7, pad=1)
    axes.ticklabel_format(axis="x", scilimits=(-2, 4))
    axes.xaxis.get_offset_text().set_fontsize(6.5)
    if not spread.counts.any():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no finite number", ha="center", va="center", fontsize=7, color=SECOND,
                  transform=axes.transAxes)  # fmt: skip
        return
    axes.stairs(spread.counts, spread.edges, fill=True, color=colour, alpha=0.85)
    axes.set_yscale("symlog", linthresh=1)
    top = int(np.log10(spread.counts.max()))
    axes.set_ylim(0, None)
    axes.set_yticks([1, 10**top] if top else [1], ["1", f"{10**top:,}"] if top else ["1"], minor=False)
    axes.set_yticks([], minor=True)
    axes.xaxis.get_major_locator().set_params(nbins=3)
    if spread.edges[0] < 0 < spread.edges[-1]:
        axes.axvline(0, color=INK, linewidth=0.5, alpha=0.5)
