"""Nodes with weights as plain layers: convolutions, products, normalizations; and the activations after them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.elementwise import SLOPE
from tensorgrad.layers import FFL, BatchNorm, Conv1d, Conv2d, ConvTranspose2d, LayerNorm
from tensorgrad.onnx.chain import Chain, Unlike, handles, require
from tensorgrad.onnx.contents import Node
from tensorgrad.onnx.operators.windows import Geometry, Transposed
from tensorgrad.tensor import Array, Tensor


def sides(before: list[int], after: list[int]) -> Any:
    """The pixels around an image, for each axis or, where they differ, for each side."""
    if before == after:
        return before[0], before[1]
    return (before[0], after[0]), (before[1], after[1])


@handles("Conv")
def _conv(state: Chain, node: Node) -> None:
    """Of images or, where the file has one axis of pixels, of sequences."""
    w, b = state.array(node, 1), state.array(node, 2)
    if w is None or not state.first or w.ndim != len(state.shape):
        raise Unlike
    g, groups = Geometry(node.attributes, state.shape[2:], w.shape[2:]), node.attributes.get("group", 1)
    kernel = np.ascontiguousarray(w.transpose(*range(2, w.ndim), 1, 0))
    options: dict[str, Any] = {"filters": w.shape[0], "kernel": kernel, "groups": groups}
    if w.ndim == 3:
        options |= {"stride": g.stride[1], "dilation": g.dilation[1], "padding": (g.before[1], g.after[1])}
        options |= {"kernel_size": g.size[1]}
        state.add_weighted(lambda biases: Conv1d(isbias=biases is not None, bias=biases, **options), b)
        return
    padding = sides(g.before, g.after)
    if state.edge:
        require(padding == (0, 0))
        padding, state.edge = "same", False
    options |= {"stride": tuple(g.stride), "dilation": tuple(g.dilation), "padding": padding}
    options |= {"kernel_size": tuple(g.size)}
    state.add_weighted(lambda biases: Conv2d(isbias=biases is not None, bias=biases, **options), b)


@handles("ConvTranspose")
def _conv_transpose(state: Chain, node: Node) -> None:
    w, b = state.array(node, 1), state.array(node, 2)
    if w is None or not state.first or w.ndim != 4:
        raise Unlike
    g, groups = Transposed(node.attributes, state.shape[2:], w.shape), node.attributes.get("group", 1)
    require(all(e < max(s, d) for e, s, d in zip(g.extra, g.stride, g.dilation, strict=True)))
    options: dict[str, Any] = {
        "filters": w.shape[1] * groups, "kernel": np.ascontiguousarray(w.transpose(2, 3, 1, 0)), "groups": groups,
        "kernel_size": tuple(g.size), "stride": tuple(g.stride), "dilation": tuple(g.dilation),
        "padding": sides(g.before, g.after), "output_padding": tuple(g.extra),
    }  # fmt: skip
    state.add_weighted(lambda biases: ConvTranspose2d(isbias=biases is not None, bias=biases, **options), b)


@handles("Gemm")
def _gemm(state: Chain, node: Node) -> None:
    a = node.attributes
    w, b = state.array(node, 1), state.array(node, 2)
    require(len(state.shape) == 2 and w is not None and a.get("alpha", 1) == a.get("beta", 1) == 1)
    require(not a.get("transA", 0) and node.inputs[0] == state.name)
    _dense(state, w.T if a.get("transB", 0) else w, b)  # type: ignore[union-attr, arg-type]


@handles("MatMul")
def _matmul(state: Chain, node: Node) -> None:
    w = state.array(node, 1)
    require(len(state.shape) == 2 and w is not None and w.ndim == 2)
    _dense(state, w, None)  # type: ignore[arg-type]


def _dense(state: Chain, w: Array, b: Array | None) -> None:
    units = w.shape[1]
    require(b is None or (b.size == units and b.shape in ((units,), (1, units))))
    weights, state.order = np.ascontiguousarray(state.ours(w)), None
    state.add_weighted(
        lambda biases: FFL(neurons=units, weights=weights, bias=biases, is_bias=biases is not None),
        None if b is None else b.reshape(-1),
    )


@handles("BatchNormalization")
def _batch_norm(state: Chain, node: Node) -> None:
    require(len(state.shape) == 2 or state.first)
    layer = BatchNorm(
        momentum=round(1 - node.attributes.get("momentum", 0.9), 7), eps=node.attributes.get("epsilon", 1e-5)
    )
    _scaled(layer, state, node)
    layer.running_mean, layer.running_var = (np.array(state.ours(array)) for array in _given(state, node, 3, 4))
    state.layers.append(layer)


@handles("LayerNormalization")
def _layer_norm(state: Chain, node: Node) -> None:
    ndim = len(state.shape)
    require(node.attributes.get("axis", -1) % ndim == ndim - 1 and not state.first)
    layer = LayerNorm(eps=node.attributes.get("epsilon", 1e-5))
    _scaled(layer, state, node)
    state.layers.append(layer)


def _given(state: Chain, node: Node, *at: int) -> list[Array]:
    """Inputs that must be there, and be vectors."""
    found = [state.array(node, place) for place in at]
    require(all(array is not None and array.ndim == 1 for array in found))
    return [array for array in found if array is not None]


def _scaled(layer: BatchNorm | LayerNorm, state: Chain, node: Node) -> None:
    weights, biases = (np.array(state.ours(array)) for array in _given(state, node, 1, 2))
    layer.weights, layer.biases = Tensor(weights, requires_grad=True), Tensor(biases, requires_grad=True)


def _activation(op: str, name: str, **needed: Any) -> None:
    """An operator that is an activation here, if its settings, or their defaults, are what is needed."""

    @handles(op)
    def apply(state: Chain, node: Node) -> None:
        require(all(node.attributes.get(key, setting) == setting for key, setting in needed.items()))
        state.activate(name)


_activation("Relu", "relu")
_activation("Sigmoid", "sigmoid")
_activation("Tanh", "tanh")
_activation("LeakyRelu", "leaky_relu", alpha=SLOPE)
_activation("Elu", "elu", alpha=1.0)
_activation("Gelu", "gelu", approximate="none")
_activation("Softplus", "softplus")
_activation("Swish", "swish", alpha=1.0)


@handles("Softmax")
def _softmax(state: Chain, node: Node) -> None:
    ndim = len(state.shape)
    require(ndim == 2 or not node.attributes.get("flat"))
    require(node.attributes.get("axis", -1) % ndim == (1 if state.first else ndim - 1))
    state.activate("softmax")
