"""Small images as framed tiles in one large image: the same size everywhere, and never lost on the page's white."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from tensorgrad.plot.sheet import FAINT, WIDTH, Band, new_figure
from tensorgrad.tensor import Array

SIDE = 48  # pixels that a tile has at least, so that its frame is thin
FRAME, PAGE = 0.72, 1.0  # grey levels


def grey(images: Array) -> Array:
    """Images ``(..., H, W)`` in grey, each from black, its least value, to white: ``(..., H, W, 3)``."""
    low = images.min((-2, -1), keepdims=True)
    reach = images.max((-2, -1), keepdims=True) - low
    level = np.divide(images - low, reach, out=np.zeros(images.shape), where=reach > 0)
    return np.repeat(level[..., None], 3, axis=-1)


def natural(images: Array) -> Array:
    """Images ``(..., H, W, C)`` as one looks at them: of three channels in colour, else the channels' mean in grey."""
    if images.shape[-1] != 3:
        return grey(images.mean(-1))
    low = images.min((-3, -2, -1), keepdims=True)
    reach = images.max((-3, -2, -1), keepdims=True) - low
    colours: Array = np.divide(images - low, reach, out=np.zeros(images.shape), where=reach > 0)
    return colours


def signed(images: Array, limit: float) -> Array:
    """Signed numbers ``(..., H, W)`` in blue below 0, white at 0, red above, the same scale for all."""
    new_figure(1, 1)  # for its message, if there is no matplotlib
    from matplotlib import colormaps

    colours: Array = np.asarray(colormaps["RdBu_r"](0.5 + images / (2 * limit or 1)))
    return colours[..., :3]


def mosaic(tiles: Array) -> Array:
    """Tiles ``(rows, columns, H, W, 3)`` as one image, each enlarged, in a thin frame, and apart from the others."""
    scale = max(1, ceil(SIDE / max(tiles.shape[2:4])))
    framed = tiles.repeat(scale, axis=2).repeat(scale, axis=3)
    for width, level in ((1, FRAME), (2, PAGE)):
        around = ((0, 0), (0, 0), (width, width), (width, width), (0, 0))
        framed = np.pad(framed, around, constant_values=level)
    rows, columns, height, width, _ = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)


def rows_of(tiles: Array, across: int) -> Array:
    """Tiles ``(count, H, W, 3)`` in rows of so many: ``(rows, across, H, W, 3)``, the last filled up with nothing."""
    rows = ceil(len(tiles) / across)
    full = np.full((rows * across, *tiles.shape[1:]), np.nan)
    full[: len(tiles)] = tiles
    return full.reshape(rows, across, *tiles.shape[1:])


def tile_band(
    title: str,
    tiles: Array,
    side: float,
    *,
    note: str = "",
    columns: Sequence[Any] = (),
    rows: Sequence[Any] = (),
) -> Band:
    """A band of tiles ``(rows, columns, H, W, 3)``, NaN for none, their longer side so many inches, with labels."""
    down, across, height, width, _ = tiles.shape
    longer = max(height, width)

    def draw(axes: Any) -> None:
        image = mosaic(tiles)
        empty = np.isnan(tiles).all((2, 3, 4))
        step = image.shape[0] // down, image.shape[1] // across
        for i, j in np.argwhere(empty):
            image[i * step[0] : (i + 1) * step[0], j * step[1] : (j + 1) * step[1]] = PAGE
        axes.imshow(image, aspect="auto", extent=(0, across, down, 0))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=6.5, colors=FAINT, pad=1)
        axes.set_xticks([i + 0.5 for i in range(len(columns))], columns)
        axes.set_yticks([i + 0.5 for i in range(len(rows))], rows)

    below = 0.12 if len(columns) else 0.0
    return Band(title, across * side * width / longer, down * side * height / longer, draw, note, below)


def side_for(across: int, largest: float = 0.56) -> float:
    """How many inches a tile may have if so many stand side by side."""
    return min(largest, WIDTH / max(1, across))


def show(axes: Any, image: Array, **options: Any) -> None:
    """One image in axes of its own, framed."""
    axes.imshow(image, interpolation="nearest", **options)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(str(FRAME))
