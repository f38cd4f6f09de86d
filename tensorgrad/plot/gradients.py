"""Pictures of gradients by the image: which pixels matter, and what excites a unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.inspection.gradients import highest_class
from tensorgrad.inspection.tracing import sample
from tensorgrad.network import Network
from tensorgrad.plot.sheet import INK, Scale, colour_bar, new_figure, page_width, sheet
from tensorgrad.plot.tiles import grey, limits, natural, rows_of, show, tile_band
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 10  # images in a row


def saliency(
    model: Network, image: npt.ArrayLike, label: int | None = None, *, samples: int = 1, noise: float = 0.15
) -> Figure:
    """An image, how strongly each pixel moves the score of a class, and both on top of each other.

    The arguments are those of :func:`tensorgrad.inspection.saliency`; of several channels the strongest counts.
    """
    strength = inspection.saliency(model, image, label, samples=samples, noise=noise)
    if strength.ndim != 3:
        raise ValueError(
            "saliency: expected a model of images, whose samples have shape (H, W, C); they have shape "
            f"{strength.shape}; use inspection.saliency for its numbers"
        )
    strongest = strength.max(-1)
    pixels = natural(np.asarray(image, dtype=np.float64))
    figure = new_figure(5.9, 2.0)
    shown = highest_class(model, sample(model, image, "saliency")) if label is None else label
    texts = ("the image", f"pixels that move the score of {shown}", "both")
    low, high = limits(strongest)
    scale = Scale(min(low, 0.0), high, "inferno")
    lefts = (0.01, 0.315, 0.705)  # between the last two there is room for the colour bar
    for place, text in enumerate(texts):
        axes = figure.add_axes((lefts[place], 0.02, 0.284, 0.837))
        if place != 1:
            mean = pixels.mean(-1)
            show(axes, pixels if place == 0 else 1 - 0.65 * grey(mean, mean.min(), mean.max()))
        if place != 0:
            colours = scale.colours if place == 1 else _see_through()
            show(axes, strongest, cmap=colours, vmin=scale.low, vmax=scale.high)
        axes.set_title(text, fontsize=7.5, color=INK, pad=3)
    colour_bar(figure.add_axes((0.61, 0.02, 0.017, 0.837)), scale)
    return figure  # type: ignore[no-any-return]


def _see_through() -> Any:
    """A colour map from transparent to red."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("red", [(0.85, 0.1, 0.05, 0.0), (0.85, 0.1, 0.05, 1.0)])


def gradient_ascent(model: Network, layer: str, units: Sequence[int] | None = None, **options: Any) -> Figure:
    """Images that excite the units of a layer, each in its own scale of grey, or in colour if it has three channels.

    The arguments are those of :func:`tensorgrad.inspection.gradient_ascent`.
    """
    images: Array = inspection.gradient_ascent(model, layer, units, **options)
    if images.ndim != 4:
        raise ValueError(
            f"gradient_ascent: expected a model of images, whose samples have shape (H, W, C); they have shape "
            f"{images.shape[1:]}; use inspection.gradient_ascent for its numbers"
        )
    across = min(ACROSS, len(images))
    page = page_width([across])
    numbers = list(range(len(images))) if units is None else list(units)
    tiles = rows_of(natural(images), across)
    bands = []
    for start, row in zip(range(0, len(images), across), tiles, strict=True):
        title = f"{layer}: what excites each unit, each image in its own scale" if start == 0 else ""
        bands.append(tile_band(title, row[None], page, columns=numbers[start : start + across]))
    return sheet(bands)
