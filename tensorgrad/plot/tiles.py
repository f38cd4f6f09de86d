"""Small images as framed tiles of one size in one large image, visible on the white page."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from tensorgrad.plot.sheet import FAINT, Band, Scale, new_figure
from tensorgrad.tensor import Array

SIDE = 48  # pixels that a tile has at least
FINE = 150  # pixels per inch of tiles that are larger, so that their frames are thin
LARGEST = 2.1  # inches that a tile may be wide or high
FRAME, PAGE = 0.72, 1.0  # grey levels
NOT_FINITE = (0.93, 0.1, 0.75)  # pink, which is in none of the scales


def limits(values: Array) -> tuple[float, float]:
    """The minimum and the maximum of the finite values; 0 and 0 if there are none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def not_finite(values: Array) -> str:
    """How many values are NaN or infinite, for the note of a band; nothing if none are."""
    bad = int((~np.isfinite(values)).sum())
    return f"{bad} of {values.size} are not finite (pink)" if bad else ""


def grey(images: Array, low: Array | float, high: Array | float) -> Array:
    """Images ``(..., H, W)`` in grey, from black for `low` to white for `high`: ``(..., H, W, 3)``."""
    return _marked(np.repeat(_level(images, low, high)[..., None], 3, axis=-1), images)


def natural(images: Array) -> Array:
    """Images ``(..., H, W, C)`` as one looks at them: three channels in colour, otherwise their mean in grey.

    Each image from its own least value to its greatest.
    """
    if images.shape[-1] != 3:
        mean = images.mean(-1)
        return grey(mean, mean.min((-2, -1), keepdims=True), mean.max((-2, -1), keepdims=True))
    over = (-3, -2, -1)
    return _level(images, images.min(over, keepdims=True), images.max(over, keepdims=True))


def signed(images: Array, limit: float) -> Array:
    """Numbers ``(..., H, W)`` from blue for ``-limit`` over white for 0 to red for ``limit``: ``(..., H, W, 3)``."""
    new_figure(1, 1)  # for its message, if there is no matplotlib
    from matplotlib import colormaps

    colours = np.asarray(colormaps[signed_scale(limit).colours](_level(images, -limit, limit) if limit else 0.5))
    return _marked(np.broadcast_to(colours[..., :3], (*images.shape, 3)), images)


def signed_scale(limit: float) -> Scale:
    """The scale of :func:`signed`."""
    return Scale(-limit, limit, "RdBu_r")


def _level(images: Array, low: Array | float, high: Array | float) -> Array:
    """Values from `low` to `high` mapped to 0 to 1; 0 if both are equal, or a value is not finite."""
    reach = np.broadcast_to(np.asarray(high, np.float64) - low, images.shape)
    there = np.isfinite(images) & (reach > 0)
    level = np.divide(np.where(there, images, low) - low, reach, out=np.zeros(images.shape), where=there)
    return level.clip(0, 1)


def _marked(colours: Array, images: Array) -> Array:
    """The colours, with pink for values that are not finite."""
    return np.where(np.isfinite(images)[..., None], colours, NOT_FINITE)


def mosaic(tiles: Array, side: float = SIDE) -> Array:
    """Tiles ``(rows, columns, H, W, 3)`` as one image, apart from each other, each of `side` pixels or more."""
    scale = max(1, ceil(side / max(tiles.shape[2:4])))
    framed = tiles.repeat(scale, axis=2).repeat(scale, axis=3)
    for width, level in ((1, FRAME), (2, PAGE)):
        around = ((0, 0), (0, 0), (width, width), (width, width), (0, 0))
        framed = np.pad(framed, around, constant_values=level)
    rows, columns, height, width, _ = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)


def rows_of(tiles: Array, across: int) -> Array:
    """Tiles ``(count, H, W, 3)`` in rows: ``(rows, across, H, W, 3)``, with NaN for those that the last row lacks."""
    rows = ceil(len(tiles) / across)
    full = np.full((rows * across, *tiles.shape[1:]), np.nan)
    full[: len(tiles)] = tiles
    return full.reshape(rows, across, *tiles.shape[1:])


def tile_band(
    title: str,
    tiles: Array,
    page: float,
    *,
    note: str = "",
    columns: Sequence[Any] = (),
    rows: Sequence[Any] = (),
    scale: Scale | None = None,
) -> Band:
    """A band of tiles ``(rows, columns, H, W, 3)``, NaN for none, that fills the page's width, with labels.

    Parameters
    ----------
    page : float
        Inches that are to be filled, unless the tiles would become larger than LARGEST.
    columns, rows : sequence
        The labels, below and on the left.
    """
    down, across, height, width, _ = tiles.shape
    wide = min(page / across, LARGEST * min(1.0, width / height))

    def draw(axes: Any) -> None:
        image = mosaic(tiles, max(SIDE, FINE * wide * max(1.0, height / width)))
        empty = np.isnan(tiles).all((2, 3, 4))
        step = image.shape[0] // down, image.shape[1] // across
        for i, j in np.argwhere(empty):
            image[i * step[0] : (i + 1) * step[0], j * step[1] : (j + 1) * step[1]] = PAGE
        axes.imshow(image, aspect="auto", extent=(0, across, down, 0))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=7.5, colors=FAINT, pad=1)
        axes.set_xticks([i + 0.5 for i in range(len(columns))], columns)
        axes.set_yticks([i + 0.5 for i in range(len(rows))], rows)

    below = 0.12 if len(columns) else 0.0
    return Band(title, across * wide, down * wide * height / width, draw, note, below, scale)


def show(axes: Any, image: Array, **options: Any) -> None:
    """One image in axes of its own, framed."""
    axes.imshow(image, interpolation="nearest", **options)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(str(FRAME))
