"""Element by element: exponentials, trigonometry, powers, comparisons that have a gradient."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tensorgrad import ops
from tensorgrad.engine import value
from tensorgrad.tensor import Tensor, TensorLike, as_tensor
from tensorgrad.tensor.promotion import both


def exp(x: TensorLike) -> Tensor:
    """E to the power of each element."""
    return as_tensor(x).exp()


def expm1(x: TensorLike) -> Tensor:
    """E to the power of each element, minus 1, exact near 0."""
    return as_tensor(x).expm1()


def log(x: TensorLike) -> Tensor:
    """The natural logarithm of each element."""
    return as_tensor(x).log()


def log1p(x: TensorLike) -> Tensor:
    """The natural logarithm of 1 + each element, exact near 0."""
    return as_tensor(x).log1p()


def log2(x: TensorLike) -> Tensor:
    """The logarithm to base 2 of each element."""
    return as_tensor(x).log2()


def log10(x: TensorLike) -> Tensor:
    """The logarithm to base 10 of each element."""
    return as_tensor(x).log10()


def sqrt(x: TensorLike) -> Tensor:
    """The square root of each element."""
    return as_tensor(x).sqrt()


def square(x: TensorLike) -> Tensor:
    """The square of each element."""
    return as_tensor(x).square()


def abs(x: TensorLike) -> Tensor:
    """The absolute value of each element; the gradient at 0 is 0."""
    return as_tensor(x).abs()


def sign(x: TensorLike) -> Tensor:
    """-1, 0 or 1: the sign of each element; the gradient is 0 everywhere."""
    return as_tensor(x).sign()


def sin(x: TensorLike) -> Tensor:
    """The sine of each element."""
    return as_tensor(x).sin()


def cos(x: TensorLike) -> Tensor:
    """The cosine of each element."""
    return as_tensor(x).cos()


def tan(x: TensorLike) -> Tensor:
    """The tangent of each element."""
    return as_tensor(x).tan()


def arcsin(x: TensorLike) -> Tensor:
    """The angle in [-pi/2, pi/2] whose sine each element, in [-1, 1], is."""
    return as_tensor(x).arcsin()


def arccos(x: TensorLike) -> Tensor:
    """The angle in [0, pi] whose cosine each element, in [-1, 1], is."""
    return as_tensor(x).arccos()


def arctan(x: TensorLike) -> Tensor:
    """The angle in (-pi/2, pi/2) whose tangent each element is."""
    return as_tensor(x).arctan()


def sinh(x: TensorLike) -> Tensor:
    """The hyperbolic sine of each element."""
    return as_tensor(x).sinh()


def cosh(x: TensorLike) -> Tensor:
    """The hyperbolic cosine of each element."""
    return as_tensor(x).cosh()


def tanh(x: TensorLike) -> Tensor:
    """The hyperbolic tangent of each element."""
    return as_tensor(x).tanh()


def erf(x: TensorLike) -> Tensor:
    """The error function of each element: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    return as_tensor(x).erf()


def power(x: TensorLike, y: TensorLike) -> Tensor:
    """X to the power of y. By y the gradient is x^y ln x; where x is not positive it is 0."""
    return _both(ops.power, x, y)


def maximum(x: TensorLike, y: TensorLike) -> Tensor:
    """The larger of x and y, element by element; where they are equal, each takes half of the gradient."""
    return _both(ops.maximum, x, y)


def minimum(x: TensorLike, y: TensorLike) -> Tensor:
    """The smaller of x and y, element by element; where they are equal, each takes half of the gradient."""
    return _both(ops.minimum, x, y)


def clip(x: TensorLike, low: TensorLike | None = None, high: TensorLike | None = None) -> Tensor:
    """Each element, but at least `low` and at most `high`; bounds may be tensors with gradients of their own."""
    t = as_tensor(x)
    if all(bound is None or isinstance(bound, int | float) for bound in (low, high)):
        return t.clip(low, high)  # type: ignore[arg-type]
    if low is not None:
        t = maximum(t, low)
    return t if high is None else minimum(t, high)


def where(condition: TensorLike, x: TensorLike, y: TensorLike) -> Tensor:
    """X where the condition holds, y elsewhere; the three broadcast. The condition has no gradient."""
    chosen = np.array(value(condition), dtype=bool)
    return _both(partial(ops.where, chosen), x, y)


def _both(op: Callable[[Any, Any], Any], x: Any, y: Any) -> Tensor:
    result: Tensor = both(op, x if isinstance(y, Tensor) else as_tensor(x), y)
    return result
