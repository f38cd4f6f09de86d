"""The nonlinearities of neural networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tensorgrad import ops
from tensorgrad.checks import Axis, brief, one_of, real
from tensorgrad.functional.elementwise import tanh
from tensorgrad.kernels import elementwise
from tensorgrad.kernels.classes import softmax_
from tensorgrad.tensor import Tensor, TensorLike, as_tensor
from tensorgrad.vocabulary import check_new, speaks

__all__ = [
    "elu", "gelu", "leaky_relu", "linear", "log_softmax", "register_activation", "relu", "sigmoid", "softmax",
    "softplus", "swish",
]  # fmt: skip


def linear(x: TensorLike) -> Tensor:
    """The input itself."""
    return as_tensor(x)


def relu(x: TensorLike) -> Tensor:
    """The larger of x and 0, ``max(x, 0)``; the gradient at 0 is 0."""
    return as_tensor(x).relu()


def leaky_relu(x: TensorLike, slope: float = elementwise.SLOPE) -> Tensor:
    """``x where x > 0, else slope x`` (Maas et al. 2013)."""
    t, slope = as_tensor(x).floating(), real(slope, "leaky_relu", "slope")
    return ops.leaky_relu(t, slope=slope) if slope >= 0 else ops.relu(t) - slope * ops.relu(-t)


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """``x where x > 0, else alpha (e^x - 1)`` (Clevert et al. 2015)."""
    return ops.elu(as_tensor(x).floating(), alpha=real(alpha, "elu", "alpha"))


def gelu(x: TensorLike) -> Tensor:
    """The input times the standard normal distribution function at x (Hendrycks & Gimpel 2016).

    ``0.5 x (1 + erf(x / sqrt(2)))``
    """
    return ops.gelu(as_tensor(x).floating())


def sigmoid(x: TensorLike) -> Tensor:
    """``1 / (1 + e^-x)``."""
    return as_tensor(x).sigmoid()


def softplus(x: TensorLike) -> Tensor:
    """``ln(1 + e^x)``, a smooth relu."""
    return ops.softplus(as_tensor(x).floating())


def swish(x: TensorLike) -> Tensor:
    """``x sigmoid(x)``, also called SiLU (Ramachandran et al. 2017)."""
    t = as_tensor(x).floating()
    return t * t.sigmoid()


@speaks("softmax")
def softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """``e^x / sum(e^x)`` over the axis, or axes: positive, and adding up to 1."""
    return as_tensor(x).softmax(axis)


@speaks("log_softmax")
def log_softmax(x: TensorLike, axis: Axis = -1) -> Tensor:
    """The logarithm of softmax, ``x - ln sum(e^x)``, computed without overflow."""
    return as_tensor(x).log_softmax(axis)


@dataclass(frozen=True)
class Activation:
    """All there is to know about an activation, which layers, :func:`conv2d` and :func:`affine` find by its name.

    Attributes
    ----------
    name : str
    function : callable
        From a tensor to one of the same shape.
    outputs : "values", "classes" or "labels"
        "classes" if it is the softmax of its input, so that outputs are the probabilities of one class of many;
        "labels" if it is the sigmoid, so that each output is the probability of a label. Losses of such outputs are
        computed from the input, where nothing overflows.
    relu_like : bool
        Whether it cuts off one side, so that weights before it start with He's variance and not Glorot's.
    last_step : LastStep, optional
        Its primitive and its kernel, if convolutions and matrix products can apply it in the same pass over memory.
    in_place : callable, optional
        Writes it over an array, for predictors, where it is no last step.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    outputs: Literal["values", "classes", "labels"] = "values"
    relu_like: bool = False
    last_step: ops.LastStep | None = None
    in_place: elementwise.InPlace | None = None

    def __call__(self, x: TensorLike) -> Tensor:
        """Apply it."""
        return self.function(as_tensor(x))


RELU = ops.LastStep(ops.relu, elementwise.relu_, rising=True, slope=elementwise.where_positive)
SIGMOID = ops.LastStep(ops.sigmoid, elementwise.sigmoid_, slope=elementwise.times_sigmoid_slope)
TANH = ops.LastStep(ops.tanh, elementwise.tanh_, slope=elementwise.times_tanh_slope)
LEAKY_RELU = ops.LastStep(
    ops.leaky_relu,
    elementwise.leaky_relu_,
    {"slope": elementwise.SLOPE},
    rising=True,
    slope=elementwise.times_leaky_slope,
)
ACTIVATIONS = {
    record.name: record
    for record in (
        Activation("relu", relu, relu_like=True, last_step=RELU),
        Activation("sigmoid", sigmoid, "labels", last_step=SIGMOID),
        Activation("tanh", tanh, last_step=TANH),
        Activation("softmax", softmax, "classes", in_place=softmax_),
        Activation("linear", linear),
        Activation("leaky_relu", leaky_relu, relu_like=True, last_step=LEAKY_RELU),
        Activation("elu", elu, relu_like=True),
        Activation("gelu", gelu, relu_like=True),
        Activation("softplus", softplus, relu_like=True),
        Activation("swish", swish, relu_like=True),
    )
}
"""The activations that layers know by name; :func:`register_activation` adds one."""


def register_activation(
    name: str,
    function: Callable[[Tensor], Tensor],
    *,
    outputs: Literal["values", "classes", "labels"] = "values",
    relu_like: bool = False,
    last_step: ops.LastStep | None = None,
) -> Activation:
    """Register an activation under a name, for layers, :func:`conv2d`, :func:`affine` and files.

    Parameters
    ----------
    name : str
        A new name: a name never changes its meaning.
    function, outputs, relu_like, last_step
        See :class:`Activation`.

    Returns
    -------
    Activation

    Raises
    ------
    ValueError
        If there is an activation of this name, or the name is no identifier.
    TypeError
        If the function cannot be called.

    Examples
    --------
    >>> from tensorgrad.layers import FFL
    >>> softsign = register_activation("softsign", lambda x: x / (1 + abs(x)))
    >>> FFL(neurons=3, activation="softsign")([1.0, 2.0]).shape
    (3,)
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"register_activation: expected a name such as 'softsign', received {brief(name)}")
    check_new(name, "activation", "register_activation")
    if name in ACTIVATIONS:
        raise ValueError(f"register_activation: there is an activation {name!r} already; give another name")
    if not callable(function):
        raise TypeError(
            f"register_activation: expected a function from a tensor to a tensor, received {brief(function)}"
        )
    one_of(outputs, ("values", "classes", "labels"), "register_activation", "outputs")
    ACTIVATIONS[name] = Activation(name, function, outputs, relu_like, last_step)
    return ACTIVATIONS[name]


def ending(activation: str | None) -> tuple[ops.LastStep | None, Callable[[Tensor], Tensor] | None]:
    """An activation as the last step of a fused primitive, or else as the function to apply after it."""
    if activation is None:
        return None, None
    record = ACTIVATIONS[activation]
    return (None, record.function) if record.last_step is None else (record.last_step, None)
