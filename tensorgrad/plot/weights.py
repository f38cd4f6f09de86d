"""Pictures of weights: filters, and what fully connected neurons look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import inspection
from tensorgrad.checks import whole
from tensorgrad.network import Network
from tensorgrad.plot.sheet import Band, page_width, sheet
from tensorgrad.plot.tiles import limits, not_finite, show, signed, signed_scale, tile_band
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANNELS = 32  # of a fully connected layer's image that are shown


def filters(model: Network, *, most: int = 32) -> Figure:
    """The filters of each convolutional layer: a column per filter, a row per channel that it reads.

    Red weights are positive, blue ones negative, white is 0; all filters of a layer share one scale.

    Parameters
    ----------
    model : Network
    most : int
        Show at most so many filters and channels of a layer; :func:`tensorgrad.inspection.filters` has them all.
    """
    most = whole(most, "filters", "most")
    layers = inspection.filters(model)
    page = page_width(min(most, len(kernels)) for kernels in layers.values())
    return sheet([_tiles(name, kernels, "filters", most, most, page) for name, kernels in layers.items()])


def dense_weights(model: Network, *, most: int = 16) -> Figure:
    """The weights of each fully connected layer, red above 0 and blue below.

    Where the layer reads a flattened image, a neuron is a column of tiles, one per channel. Elsewhere it is a row of
    cells, one per input.

    Parameters
    ----------
    model : Network
    most : int
        Show at most so many neurons of a layer, and 32 channels; :func:`tensorgrad.inspection.dense_weights` has all.
    """
    most = whole(most, "dense_weights", "most")
    layers = inspection.dense_weights(model)
    page = page_width(min(most, len(w)) if w.ndim == 4 else w.shape[1] // 4 for w in layers.values())
    return sheet(
        [
            _tiles(name, w, "neurons", most, CHANNELS, page) if w.ndim == 4 else _matrix(name, w, most, page)
            for name, w in layers.items()
        ]
    )


def _tiles(name: str, weights: Array, units: str, most: int, channels: int, page: float) -> Band:
    """Weights ``(units, channels, H, W)``: a column per unit, a row per channel."""
    shown = weights[:most, :channels].swapaxes(0, 1)  # (channels, units, H, W)
    limit = _limit(weights)
    count, depth, height, width = weights.shape
    part = f"{len(shown[0])} of {count}" if len(shown[0]) < count else str(count)
    rows = f"{len(shown)} of {depth}" if len(shown) < depth else str(depth)
    return tile_band(
        f"{name}: {part} {units} (columns) by {rows} channel{'s' if depth > 1 else ''} (rows), each {height} x {width}",
        signed(shown, limit),
        page,
        note=not_finite(weights),
        columns=range(len(shown[0])),
        rows=range(len(shown)) if depth > 1 else (),
        scale=signed_scale(limit),
    )


def _matrix(name: str, weights: Array, most: int, page: float) -> Band:
    """Weights ``(neurons, inputs)`` as one image."""
    shown = weights[:most]
    limit = _limit(weights)
    part = f"{len(shown)} of {len(weights)}" if len(shown) < len(weights) else str(len(weights))

    def draw(axes: Any) -> None:
        show(axes, signed(shown, limit), aspect="auto")

    return Band(
        f"{name}: {part} neurons (rows) by {weights.shape[1]} inputs (columns)",
        min(page, 0.6 * weights.shape[1]),
        max(0.3, 0.16 * len(shown)),
        draw,
        not_finite(weights),
        scale=signed_scale(limit),
    )


def _limit(weights: Array) -> float:
    """The largest absolute value of the finite weights."""
    return max(map(abs, limits(weights)))
