"""Pictures that the gradient by the image makes: which pixels matter, and what a unit wants to see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tensorgrad import inspection
from tensorgrad.plot.sheet import INK, WIDTH, new_figure, sheet
from tensorgrad.plot.tiles import grey, natural, rows_of, show, tile_band
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad.cnn import CNN


def saliency(
    model: CNN, image: npt.ArrayLike, label: int | None = None, *, samples: int = 1, noise: float = 0.15
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
    figure = new_figure(5.4, 2.0)
    said = model.predict(np.asarray(image))[0]
    texts = ("the image", f"pixels that move the score of {said.argmax() if label is None else label}", "both")
    for place, text in enumerate(texts):
        axes = figure.add_axes((0.01 + 0.335 * place, 0.02, 0.31, 0.837))
        if place != 1:
            show(axes, pixels if place == 0 else grey(-pixels.mean(-1)) * 0.65 + 0.35)
        if place != 0:
            show(axes, strongest, cmap="inferno" if place == 1 else _see_through())
        axes.set_title(text, fontsize=7.5, color=INK, pad=3)
    return figure  # type: ignore[no-any-return]


def _see_through() -> Any:
    """A colour map from nothing to red."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("red", [(0.85, 0.1, 0.05, 0.0), (0.85, 0.1, 0.05, 1.0)])


def gradient_ascent(model: CNN, layer: str, units: Sequence[int] | None = None, **options: Any) -> Figure:
    """Images that excite the units of a layer, each in its own scale of grey, or in colour if it has three channels.

    The arguments are those of :func:`tensorgrad.inspection.gradient_ascent`.
    """
    images: Array = inspection.gradient_ascent(model, layer, units, **options)
    if images.ndim != 4:
        raise ValueError(
            f"gradient_ascent: expected a model of images, whose samples have shape (H, W, C); they have shape "
            f"{images.shape[1:]}; use inspection.gradient_ascent for its numbers"
        )
    across = min(10, len(images))
    numbers = list(range(len(images))) if units is None else list(units)
    tiles = rows_of(natural(images), across)
    bands = []
    for start, row in zip(range(0, len(images), across), tiles, strict=True):
        title = f"{layer}: what excites each of its units" if start == 0 else ""
        bands.append(tile_band(title, row[None], WIDTH / 10, columns=numbers[start : start + across]))
    return sheet(bands)
