"""Receptive fields: which part of the image each pixel of a layer's output can see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad.derivatives import grad
from tensorgrad.engine import set_recording
from tensorgrad.inspection.tracing import top_layers
from tensorgrad.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    LayerNorm,
    Pool2d,
    Sequential,
    Upsample,
)
from tensorgrad.layers.conv2d import frame
from tensorgrad.layers.layer import Layer, as_tuple
from tensorgrad.tensor import Array, Tensor

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

_DRAWS, _BATCH = 4, 32  # random images per output row to measure a layer with that has no rule, and at once


@dataclass(frozen=True)
class Span:
    """Along one axis: output pixel i sees the image's pixels ``first[i]`` to ``last[i]``, and none if last < first."""

    first: Array
    last: Array

    @property
    def most(self) -> int:
        """How many pixels the one sees that sees most."""
        return max(0, int((self.last - self.first).max()) + 1)

    def at(self, indices: Array, inside: Array | bool = True) -> Span:
        """What pixels see that each look at a row of `indices`, where these are `inside` the image."""
        first = np.where(inside, self.first[indices], np.iinfo(np.int64).max // 2).min(axis=1)
        last = np.where(inside, self.last[indices], -1).max(axis=1)
        return Span(first, last)

    def windows(self, size: int, stride: int, padding: int, dilation: int, repeat_edge: bool = False) -> Span:
        """What windows see, of which those beyond the edge see nothing, or the edge itself if it is repeated."""
        pixels = len(self.first)
        count = (pixels + 2 * padding - dilation * (size - 1) - 1) // stride + 1
        taps = (np.arange(count) * stride - padding)[:, None] + dilation * np.arange(size)  # (outputs, size)
        indices = taps.clip(0, pixels - 1)
        return self.at(indices, repeat_edge or taps == indices)

    def whole(self) -> Span:
        """What a pixel sees that looks at all of them."""
        return self.at(np.arange(len(self.first))[None])

    def union(self, other: Span) -> Span:
        """What pixels see that look at one of each."""
        return Span(np.minimum(self.first, other.first), np.maximum(self.last, other.last))


@dataclass(frozen=True)
class Field:
    """What the pixels of a layer's output see of the image.

    Attributes
    ----------
    rows, columns : Span
        For each row of the output the first and the last row of the image that it can see, and for each column.
    """

    rows: Span
    columns: Span

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the image that the pixel sees that sees most; the image's edge cuts them off."""
        return self.rows.most, self.columns.most

    def whole(self) -> Field:
        """What a number sees that looks at all pixels."""
        return Field(self.rows.whole(), self.columns.whole())


def receptive_fields(model: CNN) -> dict[str, Field]:
    """The part of the image that each layer's output can see, by the layer's name.

    Pixel i of a convolution's or pool's output looks at the pixels ``i s + a d - p`` of its input, for ``a`` from 0 to
    the kernel's size; the rules below follow that from layer to layer. They count what a weight connects, whatever
    its value. A layer of your own is measured: by where its gradient is not zero.

    Returns
    -------
    dict from str to Field
        Empty for a model that does not start with an image.
    """
    fields: dict[str, Field] = {}
    shape = as_tuple(model.layers[0].input_shape or ()) if model.layers else ()
    if len(shape) == 3:
        field = Field(*(Span(np.arange(n), np.arange(n)) for n in shape[:2]))
        for name, layer in top_layers(model):
            field = _through(name, layer, field, fields)
    return fields


def _through(name: str, layer: Layer, field: Field, fields: dict[str, Field]) -> Field:
    """What a layer's output sees, if that is what its input sees; written down for it and for what it is made of."""
    if isinstance(layer, Sequential):
        for i, inner in enumerate(layer.layers):
            field = _through(f"{name}.layers.{i}", inner, field, fields)
    elif isinstance(layer, Add):
        branches = [_through(f"{name}.branches.{i}", inner, field, fields) for i, inner in enumerate(layer.branches)]
        field = branches[0]
        for other in branches[1:]:
            field = Field(field.rows.union(other.rows), field.columns.union(other.columns))
    else:
        field = _seen(layer, field)
    fields[name] = field
    return field


def _seen(layer: Layer, field: Field) -> Field:
    axes = field.rows, field.columns
    if isinstance(layer, Conv2d):
        geometry = zip(layer.kernel_size, layer.stride, frame(layer.padding, layer.title), layer.dilation, strict=True)
        return Field(*(a.windows(*g, layer.padding == "same") for a, g in zip(axes, geometry, strict=True)))
    if isinstance(layer, Pool2d):
        pool = zip(layer.kernel_size, layer.stride, frame(layer.padding, layer.title), (1, 1), strict=True)
        return Field(*(a.windows(*g) for a, g in zip(axes, pool, strict=True)))
    if isinstance(layer, Upsample):
        spans = zip(axes, layer.kernel_size, strict=True)
        return Field(*(a.at(np.arange(len(a.first) * k)[:, None] // k) for a, k in spans))
    if isinstance(layer, Activation | BatchNorm | Dropout | Flatten):
        return field
    before, after = as_tuple(layer.input_shape or ()), as_tuple(layer.output_shape or ())
    if len(before) == 3 and isinstance(layer, LayerNorm):
        return field
    if len(before) == len(after) == 3:
        return _measured(layer, before, after, field)
    return field.whole()


def _measured(layer: Layer, before: tuple[int, ...], after: tuple[int, ...], field: Field) -> Field:
    """By random images: an output row, or column, sees where its gradient is not zero."""
    spans = []
    rng = np.random.default_rng(0)
    for axis, span in enumerate((field.rows, field.columns)):
        seen = np.zeros((after[axis], before[axis]), bool)
        places = np.repeat(np.arange(after[axis]), _DRAWS)
        for start in range(0, len(places), _BATCH):
            batch = places[start : start + _BATCH]  # image n of the batch is there for the output's row batch[n]
            x = Tensor(rng.standard_normal((len(batch), *before)).astype(np.float32), requires_grad=True)
            weights = np.zeros((len(batch), *after), np.float32)
            weights.swapaxes(1, axis + 1)[np.arange(len(batch)), batch] = 1
            with set_recording(True), np.errstate(all="ignore"):
                out = layer.forward(x, training=False)
                if not out.requires_grad:
                    return field.whole()
                (g,) = grad(out, x, weights.astype(out.dtype), allow_unused=True)
            np.logical_or.at(seen, batch, g.numpy().swapaxes(1, axis + 1).any(axis=(2, 3)))
        inputs = np.arange(before[axis])[None].repeat(after[axis], axis=0)  # (after, before)
        spans.append(span.at(inputs, seen))
    return Field(*spans)
