"""Models as ONNX files."""

from __future__ import annotations

import json
import os
from typing import Any, Literal

import numpy as np

from tensorgrad.atomic_file import replacing
from tensorgrad.checks import one_of
from tensorgrad.network import Network
from tensorgrad.onnx.extra import package
from tensorgrad.onnx.forms import missing, written
from tensorgrad.onnx.graph_writer import GraphWriter, Value

OLDEST = 17  # of the opsets that are written
LAYOUTS = ("NCHW", "NHWC")
BATCH = "N"


def export(
    model: Network, path: str | os.PathLike[str], *, opset: int = 17, layout: Literal["NCHW", "NHWC"] = "NCHW"
) -> None:
    """Write a model as an ONNX file, whole or not at all, for onnxruntime and whatever else reads ONNX.

    Nodes are called like the layers, arrays like the parameters, and the batch axis is open. Dropout is left out, as
    when predicting.

    Parameters
    ----------
    model : CNN or Network
    path : path
        Of the file, such as ``model.onnx``.
    opset : int
        The version of ONNX's operators, from 17 on. The format's version is the oldest that has it.
    layout : "NCHW" or "NHWC"
        Which images the file takes and gives: channels first, as most tools expect, or last. Inside, they are first.

    Raises
    ------
    ImportError
        Without the extra "onnx".
    ValueError
        If the model has no layers, or some that have no ONNX form: with all of them. See :func:`form`.
    OSError
        If the file cannot be written: what was at `path` before is still there.
    """
    onnx = package("onnx.export")
    one_of(layout, LAYOUTS, "onnx.export", "layout")
    newest = onnx.defs.onnx_opset_version()
    if isinstance(opset, bool) or not isinstance(opset, int | np.integer) or not OLDEST <= opset <= newest:
        raise ValueError(f"onnx.export: opset must be an int from {OLDEST} to {newest}, received {opset!r}")
    if not isinstance(model, Network):
        raise TypeError(f"onnx.export: expected a model, received {type(model).__name__}")
    if not model.layers:
        raise ValueError("onnx.export: the model has no layers yet; add them first")
    if without := missing(model.layers):
        raise ValueError(
            f"onnx.export: no ONNX form is known of {', '.join(without)}; say how to write such a layer with "
            "tensorgrad.onnx.form"
        )
    if several := [part.title for layer in model.layers[:-1] for part in layer.walk() if part.outputs > 1]:
        raise ValueError(f"onnx.export: {several[0]} has several outputs, as only the last layer of a file may have")
    data = _made(onnx, model, int(opset), layout).SerializeToString()
    with replacing(path) as file:
        file.write(data)


def _made(onnx: Any, model: Network, opset: int, layout: str) -> Any:
    """The model as a protobuf, checked, with the shapes of all values inferred."""
    graph = GraphWriter(opset, model.dtype, title="transposed", path="input")
    last = layout == "NHWC"
    start = x = Value("input", model.input_shape)
    if last:
        x = graph.channels_first(x)
    for i, layer in enumerate(model.layers):
        with graph.writing(layer.name, str(i), layer.output_shape or ()):
            x = written(layer, x, graph)
    with graph.writing("in our order", "output", x.shape):
        results = [graph.channels_last(y) if last else graph.sorted(y) for y in graph.results or [x]]
        if not graph.nodes:
            results = [graph.add("Identity", x)]
        results = [graph.alike("Identity", y) if y in results[:i] else y for i, y in enumerate(results)]
    called = ["output"] if len(results) == 1 else [graph.unique(f"output{i}") for i in range(len(results))]
    nodes = _without_detours(graph.nodes, {y.name: name for y, name in zip(results, called, strict=True)})
    kind = onnx.helper.np_dtype_to_tensor_dtype(graph.dtype)
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, [BATCH, *_axes(value, last)])
        for name, value in zip(["input", *called], [start, *results], strict=True)
    ]
    arrays = [onnx.numpy_helper.from_array(array, name) for name, array in graph.arrays.items()]
    opsets = [onnx.helper.make_opsetid("", opset)]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "tensorgrad", ends[:1], ends[1:], arrays),
        opset_imports=opsets,
        ir_version=onnx.helper.find_min_ir_version_for(opsets),
        producer_name="tensorgrad",
    )
    onnx.helper.set_model_props(made, {"layout": layout} | _properties(model))
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ValueError(
            f"onnx.export: the model has no form in opset {opset}, says the onnx library; try another opset: {error}"
        ) from error
    return made


def _without_detours(nodes: list[Any], results: dict[str, str]) -> list[Any]:
    """The nodes that the results need, which get other names; a transposition there and back is left out."""
    names = dict(results)
    orders: dict[str, tuple[str, list[int]]] = {}  # of what a Transpose gives: what it takes, and its order
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        if node.op_type != "Transpose":
            continue
        (order,) = (list(attribute.ints) for attribute in node.attribute)
        source, before = orders.get(node.input[0], ("", []))
        if [before[i] for i in order if before] == list(range(len(order))) and node.output[0] not in results:
            names[node.output[0]] = source
        orders[node.output[0]] = node.input[0], order
    needed, left = set(results.values()), []
    for node in reversed(nodes):
        node.output[:] = [results.get(name, name) for name in node.output]
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            left.append(node)
    return left[::-1]


def _axes(value: Value, last: bool) -> tuple[int, ...]:
    """The axes of one sample in the file."""
    if value.is_image and not last:
        return value.shape[2], value.shape[0], value.shape[1]
    return value.shape


def _properties(model: Network) -> dict[str, str]:
    """What else the model knows of itself, as text."""
    return {"classes": json.dumps(model.classes)} if model.classes else {}
