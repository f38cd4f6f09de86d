"""ONNX files as models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from math import prod
from typing import Any, Literal

import numpy as np

from tensorgrad.checks import one_of
from tensorgrad.cnn import CNN
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import check_shape
from tensorgrad.onnx.chain import Flow, longest_end
from tensorgrad.onnx.contents import Contents, Node, read
from tensorgrad.onnx.export import LAYOUTS
from tensorgrad.onnx.extra import package
from tensorgrad.onnx.graph import RESERVED, Graph, attribute
from tensorgrad.onnx.operators.placed import CHANNELS_LAST
from tensorgrad.onnx.prepare import Prepared, order_of, prepared
from tensorgrad.onnx.versions import renewed
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.tensor import Array

MAX_SAMPLE = 2**22  # numbers that one sample may have
MANY = 64  # numbers: an array that has more is kept as an array, even if it is not trained


def load(
    path: str | os.PathLike[str],
    *,
    layout: Literal["NCHW", "NHWC"] | None = None,
    input_shape: tuple[int, ...] | int | None = None,
    outputs: Sequence[str] | None = None,
) -> CNN:
    """Make a model of an ONNX file that PyTorch, Keras or another tool has written.

    Where the file is a chain of layers that are here, branches included, the model has them. Otherwise what comes
    before the last of these is one :class:`Graph`, with the file's arrays as parameters under their names. Either can
    be trained on, frozen, inspected, saved, and exported again; further layers can be added.

    Parameters
    ----------
    path : path
    layout : "NCHW" or "NHWC", optional
        What the file's arrays of four axes are. "NCHW": images, channels first; the model takes and gives them channels
        last, as all models here. "NHWC": what the model takes and gives is as in the file. By default what a file from
        here says; of others "NHWC" if all they do first is to move the channels of their images to the front, as what
        was converted from TensorFlow does, and "NCHW" otherwise.
    input_shape : tuple of int, optional
        Of one sample, as the model takes it, where the file leaves the size of its images open.
    outputs : sequence of str, optional
        Values of the graph to give instead of the file's outputs, such as the features before its head.

    Returns
    -------
    CNN
        Its ``predict`` gives a tuple where the file has several outputs. It has to be compiled before it is trained.

    Raises
    ------
    ImportError
        Without the extra "onnx".
    OSError
        If the file cannot be read.
    tensorgrad.saving.ModelFileError
        If it is not an ONNX file, or has what is not supported here: unknown operators are listed with their nodes.
    """
    package("onnx.load")
    if layout is not None:
        one_of(layout, LAYOUTS, "onnx.load", "layout")
    given = None if input_shape is None else check_shape(input_shape, "onnx.load")
    with reading(path):
        contents = read(path)
        _choose(contents, outputs)
        renewed(contents)
        order = layout or _layout(contents)
        sample = _sample(contents, order, given)
        layers = _layers(contents, prepared(contents, sample), sample, order)
        model = CNN()
        for layer in layers:
            model.add(layer)
        _name_classes(model, contents.properties.get("classes"))
    return model


def _choose(contents: Contents, outputs: Sequence[str] | None) -> None:
    """Take other values than the file's outputs."""
    if outputs is None:
        return
    made = [name for node in contents.nodes for name in node.outputs]
    if isinstance(outputs, str) or not outputs or any(name not in made for name in outputs):
        raise ModelFileError(
            f"outputs must be a list of names that its nodes give, such as {made[-3:]}; got {outputs!r}"
        )
    contents.results = list(outputs)


def _name_classes(model: CNN, names: str | None) -> None:
    """Give a model the names of its classes, if the file has as many as the model has outputs."""
    import json

    with suppress(ValueError, TypeError, RecursionError):
        if names is not None:
            model.classes = json.loads(names)


def _layout(contents: Contents) -> str:
    """What a file says of its arrays of four axes, or shows by what it does with its input."""
    said = contents.properties.get("layout")
    if said in LAYOUTS:
        return said
    name = contents.source
    while True:
        readers = [node for node in contents.nodes if name in node.inputs]
        if len(readers) == 1 and readers[0].op in ("Add", "Cast", "Div", "Identity", "Mul", "Sub"):
            name = readers[0].outputs[0]
            continue
        to_the_front = [
            node.op == "Transpose" and list(node.attributes.get("perm", ())) == [0, 3, 1, 2] for node in readers
        ]
        return "NHWC" if readers and all(to_the_front) else "NCHW"


def _axes(ndim: int, layout: str) -> tuple[int, ...]:
    """Which axis of the file stands at each place of an array that the model takes or gives."""
    return CHANNELS_LAST[4] if ndim == 4 and layout == "NCHW" else tuple(range(ndim))


def _sample(contents: Contents, layout: str, given: Any) -> tuple[int, ...]:
    """The shape of one sample, in the file's order."""
    sizes: list[int | None] = list(contents.sizes)
    if given is not None:
        shape = (given,) if isinstance(given, int) else given
        if len(shape) != len(sizes) - 1:
            raise ModelFileError(f"input_shape {given} has {len(shape)} axes, but its samples have {len(sizes) - 1}")
        axes = _axes(len(sizes), layout)
        for size, axis in zip(shape, axes[1:], strict=True):
            if sizes[axis] not in (None, size):
                raise ModelFileError(f"input_shape {given} does not go with its input, {contents.sizes} as in the file")
            sizes[axis] = size
    found = tuple(n for n in sizes[1:] if n is not None)
    if len(found) < len(sizes) - 1:
        raise ModelFileError(
            f"its input {contents.source[:100]!r} leaves the size of samples open, {sizes[1:]} as in the file; give "
            "input_shape=(height, width, channels)"
        )
    if prod(found) > MAX_SAMPLE:
        raise ModelFileError(f"its samples of shape {found} have more than {MAX_SAMPLE} numbers")
    return found


def _layers(contents: Contents, graph: Prepared, sample: tuple[int, ...], layout: str) -> list[Layer]:
    """Plain layers for the largest end of the graph that is made of such, and one Graph for what comes before."""
    nodes, results = graph.nodes, contents.results
    shapes = graph.shapes | {contents.source: (2, *sample)}
    outer = tuple(sample[axis - 1] for axis in _axes(len(sample) + 1, layout)[1:])
    start = len(nodes)
    layers: list[Layer] = []
    if len(results) == 1:
        flow = Flow(nodes, graph.arrays, shapes, contents.source, results[0], images_first=layout == "NCHW")
        start, layers = longest_end(flow)
    if start == 0:
        layers[0].input_shape = outer if len(outer) > 1 else outer[0]
        return layers
    if layers:
        name = nodes[start - 1].outputs[0]
        results, orders = [name], [_axes(len(shapes[name]), "NCHW")]
    else:
        orders = [_axes(len(shapes[name]), layout) for name in results]
    return [_graph(nodes[:start], contents, graph, outer, layout, results, orders), *layers]


def _graph(
    nodes: list[Node],
    contents: Contents,
    graph: Prepared,
    sample: tuple[int, ...],
    layout: str,
    results: list[str],
    axes: list[tuple[int, ...]],
) -> Graph:
    """One layer of the nodes, with its arrays."""
    used = {name for node in nodes for name in node.inputs} | set(results)
    parameters = [name for name in graph.weights if name in used]
    statistics = [
        name
        for name in used & graph.arrays.keys()
        if name not in parameters and _is_kept(name, nodes, graph.arrays[name])
    ]
    names = _fitting([*parameters, *sorted(statistics)])
    arrays = {names.get(name, name): array for name, array in graph.arrays.items() if name in used}
    for node in nodes:
        node.inputs = [names.get(name, name) for name in node.inputs]
    parameters, statistics = [names[name] for name in parameters], [names[name] for name in sorted(statistics)]
    orders = {name: order for name in parameters if (order := order_of(name, nodes, arrays[name])) is not None}
    layer = Graph(
        nodes=[vars(node) for node in nodes],
        source=contents.source,
        results=results,
        source_axes=_axes(len(sample) + 1, layout),
        result_axes=axes,
        parameters=parameters,
        statistics=statistics,
        orders=orders,
        numbers={
            name: [array.dtype.str, list(array.shape), array.ravel().tolist()]
            for name, array in arrays.items()
            if name not in parameters and name not in statistics
        },
        sample=sample,
    )
    plain = {name: tuple(range(array.ndim)) for name, array in arrays.items()} | orders
    layer.preset(
        {name: np.array(arrays[name].transpose(plain[name]), order="C") for name in (*parameters, *statistics)}
    )
    layer.input_shape = sample if len(sample) > 1 else sample[0]
    return layer


def _is_kept(name: str, nodes: list[Node], array: Array) -> bool:
    """Whether an array that is not trained is part of the state: statistics, and what is large."""
    if array.size > MANY:
        return True
    return any(node.op == "BatchNormalization" and name in node.inputs[3:] for node in nodes)


def _fitting(names: list[str]) -> dict[str, str]:
    """Names that the layer can keep arrays under: the file's, if they are not its own."""
    found: dict[str, str] = {}
    for name in names:
        fitting = name.lstrip("_") or "array"
        while attribute(fitting) in RESERVED or fitting in found.values() or (fitting != name and fitting in names):
            fitting += "'"
        found[name] = fitting
    return found
