"""A picture of how an image changes on its way through the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.inspection.tracing import named_layers
from tensorgrad.layers import Dropout, Flatten, Pool2d, Sequential
from tensorgrad.plot.sheet import ACCENT, FAINT, INK, WIDTH, Band, plain, sheet
from tensorgrad.plot.tiles import grey, natural, rows_of, tile_band
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad.cnn import CNN

ACROSS = 16  # maps in a row
BARS = 128  # numbers that still make a bar chart


def feature_maps(model: CNN, image: npt.ArrayLike, *, most: int = 64) -> Figure:
    """One image through every layer: what each layer gives; of pools and dropout also what goes in, above it.

    Each map is in grey, from its own least value (black) to its greatest (white). A vector is a bar chart.

    Parameters
    ----------
    model : CNN
    image : array_like, shape=input_shape
    most : int
        Show at most so many maps of a layer; :func:`tensorgrad.inspection.feature_maps` has them all.
    """
    maps = inspection.feature_maps(model, image)
    layers = named_layers(model)
    bands = []
    pixels = np.asarray(image, dtype=np.float64)
    if pixels.ndim == 3:
        bands.append(tile_band("the image", natural(pixels)[None, None], 1.0))
    for name, (given, out) in maps.items():
        layer = layers[name]
        if isinstance(layer, Sequential):  # gives what the last layer in it gives
            continue
        if given.ndim == 3 and isinstance(layer, Pool2d | Dropout):
            bands.append(_maps(f"{name} receives", given, most))
        if out.ndim == 3:
            bands.append(_maps(f"{name} gives", out, most))
        elif out.ndim == 1 and out.size <= BARS:
            bands.append(_bars(name, out, layer.activation == "softmax"))
        else:
            same, how = ("the same ", ", in a row") if isinstance(layer, Flatten) else ("", "")
            bands.append(_strip(f"{name} gives {same}{out.size} numbers{how}", out))
    return sheet(bands)


def _maps(text: str, maps: Array, most: int) -> Band:
    height, width, count = maps.shape
    part = f"{most} of {count}" if most < count else f"{count}"
    tiles = rows_of(grey(maps[..., :most].transpose(2, 0, 1)), min(ACROSS, count, most))
    return tile_band(f"{text} {part} map{'s' if count > 1 else ''} of {height} x {width}", tiles, WIDTH / ACROSS)


def _bars(name: str, values: Array, shares: bool) -> Band:
    def draw(axes: Any) -> None:
        best = int(values.argmax())
        axes.bar(range(values.size), values, color=[ACCENT if i == best else "#b8c4d2" for i in range(values.size)])
        plain(axes).set_xlim(-0.6, values.size - 0.4)
        if values.size <= 32:
            axes.set_xticks(range(values.size))
        axes.axhline(0, color="#aaaaaa", linewidth=0.6)
        if shares:
            axes.set_ylim(0, 1.25)
            axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
            axes.text(best, values[best] + 0.04, f"{values[best]:.1%}", ha="center", fontsize=7, color=INK)

    title = f"{name} gives {values.size} " + ("probabilities" if shares else "numbers")
    return Band(title, min(WIDTH, max(2.5, 0.34 * values.size)), 0.85, draw, below=0.12)


def _strip(title: str, values: Array) -> Band:
    def draw(axes: Any) -> None:
        axes.imshow(values.reshape(1, -1), cmap="gray", aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(FAINT)

    return Band(title, WIDTH, 0.22, draw)
