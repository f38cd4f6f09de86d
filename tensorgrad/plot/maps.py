"""A picture of each layer's maps for one image."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.checks import whole
from tensorgrad.inspection.tracing import named_layers
from tensorgrad.network import Network
from tensorgrad.plot.sheet import ACCENT, FAINT, INK, Band, Scale, page_width, plain, sheet
from tensorgrad.plot.tiles import grey, limits, natural, not_finite, rows_of, tile_band
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 8, 16  # maps in a row: preferred, and at most
BARS = 128  # numbers that still make a bar chart


@dataclass
class _Row:
    """The output of one layer, and the layers that pass it on unchanged."""

    names: list[str]
    out: Array
    shares: bool

    @property
    def subject(self) -> str:
        """``"Conv2d1 gives"``, or ``"Pool2d2, Dropout3 and Flatten4 give"``."""
        *others, last = self.names
        return f"{', '.join(others)} and {last} give" if others else f"{last} gives"


def feature_maps(model: Network, image: npt.ArrayLike, *, most: int = 64) -> Figure:
    """One image on its way through the layers: what each of them gives.

    The maps of a layer share one scale, from the least of all its numbers (black) to the greatest (white). Vectors are
    bar charts, or strips in grey if they are long. Layers that pass on what they receive, such as Flatten and, when
    predicting, Dropout, share a row with the layer before.

    Parameters
    ----------
    model : Network
    image : array_like, shape=input_shape
    most : int
        Show at most so many maps of a layer; :func:`tensorgrad.inspection.feature_maps` has them all.
    """
    most = whole(most, "feature_maps", "most")
    rows = _rows(model, image)
    counts = [min(most, row.out.shape[-1]) for row in rows if row.out.ndim == 3]
    page = page_width([*map(_across, counts), *(row.out.size // 2 for row in rows if row.out.ndim == 1)])
    bands = []
    pixels = np.asarray(image, dtype=np.float64)
    if pixels.ndim == 3:
        bands.append(tile_band("the image", natural(pixels)[None, None], page))
    for row in rows:
        if row.out.ndim == 3:
            bands.append(_maps(row, most, page))
        elif row.out.ndim == 1 and row.out.size <= BARS:
            bands.append(_bars(row, page))
        else:
            bands.append(_strip(row, page))
    return sheet(bands)


def _rows(model: Network, image: npt.ArrayLike) -> list[_Row]:
    """The rows to show; none repeats the one before."""
    layers = named_layers(model)
    rows: list[_Row] = []
    for name, (_, out) in inspection.feature_maps(model, image).items():
        if layers[name].is_chain:  # gives what the last layer in it gives
            continue
        if rows and np.array_equal(out.ravel(), rows[-1].out.ravel(), equal_nan=True):
            rows[-1].names.append(name)
        else:
            rows.append(_Row([name], out, layers[name].activation == "softmax"))
    return rows


def _across(count: int) -> int:
    """How many maps to put in a row: all of them, half, or as many as fit."""
    few, many = ACROSS
    return min(count, max(few, min(many, ceil(count / 2))))


def _maps(row: _Row, most: int, page: float) -> Band:
    height, width, count = row.out.shape
    part = f"{most} of {count}" if most < count else f"{count}"
    low, high = limits(row.out)
    shown = row.out[..., :most].transpose(2, 0, 1)
    tiles = rows_of(grey(shown, low, high), _across(len(shown)))
    title = f"{row.subject} {part} map{'s' if count > 1 else ''} of {height} x {width}"
    return tile_band(title, tiles, page, note=not_finite(row.out), scale=Scale(low, high, "gray"))


def _bars(row: _Row, page: float) -> Band:
    values = row.out.astype(np.float64)
    finite = np.isfinite(values)

    def draw(axes: Any) -> None:
        best = int(np.where(finite, values, -np.inf).argmax()) if finite.any() else -1
        heights = np.where(finite, values, 0)
        axes.bar(range(values.size), heights, color=[ACCENT if i == best else "#b8c4d2" for i in range(values.size)])
        plain(axes).set_xlim(-0.6, values.size - 0.4)
        if values.size <= 32:
            axes.set_xticks(range(values.size))
        axes.axhline(0, color="#aaaaaa", linewidth=0.6)
        if row.shares:
            axes.set_ylim(0, 1.25)
            axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
            if best >= 0:
                axes.text(best, heights[best] + 0.04, f"{heights[best]:.1%}", ha="center", fontsize=7, color=INK)

    kind = "probabilities" if row.shares else "number" if values.size == 1 else "numbers"
    note = not_finite(values).replace(" (pink)", "")
    return Band(f"{row.subject} {values.size} {kind}", page * min(1.0, values.size / 4), 0.85, draw, note, below=0.12)


def _strip(row: _Row, page: float) -> Band:
    low, high = limits(row.out)

    def draw(axes: Any) -> None:
        axes.imshow(grey(row.out.reshape(1, -1), low, high), aspect="auto", interpolation="nearest")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(FAINT)

    scale = Scale(low, high, "gray")
    return Band(f"{row.subject} {row.out.size} numbers", page, 0.3, draw, not_finite(row.out), scale=scale)
