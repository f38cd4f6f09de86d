"""Nodes one after the other as plain layers, where there are such."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from tensorgrad.kernels.elementwise import SLOPE
from tensorgrad.layers import (
    FFL,
    Activation,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Rescale,
    Upsample,
)
from tensorgrad.onnx.contents import Node
from tensorgrad.onnx.operators.windows import Geometry
from tensorgrad.tensor import Array, Tensor


class Unlike(Exception):
    """A node is not what a layer here computes."""


def chain(
    nodes: list[Node],
    arrays: dict[str, Array],
    shapes: dict[str, tuple[int, ...]],
    source: str,
    first: bool,
    first_at_end: bool,
) -> list[Layer] | None:
    """Plain layers that compute what nodes do, or None.

    Parameters
    ----------
    nodes : list of Node
        Each takes what the one before gives, and arrays.
    arrays, shapes : dict
        Of the file, by name, in its order; shapes are those of a batch of two.
    source : str
        What the first node takes.
    first, first_at_end : bool
        Whether images have their channels first in the file, there and in the end. In the model they are last.
    """
    state = _Chain(nodes, arrays, shapes, source, first)
    try:
        while state.at < len(nodes):
            state.step()
        if state.order is not None or (len(state.shape) == 4 and state.first != first_at_end):
            return None
    except Unlike:
        return None
    return state.layers or None


class _Chain:
    """The layers so far, and how what they give stands in the file."""

    def __init__(
        self, nodes: list[Node], arrays: dict[str, Array], shapes: dict[str, tuple[int, ...]], name: str, first: bool
    ) -> None:
        self.nodes, self.arrays, self.shapes = nodes, arrays, shapes
        self.name, self.first = name, first
        self.order: Array | None = None  # of a flat vector: the file's number j is our number order[j]
        self.edge = False  # whether a frame of repeated edges is around the image
        self.layers: list[Layer] = []
        self.at = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """In the file, of a batch of two."""
        return self.shapes[self.name]

    def step(self) -> None:
        """Take the next node, or the next few."""
        node = self.nodes[self.at]
        if self.edge and node.op != "Conv":
            raise Unlike
        self.at += 1
        HANDLERS.get(node.op, _unlike)(self, node)
        self.name = self.nodes[self.at - 1].outputs[0]

    def next(self, *ops: str) -> Node | None:
        """Take the next node too, if it has one of these operators."""
        if self.at < len(self.nodes) and self.nodes[self.at].op in ops:
            self.at += 1
            return self.nodes[self.at - 1]
        return None

    def array(self, node: Node, place: int) -> Array | None:
        """An input that must be an array of the file; None if it is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return None
        require(node.inputs[place] in self.arrays)
        return self.arrays[node.inputs[place]]

    def image(self, first: bool = True) -> None:
        """Require an image of the channels' order."""
        require(len(self.shape) == 4 and self.first == first)

    def ours(self, numbers: Array) -> Array:
        """Numbers for the last axis in our order."""
        if self.order is None:
            return numbers
        found = np.empty_like(numbers)
        found[self.order] = numbers
        return found


def require(condition: bool) -> None:
    """Give up unless something holds."""
    if not condition:
        raise Unlike


def _unlike(state: _Chain, node: Node) -> None:
    raise Unlike


def _even(geometry: Geometry) -> tuple[int, int]:
    require(geometry.is_even)
    return geometry.before[0], geometry.before[1]


def _conv(state: _Chain, node: Node) -> None:
    state.image()
    w, b = state.array(node, 1), state.array(node, 2)
    if w is None or w.ndim != 4:
        raise Unlike
    g = Geometry(node.attributes, state.shape[2:], w.shape[2:])
    padding: Any = _even(g)
    if state.edge:
        require(padding == (0, 0))
        padding, state.edge = "same", False
    layer = Conv2d(
        filters=w.shape[0], kernel_size=tuple(g.size), isbias=b is not None, stride=tuple(g.stride), padding=padding,
        kernel=np.ascontiguousarray(w.transpose(2, 3, 1, 0)), bias=b, dilation=tuple(g.dilation),
        groups=node.attributes.get("group", 1),
    )  # fmt: skip
    state.layers.append(layer)


def _pad(state: _Chain, node: Node) -> None:
    """The frame that padding "same" means."""
    state.image()
    pads = state.array(node, 1)
    require(node.attributes.get("mode") == "edge" and len(node.inputs) < 4 and pads is not None)
    require(list(pads.ravel()) == [0, 0, 1, 1, 0, 0, 1, 1])  # type: ignore[union-attr]
    state.edge = True


def _gemm(state: _Chain, node: Node) -> None:
    a = node.attributes
    w, b = state.array(node, 1), state.array(node, 2)
    require(len(state.shape) == 2 and w is not None and a.get("alpha", 1) == a.get("beta", 1) == 1)
    require(not a.get("transA", 0) and node.inputs[0] == state.name)
    _dense(state, w.T if a.get("transB", 0) else w, b)  # type: ignore[union-attr, arg-type]


def _matmul(state: _Chain, node: Node) -> None:
    w = state.array(node, 1)
    require(len(state.shape) == 2 and w is not None and w.ndim == 2)
    b = None
    if added := state.next("Add"):
        b = _constant(state, added)
    _dense(state, w, b)  # type: ignore[arg-type]


def _dense(state: _Chain, w: Array, b: Array | None) -> None:
    units = w.shape[1]
    require(b is None or (b.size == units and b.shape in ((units,), (1, units))))
    weights, state.order = np.ascontiguousarray(state.ours(w)), None
    state.layers.append(
        FFL(neurons=units, weights=weights, bias=None if b is None else b.reshape(-1), is_bias=b is not None)
    )


def _active(name: str, **needed: float) -> Callable[[_Chain, Node], None]:
    def apply(state: _Chain, node: Node) -> None:
        require(all(abs(node.attributes.get(key, number) - number) < 1e-6 for key, number in needed.items()))
        _activate(state, name)

    return apply


def _activate(state: _Chain, name: str) -> None:
    """Give the last layer an activation, or add one."""
    last = state.layers[-1] if state.layers else None
    if isinstance(last, Conv2d | FFL) and last.activation is None:
        last.activation = name
    else:
        state.layers.append(Activation(name))


def _gelu(state: _Chain, node: Node) -> None:
    require(node.attributes.get("approximate", "none") == "none")
    _activate(state, "gelu")


def _softmax(state: _Chain, node: Node) -> None:
    axis, ndim = node.attributes.get("axis", -1), len(state.shape)
    require(ndim == 2 or not node.attributes.get("flat"))
    require(axis % ndim == (1 if ndim == 4 and state.first else ndim - 1))
    _activate(state, "softmax")


def _batch_norm(state: _Chain, node: Node) -> None:
    require(len(state.shape) == 2 or (len(state.shape) == 4 and state.first))
    layer = BatchNorm(
        momentum=round(1 - node.attributes.get("momentum", 0.9), 7), eps=node.attributes.get("epsilon", 1e-5)
    )
    _scaled(layer, state, node)
    layer.running_mean, layer.running_var = (np.array(state.ours(array)) for array in _given(state, node, 3, 4))
    state.layers.append(layer)


def _layer_norm(state: _Chain, node: Node) -> None:
    ndim = len(state.shape)
    require(node.attributes.get("axis", -1) % ndim == ndim - 1 and (ndim == 2 or (ndim == 4 and not state.first)))
    layer = LayerNorm(eps=node.attributes.get("epsilon", 1e-5))
    _scaled(layer, state, node)
    state.layers.append(layer)


def _given(state: _Chain, node: Node, *places: int) -> list[Array]:
    """Inputs that must be there, and be vectors."""
    found = [state.array(node, place) for place in places]
    require(all(array is not None and array.ndim == 1 for array in found))
    return [array for array in found if array is not None]


def _scaled(layer: BatchNorm | LayerNorm, state: _Chain, node: Node) -> None:
    weights, biases = (np.array(state.ours(array)) for array in _given(state, node, 1, 2))
    layer.weights, layer.biases = Tensor(weights, requires_grad=True), Tensor(biases, requires_grad=True)


def _pool(kind: str) -> Callable[[_Chain, Node], None]:
    def apply(state: _Chain, node: Node) -> None:
        state.image()
        g = Geometry(node.attributes, state.shape[2:], node.attributes["kernel_shape"])
        padding = _even(g)
        require(g.dilation == [1, 1] and all(2 * p <= k for p, k in zip(padding, g.size, strict=True)))
        require(kind != "average" or not node.attributes.get("count_include_pad", 0) or padding == (0, 0))
        state.layers.append(Pool2d(kernel_size=tuple(g.size), stride=tuple(g.stride), kind=kind, padding=padding))

    return apply


def _smallest(state: _Chain, node: Node) -> None:
    """``-max(-x)``."""
    pool = state.next("MaxPool")
    require(pool is not None)
    _pool("min")(state, pool)  # type: ignore[arg-type]
    require(state.next("Neg") is not None)


def _global(kind: str) -> Callable[[_Chain, Node], None]:
    def apply(state: _Chain, node: Node) -> None:
        state.image()
        flat = state.next("Flatten", "Reshape", "Squeeze")
        require(flat is not None and len(state.shapes[flat.outputs[0]]) == 2)
        state.layers.append(GlobalPool(kind))

    return apply


def _reduce(kind: str) -> Callable[[_Chain, Node], None]:
    def apply(state: _Chain, node: Node) -> None:
        axes = state.array(node, 1)
        require(len(state.shape) == 4 and axes is not None)
        pixels = {2, 3} if state.first else {1, 2}
        require({int(axis) % 4 for axis in axes.ravel()} == pixels)  # type: ignore[union-attr]
        if node.attributes.get("keepdims", 1):
            flat = state.next("Flatten", "Reshape", "Squeeze")
            require(flat is not None and len(state.shapes[flat.outputs[0]]) == 2)
        state.layers.append(GlobalPool(kind))

    return apply


def _flatten(state: _Chain, node: Node) -> None:
    shape = state.shape
    require(state.shapes[node.outputs[0]] == (2, prod(shape[1:])) and node.inputs[0] == state.name)
    if len(shape) == 2:
        return
    require(len(shape) == 4 or state.order is None)
    if len(shape) == 4 and state.first and shape[1] > 1 and shape[2] * shape[3] > 1:
        c, h, w = shape[1:]
        state.order = np.arange(c * h * w).reshape(h, w, c).transpose(2, 0, 1).ravel()
    state.layers.append(Flatten())


def _gather(state: _Chain, node: Node) -> None:
    """What puts a flat vector into our order."""
    index = state.array(node, 1)
    require(state.order is not None and index is not None and node.attributes.get("axis", 0) == 1)
    require(np.array_equal(index, np.argsort(state.order)))  # type: ignore[arg-type]
    state.order = None


def _transpose(state: _Chain, node: Node) -> None:
    require(len(state.shape) == 4)
    require(node.attributes.get("perm") == ([0, 2, 3, 1] if state.first else [0, 3, 1, 2]))
    state.first = not state.first


def _resize(state: _Chain, node: Node) -> None:
    state.image()
    a, scales = node.attributes, state.array(node, 2)
    how = a.get("coordinate_transformation_mode", "half_pixel"), a.get("nearest_mode", "round_prefer_floor")
    require(
        a.get("mode", "nearest") == "nearest" and how in (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"))
    )
    require(scales is not None and scales.size == 4 and "axes" not in a and list(scales[:2]) == [1, 1])
    rows, columns = (float(n) for n in scales[2:])  # type: ignore[index]
    require(rows >= 1 and columns >= 1 and rows == int(rows) and columns == int(columns))
    state.layers.append(Upsample((int(rows), int(columns))))


def _dropout(state: _Chain, node: Node) -> None:
    ratio = state.array(node, 1)
    share = 0.5 if ratio is None else float(ratio.ravel()[0])
    require(0 <= share < 1)
    state.layers.append(Dropout(share))


def _affine(state: _Chain, node: Node) -> None:
    """At the beginning: pixels to what a network takes."""
    require(not state.layers)
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


def _constant(state: _Chain, node: Node) -> Any:
    """The input of a node that is an array of the file; x + x has none."""
    names = [name for name in node.inputs if name in state.arrays]
    require(bool(names))
    return state.arrays[names[0]]


def _numbers(state: _Chain, node: Node) -> Any:
    """One number, or one for each channel."""
    array = _constant(state, node)
    require(array.dtype.kind == "f")
    if array.size == 1:
        return array.reshape(())[()]
    channels = state.shape[1] if state.first and len(state.shape) == 4 else state.shape[-1]
    place = -3 if state.first and len(state.shape) == 4 else -1
    require(array.size == channels and array.ndim >= -place and array.shape[place] == channels)
    return array.ravel()


def _plain(numbers: Any) -> Any:
    """As Rescale has them: the float32's value, exactly."""
    return float(numbers) if np.ndim(numbers) == 0 else [float(n) for n in numbers]


HANDLERS: dict[str, Callable[[_Chain, Node], None]] = {
    "Conv": _conv,
    "Pad": _pad,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Relu": _active("relu"),
    "Sigmoid": _active("sigmoid"),
    "Tanh": _active("tanh"),
    "LeakyRelu": _active("leaky_relu", alpha=SLOPE),
    "Elu": _active("elu", alpha=1.0),
    "Gelu": _gelu,
    "Softplus": _active("softplus"),
    "Swish": _active("swish", alpha=1.0),
    "Softmax": _softmax,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "MaxPool": _pool("max"),
    "AveragePool": _pool("average"),
    "Neg": _smallest,
    "GlobalAveragePool": _global("average"),
    "GlobalMaxPool": _global("max"),
    "ReduceMean": _reduce("average"),
    "ReduceMax": _reduce("max"),
    "Flatten": _flatten,
    "Reshape": _flatten,
    "Gather": _gather,
    "Transpose": _transpose,
    "Resize": _resize,
    "Dropout": _dropout,
    "Mul": _affine,
    "Add": _affine,
    "Sub": _affine,
    "Div": _affine,
}
