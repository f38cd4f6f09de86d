"""Activation: a nonlinearity as a layer of its own."""

from __future__ import annotations

from tensorgrad.checks import one_of
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import Shape
from tensorgrad.tensor import Array, Tensor


class Activation(Layer):
    """Apply a nonlinearity.

    Parameters
    ----------
    activation : str
        A name from ``tensorgrad.functional.ACTIVATIONS``.
    """

    activation: str
    is_elementwise = True
    changeable = ("activation",)

    def __init__(self, activation: str) -> None:
        one_of(activation, ACTIVATIONS, "Activation", "activation")
        self.activation = activation

    def infer_shape(self, input_shape: Shape) -> Shape:
        """As the input's."""
        return input_shape

    def linear(self, x: Tensor) -> Tensor:
        """The part before the activation: x itself."""
        return x

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        record = ACTIVATIONS[self.activation]
        known = record.in_place if record.last_step is None else record.last_step.in_place
        return super().bind(x) if known is None else bound.activate(x, known)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Apply the nonlinearity."""
        return ACTIVATIONS[self.activation](x)
