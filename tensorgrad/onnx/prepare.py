"""From what a file says to what is run: constants folded, shapes made plain, weights found and put in our order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tensorgrad.engine import no_grad, value
from tensorgrad.onnx.contents import Contents, Node
from tensorgrad.onnx.operators import OPERATORS, Placed
from tensorgrad.onnx.operators.placed import LARGEST, Operator
from tensorgrad.onnx.operators.trial import TRIALS, is_seeming, seeming
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.tensor import Array, Tensor

MOST = 2**28  # numbers that may be made while a file is looked at
SMALL = 2**16  # numbers that a folded array may have

# Inputs that are weights where an array of the file stands, by operator; all others are constants.
WEIGHTS: dict[str, tuple[int, ...]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (0, 1, 2), "MatMul": (0, 1), "PRelu": (1,),
    "BatchNormalization": (1, 2), "LayerNormalization": (1, 2), "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2), "RMSNormalization": (1,), "Add": (0, 1), "Sub": (0, 1), "Mul": (0, 1), "Div": (0, 1),
    "Transpose": (0,), "Reshape": (0,), "Unsqueeze": (0,), "Squeeze": (0,), "Concat": (0, 1), "Einsum": (0, 1),
    "Expand": (0,),
}  # fmt: skip
SIZED = {"Reshape": 1, "Expand": 1, "Resize": 3}  # operators that an input tells the shape of their result
PARTS = ("Concat", "Slice", "Gather", "Cast", "Split")  # of arrays of the file alone they make no weight


@dataclass
class Prepared:
    """A graph that is ready to run, with the shapes of all values for a batch of two."""

    nodes: list[Node]
    arrays: dict[str, Array]
    weights: list[str]
    shapes: dict[str, tuple[int, ...]]


def prepared(contents: Contents, sample: tuple[int, ...]) -> Prepared:
    """Make a graph ready for samples of a shape, in the file's order."""
    nodes = _without_copies(contents)
    arrays = dict(contents.arrays)
    nodes = _folded(nodes, arrays, contents.results)
    if contents.sizes[0] is not None:
        _open_batch(nodes, arrays, contents.sizes[0])
    twice, thrice = (_probe(nodes, arrays, contents.source, (n, *sample), contents) for n in (2, 3))
    nodes = _plain_shapes(nodes, arrays, twice, thrice)
    nodes = _needed(_without_casts(nodes, twice, contents.results), contents.results)
    used = {name for node in nodes for name in node.inputs} | set(contents.results)
    arrays = {name: array for name, array in arrays.items() if name in used}
    shapes = {name: x.shape for name, x in twice.items()}
    for node in nodes:
        if node.attributes.get("flat"):  # as before opset 13: over an axis and all that follow
            shape = shapes[node.inputs[0]]
            if prod(shape[node.attributes["axis"] % len(shape) + 1 :]) == 1:
                del node.attributes["flat"]
    return Prepared(nodes, arrays, _weights(nodes, arrays, contents.literals), shapes)


def _without_copies(contents: Contents) -> list[Node]:
    """The nodes without those that only give a value another name."""
    names: dict[str, str] = {}
    left = []
    for node in contents.nodes:
        node.inputs = [names.get(name, name) for name in node.inputs]
        if node.op == "Identity" and node.outputs[0] not in contents.results:
            names[node.outputs[0]] = node.inputs[0]
        else:
            left.append(node)
    return left


def _without_casts(nodes: list[Node], seen: dict[str, Seen], results: list[str]) -> list[Node]:
    """The nodes without the Casts that change nothing, of which Keras writes one beside every layer."""
    names: dict[str, str] = {}
    left = []
    for node in nodes:
        node.inputs = [names.get(name, name) for name in node.inputs]
        source = seen.get(node.inputs[0]) if node.op == "Cast" else None
        if source is not None and source.dtype == seen[node.outputs[0]].dtype and node.outputs[0] not in results:
            names[node.outputs[0]] = node.inputs[0]
        else:
            left.append(node)
    return left


def _may_be_weight(array: Array) -> bool:
    return array.dtype.kind == "f" and array.ndim > 0 and array.size > 1


def _folded(nodes: list[Node], arrays: dict[str, Array], results: list[str]) -> list[Node]:
    """Without the nodes that work on numbers of the file alone, other than weights: they are run once, here."""
    known = {name for name, array in arrays.items() if not _may_be_weight(array)} | {""}
    left = []
    for node in nodes:
        settled = known.issuperset(node.inputs) or (node.op in PARTS and all(n in arrays or not n for n in node.inputs))
        if not settled or not set(results).isdisjoint(node.outputs):
            left.append(node)
            continue
        made = _run(node, {name: Placed(arrays[name]) if name else None for name in node.inputs}, OPERATORS)
        for name, x in zip(node.outputs, made, strict=False):
            if x.array.size > SMALL:
                raise ModelFileError(f"{node.title} makes a constant of {x.array.size} numbers")
            arrays[name] = np.asarray(value(x.logical))
            known.add(name)
    return left


def _run(node: Node, values: dict[str, Any], operators: Mapping[str, Operator]) -> tuple[Any, ...]:
    """What a node makes of values; an error names the node."""
    try:
        with no_grad(), np.errstate(all="ignore"):
            made = operators[node.op](node.attributes, *[values[name] for name in node.inputs])
    except MemoryError:
        raise
    except Exception as error:
        raise ModelFileError(f"{node.title}: {type(error).__name__}: {str(error)[:500]}") from error
    return made if isinstance(made, tuple) else (made,)


def _open_batch(nodes: list[Node], arrays: dict[str, Array], batch: int) -> None:
    """Let Reshapes, Resizes and Expands that have the file's batch size in them take any."""
    for node in nodes:
        place = SIZED.get(node.op, 0)
        if len(node.inputs) > place > 0 and node.inputs[0] not in arrays and node.inputs[place] in arrays:
            wanted = arrays[node.inputs[place]].ravel().tolist()
            if wanted and wanted[0] == batch:
                wanted[0] = 1 if node.op == "Expand" else -1 if node.op == "Reshape" and -1 not in wanted else 0
                _give(node, place, wanted, arrays)


def _give(node: Node, place: int, numbers: list[int], arrays: dict[str, Array]) -> None:
    """Give a node a constant input of its own."""
    name = f"{node.outputs[0]}/{node.op}"
    while name in arrays:
        name += "'"
    arrays[name] = np.array(numbers, np.int64)
    node.inputs[place] = name
    node.attributes.pop("allowzero", None)


@dataclass
class Seen:
    """A value that was made on trial: its shape and dtype, and the numbers of one that is no image, such as a shape."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    numbers: Array | None


def _probe(
    nodes: list[Node], arrays: dict[str, Array], source: str, shape: tuple[int, ...], contents: Contents
) -> dict[str, Seen]:
    """Run everything for a batch of zeros, and note what comes out."""
    values: dict[str, Any] = {name: Placed(Tensor.wrap(array)) for name, array in arrays.items()}
    values[""] = None
    values[source] = seeming(shape)
    last = {name: i for i, node in enumerate(nodes) for name in node.inputs}
    seen = {source: Seen(shape, np.dtype(np.float32), None)}
    total = 0
    for i, node in enumerate(nodes):
        try:
            made = _run(node, values, TRIALS)
        except ModelFileError as error:
            if contents.sizes[0] is not None and contents.sizes[0] != shape[0]:
                raise ModelFileError(
                    f"its batch has the fixed size {contents.sizes[0]}, and cannot be opened: {error}; export it with "
                    "an open batch axis"
                ) from error
            raise
        for name, x in zip(node.outputs, made, strict=False):
            if name:
                values[name] = x
                small = x.array.size <= SMALL and x.array.dtype.kind in "iub"
                seen[name] = Seen(x.shape, x.array.dtype, np.asarray(value(x.logical)) if small else None)
                total += 0 if is_seeming(x) else x.array.size
        if total > MOST or any(x.array.size > LARGEST for x in made):
            raise ModelFileError(
                f"{node.title}: three samples make more than {LARGEST} numbers here, or {MOST} up to here"
            )
        for name in {name for name in (*node.inputs, *node.outputs) if name and last.get(name, i) == i}:
            values.pop(name, None)
    return seen


def _plain_shapes(
    nodes: list[Node], arrays: dict[str, Array], twice: dict[str, Seen], thrice: dict[str, Seen]
) -> list[Node]:
    """Make constants of what is worked out from shapes, where it does not depend on the batch.

    The shape of a Reshape or the sizes of a Resize may have the batch in it: -1, or 0 for "as it is", says the same.
    """
    shapely: set[str] = set()
    for node in nodes:
        known = all(name in arrays or name in shapely or not name for name in node.inputs)
        if node.op in ("Shape", "Size") or (known and any(name in shapely for name in node.inputs)):
            shapely.update(name for name in node.outputs if name)
    for name in shapely:
        numbers = twice[name].numbers
        if numbers is not None and np.array_equal(numbers, thrice[name].numbers):  # type: ignore[arg-type]
            arrays[name] = numbers
    left = [node for node in nodes if not all(name in arrays or not name for name in node.outputs)]
    for node in left:
        place = SIZED.get(node.op, 0)
        if not len(node.inputs) > place > 0 or node.inputs[place] not in shapely - arrays.keys() or node.op == "Expand":
            continue
        name = node.inputs[place]
        low, high = ([] if (n := x[name].numbers) is None else n.ravel().tolist() for x in (twice, thrice))
        changing = [i for i, (m, n) in enumerate(zip(low, high, strict=True)) if m != n]
        batch = changing == [0] and low[0] == 2 and high[0] == 3 and twice[node.inputs[0]].shape[:1] == (2,)
        if batch:
            low[0] = -1 if node.op == "Reshape" and -1 not in low else 0
            _give(node, place, low, arrays)
        elif node.op == "Reshape" and len(changing) == 1 and -1 not in low:
            low[changing[0]] = -1
            _give(node, place, low, arrays)
    return left


def _needed(nodes: list[Node], results: list[str]) -> list[Node]:
    """The nodes that the results need."""
    wanted, left = set(results), []
    for node in reversed(nodes):
        if not wanted.isdisjoint(node.outputs):
            wanted.update(node.inputs)
            left.append(node)
    return left[::-1]


def _weights(nodes: list[Node], arrays: dict[str, Array], literals: set[str]) -> list[str]:
    """The arrays that are trained: floats, wherever one stands as a weight; no constants of all equal numbers."""
    found: dict[str, None] = {}
    refused = {name for name in literals & arrays.keys() if arrays[name].size and np.ptp(arrays[name]) == 0}
    for node in nodes:
        for i, name in enumerate(node.inputs):
            if name in arrays:
                if i in WEIGHTS.get(node.op, ()) and arrays[name].dtype.kind == "f" and arrays[name].ndim:
                    found[name] = None
                else:
                    refused.add(name)
    return [name for name in found if name not in refused]


def order_of(name: str, nodes: list[Node], array: Array) -> tuple[int, ...] | None:
    """In which order of the file's axes an array is kept: that in which all its uses take it."""
    orders: set[tuple[int, ...]] = set()
    for node in nodes:
        for i, used in enumerate(node.inputs):
            if used == name:
                if node.op in ("Conv", "ConvTranspose") and i == 1 and array.ndim == 4:
                    orders.add((2, 3, 1, 0))
                elif node.op == "Gemm" and i == 1 and node.attributes.get("transB", 0):
                    orders.add((1, 0))
                else:
                    orders.add(tuple(range(array.ndim)))
    plain = tuple(range(array.ndim))
    (order,) = orders if len(orders) == 1 else (plain,)
    return None if order == plain else order
