"""Nodes without weights as plain layers: pools, frames, shapes, preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.layers import (
    FFL,
    Activation,
    Dropout,
    Flatten,
    GlobalPool,
    Pool1d,
    Pool2d,
    Rescale,
    Reshape,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.layers.weighted import Weighted
from tensorgrad.onnx.chain import Chain, handles, require
from tensorgrad.onnx.chain_weights import sides
from tensorgrad.onnx.contents import Node
from tensorgrad.onnx.operators.windows import Geometry
from tensorgrad.saving.channel_order import channels_first


@handles("MaxPool")
def _max_pool(state: Chain, node: Node) -> None:
    _pool(state, node, "max")


@handles("AveragePool")
def _average_pool(state: Chain, node: Node) -> None:
    counted = node.attributes.get("count_include_pad", 0)
    require(not counted or not any(node.attributes.get("pads", ())))
    _pool(state, node, "average")


@handles("Neg")
def _smallest(state: Chain, node: Node) -> None:
    """``-max(-x)``."""
    pool = state.next("MaxPool")
    require(pool is not None)
    _pool(state, pool, "min")  # type: ignore[arg-type]
    require(state.next("Neg") is not None)


def _pool(state: Chain, node: Node, kind: str) -> None:
    """Of images or sequences."""
    require(state.first)
    g = Geometry(node.attributes, state.shape[2:], node.attributes["kernel_shape"])
    after = [a + e for a, e in zip(g.after, g.extra, strict=True)]
    require(g.dilation == [1, 1] and all(max(pair) < k for *pair, k in zip(g.before, after, g.size, strict=True)))
    if g.one:
        state.layers.append(Pool1d(g.size[1], g.stride[1], kind, (g.before[1], after[1])))
    else:
        state.layers.append(Pool2d(tuple(g.size), tuple(g.stride), kind, sides(g.before, after)))


def _global(op: str, kind: str) -> None:
    """A pool over all pixels, which leaves two axes of size 1."""

    @handles(op)
    def apply(state: Chain, node: Node) -> None:
        require(state.first and len(state.shape) == 4)
        _end_in_channels(state)
        state.layers.append(GlobalPool(kind))


def _reduction(op: str, kind: str) -> None:
    """A reduction over all pixels."""

    @handles(op)
    def apply(state: Chain, node: Node) -> None:
        axes = state.array(node, 1)
        require(len(state.shape) == 4 and axes is not None)
        pixels = {2, 3} if state.first else {1, 2}
        require({int(axis) % 4 for axis in axes.ravel()} == pixels)  # type: ignore[union-attr]
        if node.attributes.get("keepdims", 1):
            _end_in_channels(state)
        state.layers.append(GlobalPool(kind))


def _end_in_channels(state: Chain) -> None:
    """Take what drops the axes of size 1."""
    flat = state.next("Flatten", "Reshape", "Squeeze")
    require(flat is not None and len(state.shapes[flat.outputs[0]]) == 2)


_global("GlobalAveragePool", "average")
_global("GlobalMaxPool", "max")
_reduction("ReduceMean", "average")
_reduction("ReduceMax", "max")


@handles("Pad")
def _pad(state: Chain, node: Node) -> None:
    """A frame of zeros, or the one of repeated edges that padding "same" means."""
    pads, number, axes = (state.array(node, place) for place in (1, 2, 3))
    require(len(state.shape) == 4 and pads is not None and pads.size == 8 and axes is None)
    widths = pads.reshape(2, 4).T.tolist()  # type: ignore[union-attr]
    channels = 1 if state.first else 3
    require(widths[0] == widths.pop(channels) == [0, 0])
    (top, bottom), (left, right) = widths[1:]
    if node.attributes.get("mode", "constant") == "edge":
        require(state.first and widths[1:] == [[1, 1], [1, 1]])
        state.edge = True
        return
    require(node.attributes.get("mode", "constant") == "constant" and min(top, bottom, left, right) >= 0)
    require(number is None or not number.any())
    state.layers.append(ZeroPadding2d(((top, bottom), (left, right))))


@handles("Flatten", "Reshape")
def _reshape(state: Chain, node: Node) -> None:
    """Of images with their channels first the numbers come in another order than ours."""
    shape, wanted = state.shape, state.shapes[node.outputs[0]]
    require(node.inputs[0] == state.name and wanted[:1] == shape[:1] and min(len(shape), len(wanted)) > 1)
    if wanted == shape:
        return
    if len(wanted) == 2:
        if state.first:
            state.order = channels_first((*shape[2:], shape[1]))
        if len(shape) > 2:
            state.layers.append(Flatten())
        return
    require(len(wanted) in (3, 4) and not state.first and state.order is None)
    goes_on = state.at < len(state.nodes)
    moved = state.coming is not None and state.coming.op == "Transpose"
    if len(shape) == 2 and len(wanted) == 4 and not moved and (goes_on or state.flow.images_first):
        _unflatten(state, wanted[1:])
    else:
        state.layers.append(Reshape(wanted[1:]))


def _unflatten(state: Chain, shape: tuple[int, ...]) -> None:
    """A vector as an image with its channels first: the product before it gives its numbers in our order."""
    place = len(state.layers) - 1
    while place >= 0 and isinstance(state.layers[place], Activation | Dropout):
        require(state.layers[place].activation != "softmax")
        place -= 1
    dense = state.layers[place] if place >= 0 else None
    require(isinstance(dense, FFL) and dense.activation != "softmax")
    channels, *pixels = shape
    state.order = channels_first((*pixels, channels))
    for parameter in (dense.weights, dense.biases):  # type: ignore[union-attr]
        if parameter is not None:
            parameter.data = np.ascontiguousarray(state.ours(parameter.array.T).T)
    state.order, state.first = None, True
    state.layers.append(Reshape((*pixels, channels)))


@handles("Gather")
def _gather(state: Chain, node: Node) -> None:
    """What puts a flat vector into our order."""
    index = state.array(node, 1)
    require(state.order is not None and index is not None and node.attributes.get("axis", 0) == 1)
    require(np.array_equal(index, np.argsort(state.order)))  # type: ignore[arg-type]
    state.order = None


@handles("Transpose")
def _transpose(state: Chain, node: Node) -> None:
    """Of images and sequences: the channels to the other end."""
    ndim = len(state.shape)
    require(ndim in (3, 4))
    last, first = [0, *range(2, ndim), 1], [0, ndim - 1, *range(1, ndim - 1)]
    require(node.attributes.get("perm") == (last if state.first else first))
    state.first = not state.first


@handles("Identity")
def _identity(state: Chain, node: Node) -> None:
    """The output by another name."""


@handles("Resize")
def _resize(state: Chain, node: Node) -> None:
    require(state.first and len(state.shape) == 4)
    a, scales = node.attributes, state.array(node, 2)
    how = a.get("coordinate_transformation_mode", "half_pixel"), a.get("nearest_mode", "round_prefer_floor")
    require(
        a.get("mode", "nearest") == "nearest" and how in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"))
    )
    require(scales is not None and scales.size == 4 and "axes" not in a and list(scales[:2]) == [1, 1])
    rows, columns = (float(n) for n in scales[2:])  # type: ignore[index]
    require(rows >= 1 and columns >= 1 and rows == int(rows) and columns == int(columns))
    state.layers.append(Upsample((int(rows), int(columns))))


@handles("Dropout")
def _dropout(state: Chain, node: Node) -> None:
    ratio = state.array(node, 1)
    share = 0.5 if ratio is None else float(ratio.ravel()[0])
    require(0 <= share < 1)
    state.layers.append(Dropout(share))


@handles("Mul", "Add", "Sub", "Div")
def _affine(state: Chain, node: Node) -> None:
    """Pixels to what a network takes, at its beginning; what stands elsewhere is trained, as Rescale is not.

    A number for each unit of the layer before, which has no biases, is its biases: so Keras writes them.
    """
    last = state.layers[-1] if state.layers else None
    if isinstance(last, Weighted) and not last.isbias and last.activation is None and state.with_biases is not None:
        biases = _numbers(state, node)
        require(node.op == "Add" and np.ndim(biases) == 1)
        state.layers[-1] = state.with_biases(biases)
        return
    require(state.takes_samples and not state.layers)
    scale, offset = np.float32(1), np.float32(0)
    current: Node | None = node
    flow = state.name
    while current is not None:
        numbers = _numbers(state, current)
        if current.op in ("Sub", "Div"):
            require(current.inputs[0] == flow)
        match current.op:
            case "Mul":
                scale, offset = scale * numbers, offset * numbers
            case "Div":
                scale, offset = scale / numbers, offset / numbers
            case "Add":
                offset = offset + numbers
            case _:
                offset = offset - numbers
        flow = current.outputs[0]
        current = state.next("Mul", "Add", "Sub", "Div")
    state.layers.append(Rescale(_plain(scale), _plain(offset)))


def _numbers(state: Chain, node: Node) -> Any:
    """One number, or one for each channel."""
    names = [name for name in node.inputs if name in state.arrays]
    require(bool(names))
    array = state.arrays[names[0]]
    require(array.dtype.kind == "f")
    if array.size == 1:
        return array.reshape(())[()]
    place = 1 - len(state.shape) if state.first else -1
    require(array.size == state.shape[place] and array.ndim >= -place and array.shape[place] == array.size)
    return array.ravel()


def _plain(numbers: Any) -> Any:
    """As Rescale has them: the float32's value, exactly."""
    return float(numbers) if np.ndim(numbers) == 0 else [float(n) for n in numbers]
