"""The nonlinearities of neural networks."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from tensorgrad import ops
from tensorgrad.checks import Axis
from tensorgrad.functional.elementwise import tanh
from tensorgrad.kernels.elementwise import SLOPE
from tensorgrad.tensor import Tensor, TensorLike, as_tensor

__all__ = [
    "elu", "gelu", "leaky_relu", "linear", "log_softmax", "relu", "sigmoid", "softmax", "softplus", "swish",
]  # fmt: skip


def linear(x: TensorLike) -> Tensor:
    """X itself."""
    return as_tensor(x)


def relu(x: TensorLike) -> Tensor:
    """max(x, 0); the gradient at 0 is 0."""
    return as_tensor(x).relu()


def leaky_relu(x: TensorLike, slope: float = SLOPE) -> Tensor:
    """X where x > 0, else `slope` times x, a hundredth unless told otherwise (Maas et al. 2013)."""
    return ops.leaky_relu(as_tensor(x).floating(), slope=float(slope))


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """X where x > 0, else `alpha` (e^x - 1) (Clevert et al. 2015)."""
    return ops.elu(as_tensor(x).floating(), alpha=float(alpha))


def gelu(x: TensorLike) -> Tensor:
    """X times the standard normal distribution function at x (Hendrycks & Gimpel 2016)."""
    t = as_tensor(x).floating()
    return t * (0.5 * (1 + ops.erf(t * sqrt(0.5))))


def sigmoid(x: TensorLike) -> Tensor:
    """1 / (1 + e^-x)."""
    return as_tensor(x).sigmoid()


def softplus(x: TensorLike) -> Tensor:
    """ln(1 + e^x), a smooth relu."""
    return ops.softplus(as_tensor(x).floating())


def swish(x: TensorLike) -> Tensor:
    """X sigmoid(x), also called SiLU (Ramachandran et al. 2017)."""
    t = as_tensor(x).floating()
    return t * t.sigmoid()


def softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """e^x / sum(e^x) over the axis, or axes: positive, and adding up to 1."""
    return as_tensor(x).softmax(axis)


def log_softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """The logarithm of softmax, computed without overflow."""
    return as_tensor(x).log_softmax(axis)


ACTIVATIONS: dict[str, Callable[[TensorLike], Tensor]] = {
    "relu": relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "softmax": softmax,
    "linear": linear,
    "leaky_relu": leaky_relu,
    "elu": elu,
    "gelu": gelu,
    "softplus": softplus,
    "swish": swish,
}
"""The activations that layers know by name."""
