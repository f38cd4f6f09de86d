"""BatchNorm and LayerNorm: standardize the input, then scale and shift it by parameters."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import numpy as np

from tensorgrad import functional
from tensorgrad.attributes import Foreign
from tensorgrad.checks import brief, epsilon, flag, is_number
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.parameters import Parametric, parameter
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, as_tuple
from tensorgrad.tensor import Array, Tensor


class _Norm(Parametric):
    """A scale and a shift for each number along the last axis."""

    changeable: ClassVar[tuple[str, ...]] = ("eps",)

    eps: float

    weight = gamma = Foreign("set its weights")
    bias = beta = Foreign("set its biases")

    def infer_shape(self, input_shape: Shape) -> Shape:
        """As the input's."""
        return input_shape

    def build(self, input_shape: Shape) -> None:
        """Start with the scale 1 and the shift 0, or check those of a saved model."""
        shape = as_tuple(input_shape)[-1:]
        if self._weights is None:
            self._weights = parameter(np.ones(shape, np.float32))
        if self._biases is None:
            self._biases = parameter(np.zeros(shape, np.float32))
        self._check(self._weights, shape, "weights")
        self._check(self._biases, shape, "biases")


class BatchNorm(_Norm):
    """Give each channel mean 0 and variance 1 over the batch, then scale and shift (Ioffe & Szegedy 2015).

    While training it uses the batch's own mean and variance, and mixes them into running ones; when predicting it
    uses the running ones.

    Parameters
    ----------
    momentum : float, 0 < momentum <= 1
        The share of the new statistics in the running ones, as PyTorch has it (Keras's is 1 minus that).
    eps : float
        Added to the variance.
    synchronized : bool
        Whether several processes, or ranks of MPI, that train together take the mean and the variance over the whole
        batch, so that they train as one does; otherwise each takes those of its part. Costs two exchanges a step.
    """

    changeable = ("momentum", "eps", "synchronized")

    buffers: ClassVar[tuple[str, ...]] = ("running_mean", "running_var")
    is_elementwise = True  # when predicting

    def __init__(self, momentum: float = 0.1, eps: float = 1e-5, synchronized: bool = False) -> None:
        if not (is_number(momentum) and 0 < momentum <= 1):
            raise ValueError(f"BatchNorm: momentum must lie between 0 and 1, received {brief(momentum)}")
        self.momentum = float(momentum)
        self.eps = epsilon(eps, type(self).__name__)
        self.synchronized = flag(synchronized, "BatchNorm", "synchronized")

    running_mean: Array
    running_var: Array

    moving_mean = Foreign("set its running_mean")
    moving_variance = Foreign("set its running_var")

    def build(self, input_shape: Shape) -> None:
        """Start with the scale 1, the shift 0, the running mean 0 and the running variance 1."""
        super().build(input_shape)
        if not hasattr(self, "running_mean"):
            channels = as_tuple(input_shape)[-1]
            self.running_mean = np.zeros(channels, np.float32)
            self.running_var = np.ones(channels, np.float32)

    @property
    def least_batch(self) -> int:
        """Two samples if each has one value per channel, since a variance needs two values; one if it is frozen."""
        return 2 if prod(as_tuple(self.input_shape or ())[:-1]) == 1 and not self.is_fixed else 1

    @property
    def needs_whole_batch(self) -> bool:
        """If it is synchronized, unless it is frozen."""
        return self.synchronized and not self.is_fixed

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Standardize, scale and shift."""
        return self.forward_and_activate(x, training, None)

    def forward_and_activate(self, x: Tensor, training: bool, activation: str | None) -> Tensor:
        """Standardize, scale and shift, and activate in the same pass over memory."""
        return functional.batch_norm(
            x,
            self._weights,
            self._biases,
            running_mean=self.running_mean,
            running_var=self.running_var,
            training=training,
            momentum=self.momentum,
            eps=self.eps,
            synchronized=self.synchronized,
            activation=activation,
        )

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        if not x.dtype == self._weights.array.dtype == self._biases.array.dtype:
            return super().bind(x)
        return bound.batch_norm(
            x,
            lambda: self._weights.array,
            lambda: self._biases.array,
            lambda: self.running_mean,
            lambda: self.running_var,
            self.eps,
        )


class LayerNorm(_Norm):
    """Give each sample mean 0 and variance 1 over its last axis, then scale and shift (Ba et al. 2016).

    Parameters
    ----------
    eps : float
        Added to the variance.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = epsilon(eps, type(self).__name__)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Standardize, scale and shift."""
        return functional.layer_norm(x, self._weights, self._biases, eps=self.eps)

    def see(self, field: Field) -> Field:
        """Of an image, each pixel sees itself alone; of other samples, every output sees everything."""
        return field if len(as_tuple(self.input_shape or ())) == 3 else field.whole()
