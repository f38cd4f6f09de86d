"""Element by element: exponentials, trigonometry, powers, comparisons that have a gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tensorgrad import ops
from tensorgrad.checks import check_unmasked
from tensorgrad.engine import value
from tensorgrad.functional.of_method import of_method
from tensorgrad.tensor import Tensor, TensorLike, as_tensor
from tensorgrad.tensor.numpy_protocol import implements
from tensorgrad.tensor.promotion import both

__all__ = [
    "abs", "arccos", "arcsin", "arctan", "clip", "cos", "cosh", "erf", "exp", "expm1", "log", "log1p", "log2", "log10",
    "maximum", "minimum", "power", "remainder", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "where",
]  # fmt: skip

exp = of_method(Tensor.exp, np.exp)
expm1 = of_method(Tensor.expm1, np.expm1)
log = of_method(Tensor.log, np.log)
log1p = of_method(Tensor.log1p, np.log1p)
log2 = of_method(Tensor.log2, np.log2)
log10 = of_method(Tensor.log10, np.log10)
sqrt = of_method(Tensor.sqrt, np.sqrt)
square = of_method(Tensor.square, np.square)
abs = of_method(Tensor.abs, np.absolute, np.fabs)
sign = of_method(Tensor.sign, np.sign)
sin = of_method(Tensor.sin, np.sin)
cos = of_method(Tensor.cos, np.cos)
tan = of_method(Tensor.tan, np.tan)
arcsin = of_method(Tensor.arcsin, np.arcsin)
arccos = of_method(Tensor.arccos, np.arccos)
arctan = of_method(Tensor.arctan, np.arctan)
sinh = of_method(Tensor.sinh, np.sinh)
cosh = of_method(Tensor.cosh, np.cosh)
tanh = of_method(Tensor.tanh, np.tanh)
erf = of_method(Tensor.erf)


@implements(np.power)
def power(x: TensorLike, y: TensorLike) -> Tensor:
    """`x` to the power of `y`. The gradient by y is ``x^y ln x``, and 0 where x is not positive."""
    return _both(ops.power, x, y)


@implements(np.remainder)
def remainder(x: TensorLike, y: TensorLike) -> Tensor:
    """``x - y * floor(x / y)``, which ``x % y`` gives too. Its jumps have no gradient."""
    return _both(ops.remainder, x, y)


@implements(np.maximum)
def maximum(x: TensorLike, y: TensorLike) -> Tensor:
    """The larger of x and y, element by element; where they are equal, each takes half of the gradient."""
    return _both(ops.maximum, x, y)


@implements(np.minimum)
def minimum(x: TensorLike, y: TensorLike) -> Tensor:
    """The smaller of x and y, element by element; where they are equal, each takes half of the gradient."""
    return _both(ops.minimum, x, y)


@implements(np.clip, a_min="low", a_max="high", min="low", max="high")
def clip(x: TensorLike, low: TensorLike | None = None, high: TensorLike | None = None) -> Tensor:
    """Each element, but at least `low` and at most `high`; bounds may be tensors with gradients of their own."""
    t = as_tensor(x)
    if all(bound is None or isinstance(bound, int | float) for bound in (low, high)):
        return t.clip(low, high)  # type: ignore[arg-type]
    if low is not None:
        t = maximum(t, low)
    return t if high is None else minimum(t, high)


@implements(np.where)
def where(condition: TensorLike, x: TensorLike, y: TensorLike) -> Tensor:
    """`x` where the condition holds, `y` elsewhere; the three broadcast. The condition has no gradient.

    Elements that are not chosen get the gradient 0. If they come from a function with an infinite slope, 0 times
    infinity is NaN: ``where(x > 0, sqrt(x), 0)`` has the gradient NaN at 0. Choose inside the function too:
    ``where(x > 0, sqrt(where(x > 0, x, 1)), 0)``.
    """
    check_unmasked(condition, "where", "condition")
    chosen = np.array(value(condition), dtype=bool)
    return _both(partial(ops.where, chosen), x, y)


def _both(op: Callable[[Any, Any], Any], x: Any, y: Any) -> Tensor:
    result: Tensor = both(op, x if isinstance(y, Tensor) else as_tensor(x), y)
    return result
