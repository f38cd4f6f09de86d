"""A picture of how activations and gradients spread in each layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.inspection import LayerStatistics, Spread
from tensorgrad.inspection.tracing import named_layers
from tensorgrad.plot.sheet import ACCENT, FAINT, INK, SECOND, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad.cnn import CNN

ROW, HEAD = 0.62, 0.45  # inches


def statistics(model: CNN, X: npt.ArrayLike, Y: npt.ArrayLike | None = None) -> Figure:
    """Histograms of what each layer gives, and with labels of the gradients by it, with their figures beside them.

    The heights are logarithmic, since often most numbers are 0. The arguments are those of
    :func:`tensorgrad.inspection.statistics`.
    """
    known = named_layers(model)
    layers = {  # but for chains, which give what the last layer in them gives
        name: found for name, found in inspection.statistics(model, X, Y).items() if not known[name].is_chain
    }
    height = HEAD + ROW * len(layers) + 0.1
    figure = new_figure(9, height)
    columns = (
        ("what each layer gives", "the gradient of the loss by it") if Y is not None else ("what each layer gives",)
    )
    for column, text in enumerate(columns):
        figure.text(0.175 + 0.41 * column, 1 - 0.26 / height, text, fontsize=9, weight="bold", color=INK)
    for row, (name, found) in enumerate(layers.items()):
        bottom = 1 - (HEAD + ROW * (row + 1) - 0.2) / height
        box = (0.235, (ROW - 0.24) / height)
        figure.text(0.01, bottom + 0.08 / height, _wrapped(name), fontsize=8, color=INK)
        _histogram(figure.add_axes((0.175, bottom, *box)), found.activations, ACCENT)
        figure.text(0.418, bottom, _figures(found), fontsize=6.6, color=FAINT, linespacing=1.25)
        if found.gradients is not None:
            _histogram(figure.add_axes((0.585, bottom, *box)), found.gradients, SECOND)
            text = f"mean {found.gradients.mean:+.1e}\nstd {found.gradients.std:.1e}\nzeros {found.gradients.zeros:.0%}"
            figure.text(0.828, bottom, text, fontsize=6.6, color=FAINT, linespacing=1.25)
    return figure  # type: ignore[no-any-return]


def _figures(found: LayerStatistics) -> str:
    spread = found.activations
    return f"mean {spread.mean:+.2f}, std {spread.std:.2f}\nzeros {spread.zeros:.0%}\ndead units {found.dead:.0%}"


def _wrapped(name: str) -> str:
    """A long name on several lines."""
    return name if len(name) <= 22 else name.replace(".branches", "\n.branches").replace(".layers", "\n.layers")


def _histogram(axes: Any, spread: Spread, colour: str) -> None:
    axes.stairs(np.log10(1 + spread.counts), spread.edges, fill=True, color=colour, alpha=0.85)
    plain(axes).set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=6, pad=1)
    axes.set_ylim(0, None)
    axes.xaxis.get_major_locator().set_params(nbins=4)
    if spread.edges[0] < 0 < spread.edges[-1]:
        axes.axvline(0, color=INK, linewidth=0.5, alpha=0.5)
