"""Operators that move numbers about, and those that ask for shapes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tensorgrad import functional as F
from tensorgrad.engine import value
from tensorgrad.onnx.operators.elementwise import DTYPES
from tensorgrad.onnx.operators.placed import (
    Attributes,
    Placed,
    bounded,
    in_file_order,
    ints,
    operator,
    raw,
    scalar,
)


@operator
def Shape(a: Attributes, x: Placed) -> Placed:
    """The sizes of the axes, or of some of them."""
    return Placed(np.array(x.shape[a.get("start", 0) : a.get("end")], np.int64))


@operator
def Size(a: Attributes, x: Placed) -> Placed:
    """How many numbers there are."""
    return Placed(np.array(x.array.size))


@operator
def ConstantOfShape(a: Attributes, shape: Placed) -> Placed:
    """One number, everywhere."""
    return Placed(np.full(bounded(tuple(ints(shape))), a.get("value", 0.0), DTYPES[a.get("to", 1)]))


@in_file_order
def Range(a: Attributes, start: Any, limit: Any, step: Any) -> Any:
    """Numbers at equal distances."""
    low, high, by = (value(x).item() for x in (start, limit, step))
    count = max(int(np.ceil((high - low) / by)), 0)
    return (low + by * np.arange(*bounded((count,)))).astype(start.dtype)


@operator
def Concat(a: Attributes, first: Placed, *rest: Placed) -> Placed:
    """One after the other along an axis."""
    leader = max((first, *rest), key=lambda x: x.array.size)
    arrays = [x.laid(leader.axes) for x in (first, *rest)]
    return leader.like(F.concatenate(arrays, leader.at(a["axis"])))


@operator
def Transpose(a: Attributes, x: Placed) -> Placed:
    """The axes in another order: they get other numbers, and the array stays."""
    order = list(a.get("perm") or reversed(range(x.ndim)))
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"perm {order} does not order {x.ndim} axes")
    return Placed(x.array, tuple(order.index(axis) for axis in x.axes))


@in_file_order
def Flatten(a: Attributes, x: Any) -> Any:
    """A matrix: the axes before one make the rows, the others the columns."""
    axis = a.get("axis", 1)
    rows = prod(x.shape[: axis + x.ndim if axis < 0 else axis])
    return x.reshape((rows, prod(x.shape) // max(rows, 1)))


@operator
def Reshape(a: Attributes, x: Placed, shape: Placed) -> Placed:
    """Another shape; 0 stands for the size that the axis had, -1 for what is left."""
    sizes, wanted = x.shape, ints(shape)
    if not a.get("allowzero", 0):
        wanted = [sizes[i] if n == 0 else n for i, n in enumerate(wanted)]
    if tuple(wanted) == sizes:
        return x
    return Placed(x.logical.reshape(tuple(wanted)))


@operator
def Squeeze(a: Attributes, x: Placed, axes: Placed | None = None) -> Placed:
    """Without some axes of size 1, or without all of them."""
    sizes = x.shape
    gone = {axis % x.ndim for axis in ints(axes)} or {i for i, n in enumerate(sizes) if n == 1}
    return x.without(x.array.squeeze(tuple(x.axes.index(axis) for axis in gone)), gone) if gone else x


@operator
def Unsqueeze(a: Attributes, x: Placed, axes: Placed) -> Placed:
    """With more axes, of size 1."""
    new = sorted(axis % (x.ndim + len(ints(axes))) for axis in ints(axes))
    left = [i for i in range(x.ndim + len(new)) if i not in new]
    array = x.array.reshape((*x.array.shape, *(1,) * len(new)))
    return Placed(array, (*(left[axis] for axis in x.axes), *new))


@in_file_order
def Expand(a: Attributes, x: Any, shape: Any) -> Any:
    """Repeated along axes of size 1."""
    wanted = tuple(int(n) for n in value(shape))
    return F.broadcast_to(x, bounded(np.broadcast_shapes(x.shape, wanted)))


@in_file_order
def Tile(a: Attributes, x: Any, repeats: Any) -> Any:
    """Repeated along each axis."""
    times = [int(n) for n in value(repeats)]
    bounded(tuple(n * t for n, t in zip(x.shape, times, strict=True)))
    return F.tile(x, times)


@operator
def Gather(a: Attributes, x: Placed, indices: Placed) -> Placed:
    """Some places along an axis."""
    index, axis = raw(indices).astype(int), a.get("axis", 0)
    bounded((*index.shape, prod(x.shape) // max(x.shape[axis], 1)))
    if index.ndim == 1:
        return x.like(F.take(x.array, index, x.at(axis)))
    return Placed(F.take(x.logical, index, axis % x.ndim))


@in_file_order
def GatherElements(a: Attributes, x: Any, indices: Any) -> Any:
    """For each place of the indices, the number at that index along an axis."""
    index = list(np.indices(indices.shape))
    index[a.get("axis", 0)] = value(indices)
    return x[tuple(index)]


@in_file_order
def GatherND(a: Attributes, x: Any, indices: Any) -> Any:
    """The parts that index vectors point to."""
    where = value(indices)
    if a.get("batch_dims", 0):
        return F.stack([x[i][tuple(np.moveaxis(where[i], -1, 0))] for i in range(len(x))])
    return x[tuple(np.moveaxis(where, -1, 0))]


@in_file_order
def ScatterElements(a: Attributes, x: Any, indices: Any, updates: Any) -> Any:
    """With other numbers at indices along an axis, or with them added, multiplied, or compared."""
    where = list(np.indices(indices.shape))
    where[a.get("axis", 0)] = value(indices)
    return _scattered(a, x, tuple(where), updates)


@in_file_order
def ScatterND(a: Attributes, x: Any, indices: Any, updates: Any) -> Any:
    """With other parts where index vectors point to."""
    return _scattered(a, x, tuple(np.moveaxis(value(indices), -1, 0)), updates)


def _scattered(a: Attributes, x: Any, where: tuple[Any, ...], updates: Any) -> Any:
    found = np.array(value(x))
    new, how = value(updates), a.get("reduction", "none")
    if how == "none":
        found[where] = new
    else:
        {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[how].at(found, where, new)
    return found


@in_file_order
def Compress(a: Attributes, x: Any, condition: Any) -> Any:
    """The places along an axis that a condition chooses."""
    return F.take(x, np.flatnonzero(value(condition)), a.get("axis"))


@in_file_order
def NonZero(a: Attributes, x: Any) -> Any:
    """Where a number is not 0."""
    return np.array(np.nonzero(value(x)))


@operator
def Slice(
    a: Attributes, x: Placed, starts: Placed, ends: Placed, axes: Placed | None = None, steps: Placed | None = None
) -> Placed:
    """From start to end, along some axes."""
    index: list[Any] = [slice(None)] * x.ndim
    count = len(ints(starts))
    along, by = ints(axes) or range(count), ints(steps) or [1] * count
    for axis, start, end, step in zip(along, ints(starts), ints(ends), by, strict=True):
        at = x.at(axis)
        size = x.array.shape[at]
        index[at] = slice(start, None if step < 0 and end < -size else end, step)
    return x.like(x.array[tuple(index)])


@operator
def Split(a: Attributes, x: Placed, sizes: Placed | None = None) -> tuple[Placed, ...]:
    """Parts along an axis, of sizes that are given or equal."""
    axis = x.at(a.get("axis", 0))
    size = x.array.shape[axis]
    lengths = ints(sizes)
    if not lengths:
        count = int(a.get("num_outputs") or a["outputs"])
        lengths = [-(-size // count)] * count
    return tuple(x.like(part) for part in F.split(x.array, np.cumsum(lengths[:-1]).tolist(), axis))


@operator
def Pad(a: Attributes, x: Placed, pads: Placed, constant: Placed | None = None, axes: Placed | None = None) -> Placed:
    """With a frame; negative widths cut off."""
    given = ints(pads)
    chosen = [axis % x.ndim for axis in ints(axes)] or list(range(x.ndim))
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        widths[x.at(axis)] = given[i], given[i + len(chosen)]
    array = x.array
    if any(min(pair) < 0 for pair in widths):
        cuts = (slice(max(-b, 0), n + min(e, 0)) for (b, e), n in zip(widths, array.shape, strict=True))
        array = array[tuple(cuts)]
        widths = [(max(b, 0), max(e, 0)) for b, e in widths]
    bounded(tuple(n + b + e for n, (b, e) in zip(array.shape, widths, strict=True)))
    mode = a.get("mode", "constant")
    if mode == "wrap":
        for axis, (before, after) in enumerate(widths):
            array = F.take(array, np.arange(-before, array.shape[axis] + after) % array.shape[axis], axis)
        return x.like(array)
    return x.like(F.pad(array, widths, mode, scalar(constant, 0.0) or 0.0))


@operator
def CenterCropPad(a: Attributes, x: Placed, shape: Placed) -> Placed:
    """Cut or padded with zeros to a size, evenly on both sides."""
    wanted = bounded(tuple(ints(shape)))
    array = x.array
    for axis, size in zip(a.get("axes") or range(x.ndim), wanted, strict=True):
        at = x.at(axis)
        missing = size - array.shape[at]
        widths = [(0, 0)] * x.ndim
        widths[at] = (max(missing, 0) // 2, max(missing, 0) - max(missing, 0) // 2)
        cut = [slice(None)] * x.ndim
        if missing < 0:
            cut[at] = slice(-missing // 2, -missing // 2 + size)
        array = F.pad(array[tuple(cut)], widths)
    return x.like(array)
