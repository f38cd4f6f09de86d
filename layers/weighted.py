"""Layers with weights, biases and an activation: what fully connected and convolutional layers share."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Self

import numpy as np

from tensorgrad import initializers
from tensorgrad.attributes import Foreign
from tensorgrad.checks import flag, numbers, one_of
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.functional.activations import ending
from tensorgrad.kernels.bound import Bound, Live
from tensorgrad.kernels.elementwise import InPlace
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.parameters import Parametric, parameter
from tensorgrad.layers.shapes import Shape
from tensorgrad.ops.activation import in_place
from tensorgrad.random import generator
from tensorgrad.tensor import Array, Tensor, TensorLike


class Weighted(Parametric):
    """``activation(linear(x))`` with weights and, by default, biases.

    A subclass says what its linear part is, in ``affine``, and of which shape its weights are. The weights of a layer
    that knows its input are drawn when they are first asked for, as its initializer says, by the model's own generator.
    """

    groups: int = 1
    changeable = ("activation",)
    initial = ("weights", "bias", "kernel", "initializer")

    kernel = Foreign("set its weights")
    weight = Foreign("set its weights")
    bias = Foreign("set its biases")
    kernel_regularizer = Foreign("give the optimizer weight_decay=")

    def __init__(
        self,
        activation: str | None,
        isbias: bool,
        weights: TensorLike | None,
        biases: TensorLike | None,
        initializer: str | initializers.Draw | None,
    ) -> None:
        if activation is not None:
            one_of(activation, ACTIVATIONS, type(self).__name__, "activation")
        initializers.find(initializer, activation, type(self).__name__)
        said = "is_bias" if hasattr(type(self), "is_bias") else "isbias"
        if isinstance(biases, bool):
            raise TypeError(
                f"{type(self).__name__}: bias= has the values to start with, received {biases}; whether there are "
                f"biases is said by {said}={biases}"
            )
        self.activation = activation
        self.initializer = initializer
        self.isbias = flag(isbias, type(self).__name__, said)
        self._weights = None if weights is None else parameter(weights)
        self._biases = None if biases is None or not self.isbias else parameter(biases)

    @property
    def has_biases(self) -> bool:
        """Whether the layer has biases."""
        return self.isbias

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        """The linear part with the biases and, if given, an activation."""
        raise NotImplementedError

    def was_checked_for(self, x: Tensor) -> bool:
        """Whether a batch is of the shape that the layer was wired for, and of the dtype of its parameters."""
        dtype, biases = self._weights.array.dtype, self._biases
        return (
            x.array.shape[1:] == self.input_shape
            and x.array.dtype == dtype
            and (biases is None or biases.array.dtype == dtype)
        )

    def linear(self, x: Tensor) -> Tensor:
        """The part before the activation."""
        return self.affine(x, None)

    def weight_shape(self, input_shape: Shape) -> tuple[int, ...]:
        """The shape of the weights for samples of a shape; its last axis counts the layer's units."""
        raise NotImplementedError

    def units(self, weight_shape: tuple[int, ...]) -> int:
        """How many units the layer has, one bias for each."""
        return weight_shape[-1]

    def initializer_shape(self, weight_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the weights as an initializer knows it, ``(..., inputs, units)``."""
        return weight_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Apply the linear part, then the activation."""
        return self.affine(x, self.activation)

    def bind_kernel(self, x: Array, kernel: Callable[[Array, Live, Live | None, InPlace | None], Bound]) -> Bound:
        """Prepare to predict with a bound kernel that is given weights, biases and the activation."""
        parameters = [self._weights, *([] if self._biases is None else [self._biases])]
        if any(parameter.array.dtype != x.dtype for parameter in parameters):
            return Layer.bind(self, x)
        last_step, rest = ending(self.activation)
        biases = None if self._biases is None else lambda: self._biases.array
        y, steps = kernel(x, lambda: self._weights.array, biases, in_place(last_step))
        if rest is None:
            return y, steps
        known = ACTIVATIONS[str(self.activation)].in_place
        return y, [*steps, partial(known, y) if known else lambda: np.copyto(y, rest(Tensor.wrap(y)).array)]

    def with_parameters(self, weights: Array, biases: Array, activation: str | None) -> Self:
        """A layer like this one, whose parameters are the arrays that are given."""
        new = copy(self)
        vars(new).update(_weights=Tensor.wrap(weights), _biases=Tensor.wrap(biases), isbias=True, activation=activation)
        return new

    def without_activation(self) -> tuple[Self, Callable[[], object]]:
        """A layer like this one, but for the activation, and what gives it the parameters of this one again."""
        new = copy(self)
        vars(new).update(activation=None)
        return new, lambda: vars(new).update(_weights=self._weights, _biases=self._biases)

    def build(self, input_shape: Shape) -> None:
        """Draw the weights that were not given; check those that were."""
        shape = self.weight_shape(input_shape)
        initializer = initializers.find(self.initializer, self.activation, self.title)
        known = self.initializer_shape(shape)
        draw_biases: initializers.Draw = initializers.no_biases  # beside weights that were given
        if self._weights is None:
            draw, draw_biases = initializer.weights, initializer.biases
            if not callable(self.initializer):
                draw = initializers.in_groups(draw, self.groups)
            drawn = self._drawn(draw, known, known, "weights")
            self._weights = drawn if known == shape else Tensor(drawn.array.reshape(shape), requires_grad=True)
        self._check(self._weights, shape, "weights")
        units = self.units(shape)
        if self.isbias:
            if self._biases is None:
                self._biases = self._drawn(draw_biases, known, (units,), "biases")
            elif self._biases.shape == (units, 1):  # as the tutorial has them
                self._biases = parameter(self._biases.array.reshape(-1))
            self._check(self._biases, (units,), "biases")

    def _drawn(
        self, draw: initializers.Draw, weight_shape: tuple[int, ...], shape: tuple[int, ...], name: str
    ) -> Tensor:
        """A parameter from an initializer, which may be a user's function."""
        values = numbers(draw(weight_shape, generator(self.rng)), self.title, "the initializer's result")
        drawn = Tensor(values.astype(np.float32), requires_grad=True)
        self._check(drawn, shape, name)
        return drawn
