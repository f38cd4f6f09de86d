"""The ONNX forms of layers of sequences, of layers that enlarge or reshape, and of those with branches."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import value
from tensorgrad.functional.windows import transposed_sizes
from tensorgrad.layers import Add, Concatenate, Conv1d, ConvTranspose2d, Layer, Pool1d, Reshape, ZeroPadding2d
from tensorgrad.onnx.forms import form, pads, pooled, written_part
from tensorgrad.onnx.graph_writer import GraphWriter, Value


@form(ConvTranspose2d)
def _conv_transpose2d(layer: ConvTranspose2d, x: Value, graph: GraphWriter) -> Value:
    image = x.shape[0], x.shape[1]
    sizes, frame, _ = transposed_sizes(
        layer.title, image, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.output_padding
    )
    each = zip(sizes, image, layer.stride, frame, layer.dilation, layer.kernel_size, strict=True)
    extra = [size - ((n - 1) * s - sum(p) + d * (k - 1) + 1) for size, n, s, p, d, k in each]
    weights = graph.constant("weights", value(layer.weights).transpose(3, 2, 0, 1))
    biases = [] if layer.biases is None else [graph.constant("biases", layer.biases)]
    return graph.add(
        "ConvTranspose", x, weights, *biases, kernel_shape=layer.kernel_size, strides=layer.stride, pads=pads(frame),
        dilations=layer.dilation, group=layer.groups, output_padding=extra,
    )  # fmt: skip


@form(Conv1d)
def _conv1d(layer: Conv1d, x: Value, graph: GraphWriter) -> Value:
    """Between two transpositions: sequences stand in the graph as in the layers, with their channels last."""
    (before, after), _ = layer.frame_of(x.shape[0])
    weights = graph.constant("weights", value(layer.weights).transpose(2, 1, 0))
    biases = [] if layer.biases is None else [graph.constant("biases", layer.biases)]
    y = graph.add(
        "Conv", _turned(x, graph), weights, *biases, kernel_shape=[layer.kernel_size], strides=[layer.stride],
        pads=[before, after], dilations=[layer.dilation], group=layer.groups,
    )  # fmt: skip
    return _turned(y, graph)


@form(Pool1d)
def _pool1d(layer: Pool1d, x: Value, graph: GraphWriter) -> Value:
    (before, after), _ = layer.frame_of(x.shape[0])
    options: dict[str, Any] = {"kernel_shape": [layer.kernel_size], "strides": [layer.stride], "pads": [before, after]}
    return _turned(pooled(layer.kind, _turned(x, graph), graph, options), graph)


def _turned(x: Value, graph: GraphWriter) -> Value:
    """A sequence with its two axes exchanged."""
    return graph.add("Transpose", x, shape=x.shape, perm=(0, 2, 1))


@form(ZeroPadding2d)
def _zero_padding2d(layer: ZeroPadding2d, x: Value, graph: GraphWriter) -> Value:
    (top, bottom), (left, right) = layer.frame
    return graph.add("Pad", x, graph.constant("frame", np.array([0, 0, top, left, 0, 0, bottom, right])))


@form(Reshape)
def _reshape(layer: Reshape, x: Value, graph: GraphWriter) -> Value:
    """In the layers' order of numbers, which images in the graph do not have."""
    shape = graph.constant("shape", np.array([0, *graph.shape]))
    return graph.channels_first(graph.add("Reshape", graph.channels_last(x), shape))


@form(Add)
def _add(layer: Add, x: Value, graph: GraphWriter) -> Value:
    branches = _branches(layer, x, graph)
    return branches[0] if len(branches) == 1 else graph.add("Add" if len(branches) == 2 else "Sum", *branches)


@form(Concatenate)
def _concatenate(layer: Concatenate, x: Value, graph: GraphWriter) -> Value:
    """Along the channels."""
    return graph.add("Concat", *_branches(layer, x, graph), axis=1 if len(graph.shape) == 3 else -1)


def _branches(layer: Layer, x: Value, graph: GraphWriter) -> list[Value]:
    """What the layers inside of one give for its input."""
    return [graph.sorted(written_part(inner, x, graph, part)) for part, inner in layer.named_inner_layers()]
