"""The nonlinearities of neural networks that are worth a rule of their own; the others are compositions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tensorgrad.engine import Primitive, primitive
from tensorgrad.kernels import elementwise
from tensorgrad.kernels.elementwise import InPlace
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.elementwise import clip, erf, exp
from tensorgrad.ops.reduction import Axes, keep, total

__all__ = [
    "LastStep", "elu", "gelu", "leaky_relu", "log_softmax", "logsumexp", "relu", "sigmoid", "softmax", "softplus",
    "times_gelu_slope", "times_leaky_slope", "times_sigmoid_slope", "where_positive",
]  # fmt: skip

BELL = (2 * np.pi) ** -0.5  # the density of the standard normal distribution at 0


@primitive
def relu(x: Array) -> Array:
    """``max(x, 0)``; its gradient at 0 is 0"""
    return elementwise.relu(x)


@primitive
def where_positive(x: Array, y: Any) -> Array:
    """``x where y > 0, else 0``; its gradient by y is 0"""
    return elementwise.where_positive(x, y)


relu.rules(lambda g, y, _x: where_positive(g, y))
where_positive.rules(lambda g, _z, _x, y: where_positive(g, y), None)


@primitive
def leaky_relu(x: Array, *, slope: float) -> Array:
    """``x where x > 0, else slope x``; slope is not negative, so that the result has the sign of x"""
    return elementwise.leaky_relu(x, slope)


@primitive
def times_leaky_slope(x: Array, y: Any, *, slope: float) -> Array:
    """``x where y > 0, else slope x``; its gradient by y is 0"""
    return elementwise.times_leaky_slope(x, y, slope)


leaky_relu.rules(lambda g, y, _x, *, slope: times_leaky_slope(g, y, slope=slope))
times_leaky_slope.rules(lambda g, _z, _x, y, *, slope: times_leaky_slope(g, y, slope=slope), None)


@primitive
def elu(x: Array, *, alpha: float) -> Array:
    """``x where x > 0, else alpha (e^x - 1)``"""
    return elementwise.elu(x, alpha)


elu.rules(lambda g, _y, x, *, alpha: times_leaky_slope(g, x, slope=alpha) * exp(clip(x, low=None, high=0)))


@primitive
def sigmoid(x: Array) -> Array:
    """``1 / (1 + e^-x)``"""
    return elementwise.sigmoid(x)


@primitive
def times_sigmoid_slope(x: Array, y: Any) -> Array:
    """``x (y (1 - y))``, which is x times the slope of a sigmoid whose result is y"""
    return elementwise.times_sigmoid_slope(x, y)


sigmoid.rules(lambda g, y, _x: times_sigmoid_slope(g, y))
times_sigmoid_slope.rules(lambda g, _z, _x, y: times_sigmoid_slope(g, y), lambda g, _z, x, y: g * x * (1 - 2 * y))


@primitive
def softplus(x: Array) -> Array:
    """``ln(1 + e^x)``, without overflow"""
    return elementwise.softplus(x)


softplus.rules(lambda g, _y, x: g * sigmoid(x))


@primitive
def gelu(x: Array) -> Any:
    """``x Phi(x)``, where Phi is the standard normal distribution function"""
    return elementwise.gelu(x) if x.dtype == np.float32 else x * _normal(x)


@primitive
def times_gelu_slope(x: Array, y: Any) -> Any:
    """``x (Phi(y) + y e^(-y^2 / 2) / sqrt(2 pi))``, which is x times the slope of gelu at y"""
    if x.dtype == y.dtype == np.float32:
        return elementwise.times_gelu_slope(x, y)
    return x * (_normal(y) + y * np.exp(-0.5 * y * y) * BELL)


gelu.rules(lambda g, _y, x: times_gelu_slope(g, x))
times_gelu_slope.rules(
    lambda g, _z, _x, y: times_gelu_slope(g, y), lambda g, _z, x, y: g * x * exp(-0.5 * y * y) * (BELL * (2 - y * y))
)


def _normal(x: Array) -> Any:
    return 0.5 * (1 + erf(x * 0.5**0.5))


@primitive
def softmax(x: Array, *, axis: Axes) -> Any:
    """``e^x / sum(e^x)`` over the axis, or axes"""
    e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=axis, keepdims=True)


softmax.rules(lambda g, y, _x, *, axis: y * (g - total(g * y, axis=axis, keepdims=True)))


@primitive
def log_softmax(x: Array, *, axis: Axes) -> Any:
    """``x - ln sum(e^x)`` over the axis, or axes"""
    shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)) if x.size else shifted


log_softmax.rules(lambda g, y, _x, *, axis: g - exp(y) * total(g, axis=axis, keepdims=True))


@primitive
def logsumexp(x: Array, *, axis: Axes, keepdims: bool) -> Any:
    """``ln sum(e^x)`` over the axes, without overflow"""
    top = x.max(axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)  # all -inf gives -inf, and inf gives inf
    y = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return y if keepdims else y.squeeze(axis)


logsumexp.rules(lambda g, _y, x, *, axis, keepdims: keep(g, x.shape, axis) * softmax(x, axis=axis))


@dataclass(frozen=True)
class LastStep:
    """An activation that convolutions and matrix products can end with, in the same pass over memory.

    Attributes
    ----------
    primitive : Primitive
        Of one input. Its rule reads the result and not the input, of which nothing is left.
    in_place : callable
        Writes the activation of an array over the array.
    params : dict
        The primitive's metadata.
    slope : callable, optional
        The rule as a kernel ``(g, y, out=g, **params)``, which writes over the gradient; it saves memory for another.
    rising : bool
        Whether a larger number has no smaller result, to the bit, so that the largest number's is the largest.
    """

    primitive: Primitive[...]
    in_place: InPlace
    params: Mapping[str, Any] = field(default_factory=dict)
    rising: bool = False
    slope: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        rule, reads = self.primitive.rule(0)
        if rule is None or any(reads[1:]):
            raise ValueError(
                f"{self.primitive.name}: a last step needs a rule that reads the result alone, with the input named _x"
            )

    def __repr__(self) -> str:
        return self.primitive.name


def in_place(activation: LastStep | None) -> InPlace | None:
    """What a kernel needs to know of a last step."""
    return None if activation is None else activation.in_place


def activated(x: Any, activation: LastStep | None) -> Any:
    """A last step as a step of its own."""
    return x if activation is None else activation.primitive(x, **activation.params)


def before_activation(g: Any, y: Any, activation: LastStep | None) -> Any:
    """What the last step whose result is y makes of a gradient, by its primitive's own rule."""
    if activation is None:
        return g
    rule, _ = activation.primitive.rule(0)
    return rule(g, y, y, **activation.params) if rule else 0 * g  # of _x it sees the shape, which is that of y


def written_before_activation(g: Any, y: Any, *, activation: LastStep | None, **_: Any) -> bool:
    """Write the same over the gradient, if the last step has a kernel for that; return whether it has."""
    if activation is None:
        return True
    if activation.slope is None or not g.flags.writeable:
        return False
    activation.slope(g, y, out=g, **activation.params)
    return True


def parts_of(activation: LastStep | None) -> tuple[Primitive[...], ...]:
    """The primitives that a last step consists of."""
    return () if activation is None else (activation.primitive,)
