"""Arithmetic on two operands, with broadcasting. The engine undoes the broadcasting; no rule has to."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive, value
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.elementwise import log

__all__ = ["add", "div", "maximum", "minimum", "mul", "neg", "power", "remainder", "sub", "where"]


@primitive
def add(x: Array, y: Any) -> Any:
    """``x + y``"""
    return x + y


add.rules(lambda g, _z, _x, _y: g, lambda g, _z, _x, _y: g)


@primitive
def sub(x: Array, y: Any) -> Any:
    """``x - y``"""
    return x - y


sub.rules(lambda g, _z, _x, _y: g, lambda g, _z, _x, _y: -g)


@primitive
def mul(x: Array, y: Any) -> Any:
    """``x y``"""
    return x * y


mul.rules(lambda g, _z, _x, y: g * y, lambda g, _z, x, _y: g * x)


@primitive
def div(x: Array, y: Any) -> Any:
    """``x / y``"""
    return x / y


div.rules(lambda g, _z, _x, y: g / y, lambda g, z, _x, y: -g * z / y)


@primitive
def where(condition: Array, x: Any, y: Any) -> Any:
    """x where the condition holds, else y"""
    return np.where(condition, x, y)


where.rules(
    None,
    lambda g, _z, condition, _x, _y: where(condition, g, 0.0),
    lambda g, _z, condition, _x, _y: where(condition, 0.0, g),
)


@primitive
def power(x: Array, y: Any) -> Any:
    """``x^y``"""
    return x**y


power.rules(
    lambda g, _z, x, y: g * (y * _slope_base(x, y) ** (y - 1)),
    lambda g, z, x, _y: g * z * log(where(value(x) > 0, x, 1.0)),
)


def _slope_base(x: Any, y: Any) -> Any:
    """x, but 1 where both are 0: the factor y is then 0 anyway, and 0 ** -1 would make it NaN."""
    zero = value(y) == 0
    return where(zero & (value(x) == 0), 1.0, x) if np.any(zero) else x


@primitive
def remainder(x: Array, y: Any) -> Any:
    """``x - y floor(x / y)``, of the sign of y; its jumps have no gradient"""
    return np.remainder(x, y)


remainder.rules(lambda g, _z, _x, _y: g, lambda g, _z, x, y: -g * np.floor_divide(value(x), value(y)))


@primitive
def neg(x: Array) -> Array:
    """``-x``"""
    return -x


neg.rules(lambda g, _y, _x: -g)


@primitive
def maximum(x: Array, y: Any) -> Any:
    """``max(x, y)``; where both are equal, each takes half of the gradient"""
    return np.maximum(x, y)


@primitive
def minimum(x: Array, y: Any) -> Any:
    """``min(x, y)``; where both are equal, each takes half of the gradient"""
    return np.minimum(x, y)


def _wins(winner: Any, loser: Any, dtype: Any) -> Any:
    """1 where winner > loser, 1/2 where they are equal, 0 elsewhere."""
    return np.where(value(winner) > value(loser), 1.0, np.where(value(winner) == value(loser), 0.5, 0.0)).astype(dtype)


maximum.rules(
    lambda g, _z, x, y: g * _wins(x, y, g.dtype),
    lambda g, _z, x, y: g * _wins(y, x, g.dtype),
)
minimum.rules(
    lambda g, _z, x, y: g * _wins(y, x, g.dtype),
    lambda g, _z, x, y: g * _wins(x, y, g.dtype),
)
