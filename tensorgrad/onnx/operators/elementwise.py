"""Operators that work number by number: they take arrays as they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functional as F
from tensorgrad.engine import value
from tensorgrad.onnx.operators.placed import OPERATORS, Attributes, Placed, aligned, operator, scalar
from tensorgrad.tensor import Tensor

NUMBER_BY_NUMBER = {"Cast", "Clip"}
"""The operators of which each number of the result depends on one number of each input."""


def one(name: str, f: Callable[..., Any]) -> None:
    """An operator of one input: ``f(a, x)``, with the attributes."""
    OPERATORS[name] = lambda a, x: x.like(_tensor(f(a, x.array)))
    NUMBER_BY_NUMBER.add(name)


def several(name: str, f: Callable[..., Any]) -> None:
    """An operator of inputs that broadcast: ``f(a, *inputs)``."""

    def apply(a: Attributes, *inputs: Placed) -> Placed:
        arrays, axes = aligned(*inputs)
        return Placed(_tensor(f(a, *arrays)), axes)

    OPERATORS[name] = apply
    NUMBER_BY_NUMBER.add(name)


def _tensor(result: Any) -> Tensor:
    return result if isinstance(result, Tensor) else Tensor.wrap(np.asarray(result))


for _name, _f in {
    "Abs": F.abs, "Acos": F.arccos, "Asin": F.arcsin, "Atan": F.arctan, "Cos": F.cos, "Cosh": F.cosh, "Erf": F.erf,
    "Exp": F.exp, "Log": F.log, "Relu": F.relu, "Sigmoid": F.sigmoid, "Sign": F.sign, "Sin": F.sin, "Sinh": F.sinh,
    "Softplus": F.softplus, "Sqrt": F.sqrt, "Tan": F.tan, "Tanh": F.tanh, "IsNaN": np.isnan, "Not": np.logical_not,
    "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint, "Neg": lambda x: -x, "Reciprocal": lambda x: 1 / x,
    "Softsign": lambda x: x / (1 + F.abs(x)), "Mish": lambda x: x * F.tanh(F.softplus(x)), "Identity": lambda x: x,
    "HardSwish": lambda x: x * (x / 6 + 0.5).clip(0.0, 1.0), "Acosh": lambda x: F.log(x + F.sqrt(x * x - 1)),
    "Asinh": lambda x: F.log(x + F.sqrt(x * x + 1)), "Atanh": lambda x: 0.5 * F.log((1 + x) / (1 - x)),
    "BitwiseNot": lambda x: np.invert(value(x)),
}.items():  # fmt: skip
    one(_name, lambda a, x, f=_f: f(x))

for _name, _f in {
    "Add": lambda x, y: x + y, "Sub": lambda x, y: x - y, "Mul": lambda x, y: x * y, "And": np.logical_and,
    "Or": np.logical_or, "Xor": np.logical_xor, "Equal": lambda x, y: x == y, "Greater": lambda x, y: x > y,
    "Less": lambda x, y: x < y, "GreaterOrEqual": lambda x, y: x >= y, "LessOrEqual": lambda x, y: x <= y,
    "PRelu": lambda x, slope: F.where(x > 0, x, slope * x), "Where": F.where,
    "BitwiseAnd": lambda x, y: np.bitwise_and(value(x), value(y)),
    "BitwiseOr": lambda x, y: np.bitwise_or(value(x), value(y)),
    "BitwiseXor": lambda x, y: np.bitwise_xor(value(x), value(y)),
    "Div": lambda x, y: x / y if x.dtype.kind == "f" else np.trunc(value(x) / value(y)).astype(x.dtype),
    "Pow": lambda x, y: (x**y).astype(x.dtype),
}.items():  # fmt: skip
    several(_name, lambda a, *xs, f=_f: f(*xs))


def folded(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """A function of two as one of any number."""

    def fold(a: Attributes, first: Any, *rest: Any) -> Any:
        for x in rest:
            first = f(first, x)
        return first

    return fold


several("Max", folded(F.maximum))
several("Min", folded(F.minimum))
several("Sum", folded(lambda x, y: x + y))
several("Mean", lambda a, *xs: folded(lambda x, y: x + y)(a, *xs) / len(xs))


def mod(a: Attributes, x: Any, y: Any) -> Any:
    """The rest of a division, of the divisor's sign; of the dividend's with `fmod`."""
    return (np.fmod if a.get("fmod", 0) else np.mod)(value(x), value(y))


several("Mod", mod)


def celu(a: Attributes, x: Any) -> Any:
    """``max(x, 0) + min(0, alpha (e^(x / alpha) - 1))``."""
    alpha = a.get("alpha", 1.0)
    return F.relu(x) + F.minimum(0.0, alpha * F.expm1(x / alpha))


def gelu(a: Attributes, x: Any) -> Any:
    """X times the normal distribution function, or its approximation by tanh."""
    if a.get("approximate", "none") == "tanh":
        return 0.5 * x * (1 + F.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
    return F.gelu(x)


def is_inf(a: Attributes, x: Any) -> Any:
    """Whether a number is infinite, on the sides that count."""
    up, down = np.isposinf(value(x)), np.isneginf(value(x))
    return (up & bool(a.get("detect_positive", 1))) | (down & bool(a.get("detect_negative", 1)))


def shrink(a: Attributes, x: Any) -> Any:
    """Towards 0 by `bias`, and 0 between -lambd and lambd."""
    bound, bias = a.get("lambd", 0.5), a.get("bias", 0.0)
    return F.where(x < -bound, x + bias, F.where(x > bound, x - bias, 0.0))


one("Celu", celu)
one("Gelu", gelu)
one("IsInf", is_inf)
one("Shrink", shrink)
one("Elu", lambda a, x: F.elu(x, a.get("alpha", 1.0)))
one("LeakyRelu", lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)))
one(
    "Selu", lambda a, x: a.get("gamma", 1.05070102214813232421875) * F.elu(x, a.get("alpha", 1.67326319217681884765625))
)
one("ThresholdedRelu", lambda a, x: F.where(x > a.get("alpha", 1.0), x, 0.0))
one("HardSigmoid", lambda a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clip(0.0, 1.0))
one("Swish", lambda a, x: x * F.sigmoid(a.get("alpha", 1.0) * x))


@operator
def Clip(a: Attributes, x: Placed, low: Placed | None = None, high: Placed | None = None) -> Placed:
    """Between two bounds; if they contradict, the upper one wins."""
    lower, upper = scalar(low), scalar(high)
    if lower is not None and upper is not None and lower > upper:
        lower = upper
    return x.like(x.array.clip(lower, upper))


@operator
def Cast(a: Attributes, x: Placed) -> Placed:
    """In another dtype, that of ONNX's number `to`."""
    wanted = DTYPES.get(a["to"])
    if wanted is None:
        raise ValueError(f"Cast: to the type number {a['to']}; known are {sorted(DTYPES)}")
    return x if x.array.dtype == wanted else x.like(x.array.astype(wanted))


DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("f4"), 2: np.dtype("u1"), 3: np.dtype("i1"), 4: np.dtype("u2"), 5: np.dtype("i2"), 6: np.dtype("i4"),
    7: np.dtype("i8"), 9: np.dtype("?"), 10: np.dtype("f2"), 11: np.dtype("f8"), 12: np.dtype("u4"), 13: np.dtype("u8"),
}  # fmt: skip
"""NumPy's dtypes by ONNX's numbers of them, of those that NumPy has."""


@operator
def CastLike(a: Attributes, x: Placed, like: Placed) -> Placed:
    """In the dtype of another."""
    return x.like(x.array.astype(like.array.dtype))


@operator
def Dropout(a: Attributes, x: Placed, ratio: Placed | None = None, training: Placed | None = None) -> Any:
    """While training, forget a share; what was kept comes second."""
    active = bool(scalar(training, 0)) if "training" not in a else a["training"]
    y = F.dropout(x.array, float(scalar(ratio, 0.5)), training=active, rng=a.get("rng"))
    return x.like(y), Placed(np.ones(x.shape, bool))
