"""What an ONNX file says, checked before anything is made of it: nodes, arrays, inputs and outputs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.onnx.extra import package
from tensorgrad.onnx.operators import OPERATORS
from tensorgrad.onnx.operators.elementwise import DTYPES
from tensorgrad.saving.container import read_bytes
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.tensor import Array

MAX_BYTES = 2**31 - 1  # of a file: protobuf has no longer ones
MAX_NODES = 20_000
MAX_AXES = 16
OLDEST_OPSET = 7
DOMAINS = ("", "ai.onnx")


@dataclass
class Node:
    """One step: an operator, what goes in and comes out by name, and settings."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"node {(self.name or (self.outputs or ['without a name'])[0])[:100]!r} ({self.op[:40]})"


@dataclass
class Contents:
    """A graph: nodes in order, arrays by name, the input with its sizes (None where open), and the outputs."""

    nodes: list[Node]
    arrays: dict[str, Array]
    source: str
    sizes: list[int | None]
    results: list[str]
    opset: int
    properties: dict[str, str]
    literals: set[str]  # arrays that stand in nodes, not among the weights


def read(path: str | os.PathLike[str]) -> Contents:
    """Read and check a file; an error for what cannot be used here, naming the node."""
    onnx = package("onnx.load")
    data = read_bytes(path, MAX_BYTES)
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception:
        raise ModelFileError("it is not an ONNX file") from None
    if not model.HasField("graph") or not model.opset_import:
        raise ModelFileError("it is not an ONNX file: it has no graph, or does not say which opset it uses")
    opset = _opset(onnx, model)
    graph = model.graph
    if not graph.node:
        raise ModelFileError("its graph is empty: it has no nodes")
    if len(graph.node) > MAX_NODES:
        raise ModelFileError(f"its graph has {len(graph.node)} nodes; at most {MAX_NODES} are read")
    if graph.sparse_initializer:
        raise ModelFileError("it has sparse arrays, which are not supported here")
    _check_supported(graph.node)
    folder = Path(os.path.realpath(path)).parent
    arrays = {tensor.name: array(onnx, tensor, folder) for tensor in graph.initializer}
    nodes: list[Node] = []
    literals: set[str] = set()
    for proto in graph.node:
        node = Node(proto.op_type, list(proto.input), list(proto.output), {}, proto.name)
        node.attributes = attributes(onnx, proto, folder, node.title)
        if node.op == "Constant":
            (arrays[node.outputs[0]],) = node.attributes.values()
            literals.add(node.outputs[0])
        else:
            nodes.append(node)
    _check_names(nodes, arrays, [value.name for value in graph.input])
    source, sizes = _input(graph.input, arrays)
    results = [value.name for value in graph.output]
    if not results:
        raise ModelFileError("its graph has no output")
    made = {name for node in nodes for name in node.outputs} | {source} | arrays.keys()
    if lost := [name for name in results if name not in made]:
        raise ModelFileError(f"nothing makes its output {lost[0][:100]!r}")
    properties = {entry.key: entry.value for entry in model.metadata_props}
    return Contents(nodes, arrays, source, sizes, results, opset, properties, literals)


def _opset(onnx: Any, model: Any) -> int:
    """The version of the operators, if it is one that is known."""
    newest, newest_ir = onnx.defs.onnx_opset_version(), max(onnx.IR_VERSION, 0)
    if model.ir_version > newest_ir:
        raise ModelFileError(
            f"it is of version {model.ir_version} of the format (IR); the installed onnx {onnx.__version__} knows up "
            f"to {newest_ir}: install a newer one"
        )
    found = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    if not found:
        raise ModelFileError("it uses none of ONNX's own operators")
    if not OLDEST_OPSET <= found[0] <= newest:
        raise ModelFileError(f"it uses opset {found[0]}; opsets {OLDEST_OPSET} to {newest} are supported")
    return int(found[0])


def _check_supported(nodes: Iterable[Any]) -> None:
    """Raise with all operators that are not supported, and the nodes that have them."""
    unknown: dict[str, list[str]] = {}
    for proto in nodes:
        if proto.domain not in DOMAINS or (proto.op_type not in OPERATORS and proto.op_type != "Constant"):
            kind = proto.op_type[:60] if proto.domain in DOMAINS else f"{proto.domain[:60]}::{proto.op_type[:60]}"
            title = proto.name or next(iter(proto.output), "without a name")
            unknown.setdefault(kind, []).append(repr(title[:60]))
    if unknown:
        each = (
            f"{kind} ({', '.join(where[:5])}{', ...' if len(where) > 5 else ''})" for kind, where in unknown.items()
        )
        raise ModelFileError(f"it has operators that are not supported here, with the nodes: {'; '.join(each)}")


def _check_names(nodes: list[Node], arrays: dict[str, Array], inputs: list[str]) -> None:
    """Each name must be made once, before it is used: then the nodes are in order."""
    known = {*arrays, *inputs, ""}
    made = {*arrays, *inputs}
    for node in nodes:
        if missing := [name for name in node.inputs if name not in known]:
            raise ModelFileError(
                f"{node.title} needs {missing[0][:100]!r}, which nothing before it makes; is a weight missing?"
            )
        for name in node.outputs:
            if name and name in made:
                raise ModelFileError(f"{node.title} makes {name[:100]!r}, which is there already")
            made.add(name)
            known.add(name)


def _input(inputs: Iterable[Any], arrays: dict[str, Array]) -> tuple[str, list[int | None]]:
    """The name and the sizes of the one input that is not an array of the file."""
    free = [value for value in inputs if value.name not in arrays]
    if len(free) != 1:
        raise ModelFileError(f"a network has one input here; it has {len(free)}: {[v.name[:60] for v in free[:5]]}")
    (value,) = free
    kind = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
        raise ModelFileError(f"its input {value.name[:100]!r} is no tensor, or of unknown rank")
    if kind.elem_type not in DTYPES or DTYPES[kind.elem_type].kind == "b":
        raise ModelFileError(f"its input {value.name[:100]!r} does not hold numbers that are supported here")
    sizes = [axis.dim_value if axis.HasField("dim_value") and axis.dim_value > 0 else None for axis in kind.shape.dim]
    if not 2 <= len(sizes) <= MAX_AXES:
        raise ModelFileError(f"its input {value.name[:100]!r} has {len(sizes)} axes; expected a batch of samples")
    return value.name, sizes


def attributes(onnx: Any, proto: Any, folder: Path | None, title: str) -> dict[str, Any]:
    """The settings of a node, as Python's numbers, strings and lists; a Constant's array."""
    found: dict[str, Any] = {}
    kinds = onnx.AttributeProto
    for entry in proto.attribute:
        match entry.type:
            case kinds.INT:
                found[entry.name] = int(entry.i)
            case kinds.FLOAT:
                found[entry.name] = _short(entry.f)
            case kinds.STRING:
                found[entry.name] = entry.s.decode("utf-8", "replace")
            case kinds.INTS:
                found[entry.name] = [int(n) for n in entry.ints]
            case kinds.FLOATS:
                found[entry.name] = [_short(n) for n in entry.floats]
            case kinds.STRINGS:
                found[entry.name] = [text.decode("utf-8", "replace") for text in entry.strings]
            case kinds.TENSOR if proto.op_type in ("Constant", "ConstantOfShape"):
                found[entry.name] = array(onnx, entry.t, folder)
            case _:
                raise ModelFileError(
                    f"{title}: its attribute {entry.name[:60]!r} is of a kind that is not supported here"
                )
    if proto.op_type == "Constant":
        if len(found) != 1 or len(proto.output) != 1:
            raise ModelFileError(f"{title}: expected one value")
        ((key, number),) = found.items()
        if not isinstance(number, np.ndarray):
            number = np.array(number, np.float32 if "float" in key else np.int64)
        return {"value": number}
    if proto.op_type == "ConstantOfShape" and "value" in found:
        number = np.asarray(found.pop("value"))
        if number.size != 1:
            raise ModelFileError(f"{title}: expected one value")
        code = next(code for code, dtype in DTYPES.items() if dtype == number.dtype)
        return {"value": number.item(), "to": code}
    if proto.op_type == "Split":
        found["outputs"] = len(proto.output)
    return found


def _short(number: float) -> float:
    """A float32 as the shortest number that it stands for: 1e-05 and not 9.999999747378752e-06."""
    return float(str(np.float32(number)))


def array(onnx: Any, tensor: Any, folder: Path | None) -> Array:
    """An array of the file, or of a file beside it. Its size is checked before anything of that size is made."""
    name, shape = tensor.name[:100], tuple(tensor.dims)
    if tensor.data_type not in DTYPES:
        kinds = onnx.TensorProto.DataType
        kind = kinds.Name(tensor.data_type) if tensor.data_type in kinds.values() else str(tensor.data_type)
        raise ModelFileError(f"the array {name!r} holds {kind}, which is not supported here")
    dtype = DTYPES[tensor.data_type]
    if len(shape) > MAX_AXES or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize > MAX_BYTES:
        raise ModelFileError(f"the array {name!r} declares the shape {shape[:8]}")
    needed = prod(shape) * dtype.itemsize
    little = dtype.newbyteorder("<")
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        data = _external(tensor, needed, folder)
    elif tensor.HasField("raw_data"):
        data = tensor.raw_data
    else:
        held = max(
            len(getattr(tensor, part))
            for part in ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
        )
        if held != prod(shape):
            raise ModelFileError(f"the array {name!r} declares the shape {shape[:8]}, but holds {held} numbers")
        return np.ascontiguousarray(onnx.numpy_helper.to_array(tensor)).reshape(shape)
    if len(data) != needed:
        raise ModelFileError(
            f"the array {name!r} declares the shape {shape[:8]} of {dtype}, but holds {len(data)} bytes"
        )
    found: Array = np.frombuffer(data, little).reshape(shape).astype(dtype)
    return found


def _external(tensor: Any, needed: int, folder: Path | None) -> bytes:
    """The bytes of an array that stand in another file: one in the model's own folder, and no other."""
    name = tensor.name[:100]
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    try:
        offset, length = int(entries.get("offset") or 0), int(entries.get("length") or needed)
    except ValueError:
        raise ModelFileError(f"the array {name!r}: where its data begins, or how long it is, is no number") from None
    if folder is None:
        raise ModelFileError(f"the array {name!r} stands in another file")
    path = Path(os.path.realpath(folder / location)) if "\0" not in location else folder
    if not location or path == folder or folder not in path.parents or Path(location).is_absolute():
        raise ModelFileError(
            f"the data of the array {name!r} stands at {location[:200]!r}, outside of the model's own folder"
        )
    if not path.is_file():
        raise ModelFileError(
            f"the data of the array {name!r} should stand in {location[:200]!r} beside the model; copy that file "
            "there too"
        )
    if offset < 0 or length != needed or path.stat().st_size < offset + length:
        raise ModelFileError(
            f"the data of the array {name!r}: {location[:200]!r} has {path.stat().st_size} bytes, but {needed} from "
            f"{offset} on are needed"
        )
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)
