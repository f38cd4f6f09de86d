"""Dropout: forget a share of the inputs while training."""

from __future__ import annotations

from tensorgrad import functional
from tensorgrad.attributes import Foreign
from tensorgrad.checks import brief, is_number
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import Shape
from tensorgrad.tensor import Array, Tensor


class Dropout(Layer):
    """Set a share of the inputs to zero while training, and scale up the others; pass them all on otherwise.

    Parameters
    ----------
    prob : float, 0 <= prob < 1
        The share that is dropped.
    """

    is_elementwise = True
    changeable = ("prob",)
    p = rate = Foreign("set its prob")

    def __init__(self, prob: float = 0.5) -> None:
        if not is_number(prob) or not 0 <= prob < 1:
            raise ValueError(f"Dropout: prob is the share that is dropped, 0 <= prob < 1; received {brief(prob)}")
        self.prob = float(prob)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """As the input's."""
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Drop, if training."""
        return functional.dropout(x, self.prob, training=training, rng=self.rng)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict: the input is passed on unchanged."""
        return x, []

    def describe(self) -> str:
        """Such as ``"drops 50%"``."""
        return f"drops {self.prob:.0%}"
