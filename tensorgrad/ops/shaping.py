"""Moving elements around: every one of these is linear, and its rule is its transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive
from tensorgrad.kernels import lowering
from tensorgrad.kernels.half import in_float32
from tensorgrad.kernels.memory import Array, empty

__all__ = [
    "broadcast_to", "concatenate", "flip", "getitem", "pad", "putitem", "reshape", "take", "take_adjoint", "transpose",
]  # fmt: skip

Shape = tuple[int, ...]


@primitive
def reshape(x: Array, *, shape: Shape) -> Array:
    """the elements of x, row-major, in another shape"""
    return x.reshape(shape)


reshape.rules(lambda g, _y, _x, *, shape: reshape(g, shape=_x.shape))


@primitive
def transpose(x: Array, *, axes: Shape) -> Array:
    """x with its axes in another order"""
    return x.transpose(axes)


transpose.rules(lambda g, _y, _x, *, axes: transpose(g, axes=tuple(int(i) for i in np.argsort(axes))))


@primitive
def broadcast_to(x: Array, *, shape: Shape) -> Array:
    """x repeated along new axes and axes of length 1, without a copy"""
    return np.broadcast_to(x, shape)


broadcast_to.rules(lambda g, _y, _x, *, shape: g)  # the engine sums it over the axes that were stretched


@primitive
def concatenate(*xs: Any, axis: int) -> Array:
    """the operands one after the other along the axis"""
    first, *others = map(np.asarray, xs)
    if axis not in (-1, first.ndim - 1) or any(
        x.shape[:-1] != first.shape[:-1] or x.dtype != first.dtype for x in others
    ):
        return np.concatenate(xs, axis=axis)
    y = empty((*first.shape[:-1], sum(x.shape[-1] for x in (first, *others))), first.dtype)
    lowering.side_by_side(xs, y)
    return y


def _part(position: int, g: Any, _y: Any, *_xs: Any, axis: int) -> Any:
    start = sum(x.shape[axis] for x in _xs[:position])
    stop = start + _xs[position].shape[axis]
    return getitem(g, index=(slice(None),) * axis + (slice(start, stop),))


concatenate.rule_for_each(_part)


@primitive
def getitem(x: Array, *, index: Any) -> Any:
    """x[index]"""
    return x[index]


@primitive
@in_float32
def putitem(x: Array, *, index: Any, shape: Shape) -> Array:
    """zeros of the shape, with x added at [index]; an element that is named twice is added to twice"""
    y = np.zeros(shape, dtype=x.dtype)
    if _is_repeatable(index):
        np.add.at(y, index, x)
    else:
        y[index] = x
    return y


def _is_repeatable(index: Any) -> bool:
    """Can the index name one element twice? Only integer arrays can."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, list | np.ndarray) and np.asarray(part).dtype.kind in "iu" for part in parts)


getitem.rules(lambda g, _y, _x, *, index: putitem(g, index=index, shape=_x.shape))
putitem.rules(lambda g, _y, _x, *, index, shape: getitem(g, index=index))


@primitive
def take(x: Array, *, indices: Any, axis: int) -> Any:
    """the slices of x at the indices, a 1-d integer array, along one axis"""
    return np.take(x, indices, axis=axis)


@primitive
@in_float32
def take_adjoint(x: Array, *, indices: Any, axis: int, size: int) -> Array:
    """zeros with ``size`` slices along the axis, and slice k of x added to slice indices[k]"""
    y = np.zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]), dtype=x.dtype)
    if len(indices):
        order = np.argsort(indices, kind="stable")
        named, starts = np.unique(indices[order], return_index=True)
        y[(slice(None),) * axis + (named,)] = np.add.reduceat(np.take(x, order, axis=axis), starts, axis=axis)
    return y


take.rules(lambda g, _y, _x, *, indices, axis: take_adjoint(g, indices=indices, axis=axis, size=_x.shape[axis]))
take_adjoint.rules(lambda g, _y, _x, *, indices, axis, size: take(g, indices=indices, axis=axis))


@primitive
def pad(x: Array, *, widths: tuple[tuple[int, int], ...], constant: float) -> Array:
    """x with ``widths[i]`` constants before and after it along axis i"""
    return np.pad(x, widths, constant_values=constant) if widths else x.copy()  # NumPy refuses to pad no axes


pad.rules(lambda g, _y, _x, *, widths, constant: getitem(g, index=inside(widths, _x.shape)))


def inside(widths: tuple[tuple[int, int], ...], shape: Shape) -> tuple[slice, ...]:
    """Where an array of the shape lies in its padded self."""
    return tuple(slice(before, before + n) for (before, _), n in zip(widths, shape, strict=True))


@primitive
def flip(x: Array, *, axis: Shape) -> Array:
    """x in reverse order along the axes"""
    return np.flip(x, axis=axis)


flip.rules(lambda g, _y, _x, *, axis: flip(g, axis=axis))
