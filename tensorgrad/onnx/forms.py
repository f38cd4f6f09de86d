"""How each layer is written in ONNX: a function per class of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from tensorgrad.engine import value
from tensorgrad.kernels.elementwise import SLOPE
from tensorgrad.kernels.lowering import Frame
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
    Sequential,
    Standardize,
    Upsample,
)
from tensorgrad.onnx.graph import Graph
from tensorgrad.onnx.graph_writer import GraphWriter, Value

Form = Callable[[Any, Value, GraphWriter], Value]
Written = TypeVar("Written", bound=Form)

FORMS: dict[type[Layer], Form] = {}


def form(kind: type[Layer]) -> Callable[[Written], Written]:
    """Say how layers of a class of yours are written in ONNX files.

    Parameters
    ----------
    kind : type
        The class. It does not count for classes that are derived from it, which may compute something else.

    Returns
    -------
    callable
        A decorator of a function that takes the layer, the :class:`Value` that goes in and the :class:`GraphWriter`,
        and returns the Value that comes out.

    Examples
    --------
    >>> import tensorgrad
    >>> from tensorgrad.layers import Layer
    >>> class Double(Layer):
    ...     def forward(self, x, training):
    ...         return 2 * x
    >>> @tensorgrad.onnx.form(Double)
    ... def double(layer, x, graph):
    ...     return graph.add("Mul", x, graph.constant("two", 2.0))
    """
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        raise TypeError(f"onnx.form: expected a class of layers, received {kind!r}")

    def keep(written: Written) -> Written:
        FORMS[kind] = written
        return written

    return keep


def missing(layers: Iterable[Layer]) -> list[str]:
    """The layers, and the activations, that have no form: by their titles."""
    parts = [part for layer in layers for part in layer.walk()]
    found = [part.title for part in parts if type(part) not in FORMS]
    for part in parts:
        if isinstance(part, Pool2d | GlobalPool) and part.kind not in ("max", "min", "average"):
            found.append(f"the pooling {part.kind!r} of {part.title}")
        if type(part) in FORMS and part.activation is not None and part.activation not in ACTIVATIONS:
            found.append(f"the activation {part.activation!r} of {part.title}")
    return found


def written(layer: Layer, x: Value, graph: GraphWriter) -> Value:
    """Write a layer, and its activation."""
    y = FORMS[type(layer)](layer, x, graph)
    return y if layer.activation is None else ACTIVATIONS[layer.activation](y, graph)


def written_part(inner: Layer, x: Value, graph: GraphWriter, part: str) -> Value:
    """Write a layer that stands inside of the one being written; `part` is its name there, such as "branches.0"."""
    with graph.writing(f"{graph.title}/{part}", f"{graph.path}.{part}", inner.output_shape or x.shape):
        return written(inner, x, graph)


# -- activations ------------------------------------------------------------------------------------------------------


def _softmax(x: Value, graph: GraphWriter) -> Value:
    return graph.alike("Softmax", x, axis=1 if x.is_image else -1)


def _gelu(x: Value, graph: GraphWriter) -> Value:
    if graph.opset >= 20:
        return graph.alike("Gelu", x)
    half = graph.alike("Mul", x, graph.constant("half", 0.5))
    bell = graph.alike("Erf", graph.alike("Mul", x, graph.constant("root_half", 0.5**0.5)))
    return graph.alike("Mul", half, graph.alike("Add", bell, graph.constant("one", 1.0)))


def _swish(x: Value, graph: GraphWriter) -> Value:
    return graph.alike("Mul", x, graph.alike("Sigmoid", x))


def _node(op: str, **attributes: Any) -> Callable[[Value, GraphWriter], Value]:
    """One node that works number by number."""
    return lambda x, graph: graph.alike(op, x, **attributes)


ACTIVATIONS: dict[str, Callable[[Value, GraphWriter], Value]] = {
    "relu": _node("Relu"),
    "sigmoid": _node("Sigmoid"),
    "tanh": _node("Tanh"),
    "softmax": _softmax,
    "linear": lambda x, graph: x,
    "leaky_relu": _node("LeakyRelu", alpha=SLOPE),
    "elu": _node("Elu", alpha=1.0),
    "gelu": _gelu,
    "softplus": _node("Softplus"),
    "swish": _swish,
}


# -- layers with weights ----------------------------------------------------------------------------------------------


def pads(frame: Frame) -> list[int]:
    """A frame as ONNX has it: all that comes before the image, then all that comes after."""
    (top, bottom), (left, right) = frame
    return [top, left, bottom, right]


@form(Conv2d)
def _conv2d(layer: Conv2d, x: Value, graph: GraphWriter) -> Value:
    around = pads(layer.frame)
    if layer.padding == "same":
        frame = graph.constant("frame", np.array([0, 0, 1, 1, 0, 0, 1, 1]))
        rows, columns, channels = x.shape
        x, around = graph.add("Pad", x, frame, shape=(rows + 2, columns + 2, channels), mode="edge"), [0] * 4
    weights = graph.constant("weights", value(layer.weights).transpose(3, 2, 0, 1))
    biases = [] if layer.biases is None else [graph.constant("biases", layer.biases)]
    return graph.add(
        "Conv", x, weights, *biases, kernel_shape=layer.kernel_size, strides=layer.stride, pads=around,
        dilations=layer.dilation, group=layer.groups,
    )  # fmt: skip


@form(FFL)
def _ffl(layer: FFL, x: Value, graph: GraphWriter) -> Value:
    weights = value(layer.weights)
    rows = graph.constant("weights", weights if x.order is None else weights[x.order])
    biases = [] if layer.biases is None else [graph.constant("biases", layer.biases)]
    return graph.add("Gemm", x, rows, *biases)


@form(BatchNorm)
def _batch_norm(layer: BatchNorm, x: Value, graph: GraphWriter) -> Value:
    """Its channels are ONNX's axis 1: of samples with two axes that takes a transposition there and back."""
    names = ("weights", "biases", "running_mean", "running_var")
    arrays = [graph.constant(name, _channels(x, getattr(layer, name))) for name in names]
    options: dict[str, Any] = {"epsilon": layer.eps, "momentum": 1 - layer.momentum}
    if len(x.shape) in (1, 3):
        return graph.alike("BatchNormalization", x, *arrays, **options)
    there = [0, len(x.shape), *range(1, len(x.shape))]
    y = graph.add("Transpose", x, perm=there)
    y = graph.add("BatchNormalization", y, *arrays, **options)
    return graph.add("Transpose", y, perm=np.argsort(there).tolist())


def _channels(x: Value, numbers: Any) -> Any:
    array = np.asarray(getattr(numbers, "array", numbers))
    return array if x.order is None else array[x.order]


@form(LayerNorm)
def _layer_norm(layer: LayerNorm, x: Value, graph: GraphWriter) -> Value:
    """It is over the last axis, which images in the graph have at the front."""
    names = [graph.constant(name, _channels(x, getattr(layer, name))) for name in ("weights", "biases")]
    order = x.order
    if x.is_image:
        x = graph.channels_last(x)
    y = graph.add("LayerNormalization", x, *names, order=order, axis=-1, epsilon=layer.eps)
    return graph.channels_first(y)


# -- layers without weights -------------------------------------------------------------------------------------------


@form(Activation)
def _activation(layer: Activation, x: Value, graph: GraphWriter) -> Value:
    return x  # `written` adds it


@form(Dropout)
def _dropout(layer: Dropout, x: Value, graph: GraphWriter) -> Value:
    return x


@form(Flatten)
def _flatten(layer: Flatten, x: Value, graph: GraphWriter) -> Value:
    return graph.flat(x)


@form(Upsample)
def _upsample(layer: Upsample, x: Value, graph: GraphWriter) -> Value:
    scales = graph.constant("scales", np.array([1, 1, *layer.kernel_size], np.float32), exact=True)
    return graph.add(
        "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


@form(Pool2d)
def _pool2d(layer: Pool2d, x: Value, graph: GraphWriter) -> Value:
    options: dict[str, Any] = {"kernel_shape": layer.kernel_size, "strides": layer.stride, "pads": pads(layer.frame)}
    return pooled(layer.kind, x, graph, options)


def pooled(kind: str, x: Value, graph: GraphWriter, options: dict[str, Any]) -> Value:
    """Write the pooling of a kind; the smallest of each window is ``-max(-x)``."""
    if kind == "average":
        return graph.add("AveragePool", x, count_include_pad=0, **options)
    if kind == "max":
        return graph.add("MaxPool", x, **options)
    return graph.add("Neg", graph.add("MaxPool", graph.alike("Neg", x), **options))


@form(GlobalPool)
def _global_pool(layer: GlobalPool, x: Value, graph: GraphWriter) -> Value:
    op = {"average": "ReduceMean", "max": "ReduceMax"}[layer.kind]
    return graph.reduced(op, x, (2, 3), False)


@form(Rescale)
def _rescale(layer: Rescale, x: Value, graph: GraphWriter) -> Value:
    y = graph.alike("Mul", x, graph.constant("scale", graph.per_channel(x, layer.scale)))
    if not np.any(layer.offset):
        return y
    return graph.alike("Add", y, graph.constant("offset", graph.per_channel(x, layer.offset)))


@form(Standardize)
def _standardize(layer: Standardize, x: Value, graph: GraphWriter) -> Value:
    """``(x - mean) / (std + (std == 0))``, each sample by itself."""

    def mean(value: Value) -> Value:
        return graph.reduced("ReduceMean", value, tuple(range(1, len(x.shape) + 1)), True)

    centred = graph.alike("Sub", x, mean(x))
    again = graph.alike("Sub", centred, mean(centred))  # as the standard deviation of what was centred has it
    deviation = graph.alike("Sqrt", mean(graph.alike("Mul", again, again)))
    zero = graph.alike("Equal", deviation, graph.constant("zero", 0.0))
    one = graph.constant("one", 1.0)
    spread = graph.add("Where", zero, one, deviation, shape=deviation.shape)
    return graph.alike("Div", centred, spread)


# -- layers made of layers --------------------------------------------------------------------------------------------


@form(Sequential)
def _sequential(layer: Sequential, x: Value, graph: GraphWriter) -> Value:
    for part, inner in layer.named_inner_layers():
        x = written_part(inner, x, graph, part)
    return x


@form(Graph)
def _graph(layer: Graph, x: Value, graph: GraphWriter) -> Value:
    """The nodes as they were, around them what its images need. Several outputs are those of the file."""
    as_in_file = layer.source_axes == tuple(range(len(layer.source_axes)))
    x = graph.channels_last(x) if as_in_file else x
    names = {"": "", layer.source: x.name}
    for node in layer.nodes:
        for name in node["inputs"]:
            if name not in names:
                names[name] = graph.keep(name, layer.array(name), exact=node["op"] in ("Resize", "Upsample"))
        attributes, inputs = dict(node["attributes"]), list(node["inputs"])
        if node["op"].startswith("Reduce") and node["op"] != "ReduceSum" and graph.opset < 18 and len(inputs) > 1:
            attributes["axes"] = [int(axis) for axis in layer.array(inputs.pop())]
        if node["op"] == "Split" and "outputs" in attributes:
            count = attributes.pop("outputs")
            if len(inputs) < 2 and graph.opset >= 18:
                attributes["num_outputs"] = count
        if node["op"] == "ConstantOfShape" and "to" in attributes:
            attributes["value"] = _one(attributes.pop("value"), attributes.pop("to"))
        made = graph.copy(node["op"], [names[name] for name in inputs], node["outputs"], node["name"], attributes)
        names |= dict(zip(node["outputs"], made, strict=True))
    each = zip(layer.results, layer.result_axes, layer.result_shapes, strict=True)
    results = [(Value(names[name], shape), axes == tuple(range(len(axes)))) for name, axes, shape in each]
    first, *others = [graph.channels_first(y) if is_last else y for y, is_last in results]
    graph.results = [first, *others] if others else []
    return first


def _one(number: Any, kind: int) -> Any:
    from onnx import helper

    return helper.make_tensor("value", kind, (1,), [number])
