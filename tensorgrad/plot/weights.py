"""Pictures of weights: filters, and what fully connected neurons look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import inspection
from tensorgrad.plot.sheet import WIDTH, Band, sheet
from tensorgrad.plot.tiles import show, side_for, signed, tile_band
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tensorgrad.cnn import CNN


def filters(model: CNN, *, most: int = 32) -> Figure:
    """The filters of each convolutional layer: a column per filter, a row per channel that it reads.

    Red weights are positive, blue ones negative, white is 0; one scale for all of a layer's filters.

    Parameters
    ----------
    model : CNN
    most : int
        Show at most so many filters and channels of a layer; :func:`tensorgrad.inspection.filters` has them all.
    """
    layers = inspection.filters(model)
    side = side_for(max(min(most, len(kernels)) for kernels in layers.values()))
    return sheet([_tiles(name, kernels, "filters", most, most, side) for name, kernels in layers.items()])


def dense_weights(model: CNN, *, most: int = 16) -> Figure:
    """The weights of each fully connected layer, red above 0 and blue below.

    Where the layer reads an image that was flattened: a column of tiles per neuron, a tile per channel. Elsewhere a
    row per neuron, and in it a cell per input.

    Parameters
    ----------
    model : CNN
    most : int
        Show at most so many neurons of a layer, and 32 channels; :func:`tensorgrad.inspection.dense_weights` has all.
    """
    layers = inspection.dense_weights(model)
    images = [weights for weights in layers.values() if weights.ndim == 4]
    side = side_for(max((min(most, len(weights)) for weights in images), default=1))
    return sheet(
        [
            _tiles(name, w, "neurons", most, 32, side) if w.ndim == 4 else _matrix(name, w, most)
            for name, w in layers.items()
        ]
    )


def _tiles(name: str, weights: Array, units: str, most: int, channels: int, side: float) -> Band:
    """Weights ``(units, channels, H, W)``: a column per unit, a row per channel."""
    shown = weights[:most, :channels].swapaxes(0, 1)  # (channels, units, H, W)
    limit = float(np.abs(weights).max())
    count, depth, height, width = weights.shape
    part = f"{len(shown[0])} of {count}" if len(shown[0]) < count else str(count)
    rows = f"{len(shown)} of {depth}" if len(shown) < depth else str(depth)
    title = (
        f"{name}: {part} {units} (columns) by {rows} channel{'s' if depth > 1 else ''} (rows), each {height} x {width}"
    )
    labels = range(len(shown)) if depth > 1 else ()
    return tile_band(title, signed(shown, limit), side, note=_scale(limit), columns=range(len(shown[0])), rows=labels)


def _matrix(name: str, weights: Array, most: int) -> Band:
    """Weights ``(neurons, inputs)`` as one image."""
    shown = weights[:most]
    limit = float(np.abs(weights).max())
    part = f"{len(shown)} of {len(weights)}" if len(shown) < len(weights) else str(len(weights))

    def draw(axes: Any) -> None:
        show(axes, signed(shown, limit), aspect="auto")

    title = f"{name}: {part} neurons (rows) by {weights.shape[1]} inputs (columns)"
    return Band(title, min(WIDTH, 0.14 * weights.shape[1]), 0.14 * len(shown), draw, _scale(limit))


def _scale(limit: float) -> str:
    return f"blue -{limit:.2g}   white 0   red {limit:.2g}"
