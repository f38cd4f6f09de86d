"""Sums, products and extremes over axes. ``axis`` is a tuple of non-negative ints: the wrappers see to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive, value
from tensorgrad.kernels import channels
from tensorgrad.kernels.half import in_float32
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.arithmetic import where
from tensorgrad.ops.shaping import broadcast_to, flip, reshape, transpose

__all__ = ["cumsum", "largest", "norm", "product", "smallest", "total"]

Axes = tuple[int, ...]


def keep(g: Any, shape: tuple[int, ...], axis: Axes) -> Any:
    """Give a reduced array its reduced axes back, with length 1."""
    return reshape(g, shape=tuple(1 if i in axis else n for i, n in enumerate(shape)))


def _spread(g: Any, shape: tuple[int, ...], axis: Axes) -> Any:
    """Repeat a reduced array along the axes that were reduced."""
    return broadcast_to(keep(g, shape, axis), shape=shape)


@primitive
def total(x: Array, *, axis: Axes, keepdims: bool) -> Any:
    """sum of x over the axes"""
    if x.dtype.char == "e":
        return x.sum(axis=axis, keepdims=keepdims, dtype=np.float32).astype(x.dtype)
    between = axis and axis == tuple(range(axis[0], x.ndim - 1))
    if not between or x.dtype.char not in "fd" or not x.size or not x.flags.c_contiguous:
        return x.sum(axis=axis, keepdims=keepdims)
    sums = channels.sums_of_each(x, axis[0])
    return sums.reshape(*x.shape[: axis[0]], *[1] * len(axis), x.shape[-1]) if keepdims else sums


total.rules(lambda g, _y, _x, *, axis, keepdims: _spread(g, _x.shape, axis))


@primitive
def largest(x: Array, *, axis: Axes, keepdims: bool) -> Any:
    """largest x over the axes; equal ones share the gradient"""
    return x.max(axis=axis, keepdims=keepdims)


@primitive
def smallest(x: Array, *, axis: Axes, keepdims: bool) -> Any:
    """smallest x over the axes; equal ones share the gradient"""
    return x.min(axis=axis, keepdims=keepdims)


def _to_extreme(g: Any, y: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """Hand the gradient to the elements that equal the extreme, in equal parts."""
    array = value(x)
    hit = array == keep(value(y), array.shape, axis)
    share = hit / hit.sum(axis=axis, keepdims=True)
    return keep(g, array.shape, axis) * share.astype(g.dtype)


largest.rules(_to_extreme)
smallest.rules(_to_extreme)


@primitive
def product(x: Array, *, axis: Axes, keepdims: bool) -> Any:
    """product of x over the axes"""
    return x.prod(axis=axis, keepdims=keepdims)


def _others(g: Any, y: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    """The derivative by one factor is the product of the others: y / x, or, where x has zeros, spelled out."""
    shape = x.shape
    if (value(x) != 0).all():
        return keep(g * y, shape, axis) / x
    kept = tuple(i for i in range(len(shape)) if i not in axis)
    order = kept + axis
    outer = tuple(shape[i] for i in kept)
    count = int(np.prod([shape[i] for i in axis], dtype=int))
    factors = reshape(transpose(x, axes=order), shape=(*outer, 1, count))
    table = where(np.eye(count, dtype=bool), 1.0, factors)  # (*outer, count, count), without its own factor
    others = product(table, axis=(len(outer) + 1,), keepdims=False)
    others = reshape(others, shape=tuple(shape[i] for i in order))
    return keep(g, shape, axis) * transpose(others, axes=tuple(int(i) for i in np.argsort(order)))


product.rules(_others)


@primitive
@in_float32
def cumsum(x: Array, *, axis: int) -> Array:
    """running sum of x along the axis"""
    return x.cumsum(axis=axis)


cumsum.rules(lambda g, _y, _x, *, axis: flip(cumsum(flip(g, axis=(axis,)), axis=axis), axis=(axis,)))


@primitive
def norm(x: Array, *, axis: Axes, keepdims: bool) -> Any:
    """``sqrt(sum(x^2))`` over the axes; its gradient at 0 is 0"""
    return np.sqrt((x * x).sum(axis=axis, keepdims=keepdims))


def _unit(g: Any, y: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    length = where(value(y) == 0, 1.0, y)
    return keep(g / length, x.shape, axis) * x


norm.rules(_unit)
