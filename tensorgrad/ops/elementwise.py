"""Functions of one operand, element by element."""

from __future__ import annotations

from math import log as _ln
from math import pi
from typing import Any

import numpy as np

from tensorgrad.checks import from_scipy
from tensorgrad.engine import primitive, value
from tensorgrad.kernels import elementwise
from tensorgrad.kernels.memory import Array

__all__ = [
    "absolute",
    "arccos",
    "arcsin",
    "arctan",
    "cast",
    "clip",
    "copy",
    "cos",
    "cosh",
    "erf",
    "exp",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "times_tanh_slope",
]  # fmt: skip


@primitive
def exp(x: Array) -> Array:
    """``e^x``"""
    return np.exp(x)


exp.rules(lambda g, y, _x: g * y)


@primitive
def expm1(x: Array) -> Array:
    """``e^x - 1``, exact near 0"""
    return np.expm1(x)


expm1.rules(lambda g, y, _x: g * (y + 1))


@primitive
def log(x: Array) -> Array:
    """``ln x``"""
    return np.log(x)


log.rules(lambda g, _y, x: g / x)


@primitive
def log1p(x: Array) -> Array:
    """``ln(1 + x)``, exact near 0"""
    return np.log1p(x)


log1p.rules(lambda g, _y, x: g / (1 + x))


@primitive
def log2(x: Array) -> Array:
    """``log2(x)``"""
    return np.log2(x)


log2.rules(lambda g, _y, x: g / (x * _ln(2)))


@primitive
def log10(x: Array) -> Array:
    """``log10(x)``"""
    return np.log10(x)


log10.rules(lambda g, _y, x: g / (x * _ln(10)))


@primitive
def sqrt(x: Array) -> Array:
    """``sqrt(x)``; its gradient at 0 is infinite, or NaN where the incoming gradient is 0: 0 times infinity"""
    return np.sqrt(x)


sqrt.rules(lambda g, y, _x: g / (2 * y))


@primitive
def square(x: Array) -> Array:
    """``x^2``"""
    return x * x


square.rules(lambda g, _y, x: 2 * g * x)


@primitive
def absolute(x: Array) -> Array:
    """``|x|``; its gradient at 0 is 0"""
    return np.abs(x)


absolute.rules(lambda g, _y, x: g * np.sign(value(x)))


@primitive
def sign(x: Array) -> Array:
    """-1, 0 or 1: the sign of x; its gradient is 0 everywhere"""
    return np.sign(x)


sign.rules(None)


@primitive
def sin(x: Array) -> Array:
    """``sin x``"""
    return np.sin(x)


@primitive
def cos(x: Array) -> Array:
    """``cos x``"""
    return np.cos(x)


sin.rules(lambda g, _y, x: g * cos(x))
cos.rules(lambda g, _y, x: -g * sin(x))


@primitive
def tan(x: Array) -> Array:
    """``tan x``"""
    return np.tan(x)


tan.rules(lambda g, y, _x: g * (1 + y * y))


@primitive
def arcsin(x: Array) -> Array:
    """``arcsin x``"""
    return np.arcsin(x)


arcsin.rules(lambda g, _y, x: g / sqrt(1 - x * x))


@primitive
def arccos(x: Array) -> Array:
    """``arccos x``"""
    return np.arccos(x)


arccos.rules(lambda g, _y, x: -g / sqrt(1 - x * x))


@primitive
def arctan(x: Array) -> Array:
    """``arctan x``"""
    return np.arctan(x)


arctan.rules(lambda g, _y, x: g / (1 + x * x))


@primitive
def sinh(x: Array) -> Array:
    """``sinh x``"""
    return np.sinh(x)


@primitive
def cosh(x: Array) -> Array:
    """``cosh x``"""
    return np.cosh(x)


sinh.rules(lambda g, _y, x: g * cosh(x))
cosh.rules(lambda g, _y, x: g * sinh(x))


@primitive
def tanh(x: Array) -> Array:
    """``tanh x``"""
    return np.tanh(x)


@primitive
def times_tanh_slope(x: Array, y: Any) -> Array:
    """``x (1 - y^2)``, which is x times the slope of a tanh whose result is y"""
    return elementwise.times_tanh_slope(x, y)


tanh.rules(lambda g, y, _x: times_tanh_slope(g, y))
times_tanh_slope.rules(lambda g, _z, _x, y: times_tanh_slope(g, y), lambda g, _z, x, y: g * x * (-2 * y))


@primitive
def erf(x: Array) -> Any:
    """``2 / sqrt(pi)`` times the integral of ``e^(-t^2)`` from 0 to x"""
    return from_scipy("special", "erf").erf(x)


erf.rules(lambda g, _y, x: g * exp(-x * x) * (2 / pi**0.5))


@primitive
def clip(x: Array, *, low: float | None, high: float | None) -> Array:
    """x, but at least low and at most high; a bound lets the gradient pass, what is beyond it does not"""
    return np.clip(x, low, high)


clip.rules(lambda g, y, x, *, low, high: g * (value(x) == value(y)))


@primitive
def cast(x: Array, *, dtype: Any) -> Array:
    """x in another dtype"""
    return x.astype(dtype)


cast.rules(lambda g, _y, _x, *, dtype: g)  # the engine gives every gradient its input's dtype


@primitive
def copy(x: Array) -> Array:
    """x in memory of its own"""
    return x.copy()


copy.rules(lambda g, _y, _x: g)
