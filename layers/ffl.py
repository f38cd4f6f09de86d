"""FFL: the fully connected (feed-forward) layer."""

from __future__ import annotations

from tensorgrad import functional
from tensorgrad.checks import whole
from tensorgrad.initializers import Draw
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.shapes import Shape, as_tuple, check_shape, phrase
from tensorgrad.layers.weighted import Weighted
from tensorgrad.tensor import Array, Tensor, TensorLike


class FFL(Weighted):
    """A fully connected layer: ``activation(x @ weights + biases)``.

    Parameters
    ----------
    input_shape : int, optional
        How many numbers a sample has; found out when the layer is added to a model.
    neurons : int
        How many units the layer has.
    bias : array_like, shape=(neurons,), optional
        The biases to start with, instead of zeros.
    weights : array_like, shape=(inputs, neurons), optional
        The weights to start with, instead of random ones.
    activation : str, optional
        A name from ``tensorgrad.functional.ACTIVATIONS``.
    is_bias : bool
        Whether the layer has biases.
    initializer : str or callable, optional
        How weights and biases start: a name of ``tensorgrad.initializers.INITIALIZERS``, such as "he", "glorot" or
        "torch", or a function ``f(shape, rng)`` that returns the weights. Default: by the activation, see
        docs/initialization.md.

    Examples
    --------
    >>> FFL(neurons=10)([1.0, 2.0, 3.0]).shape
    (10,)
    """

    rank = 1
    family = "dense"

    def __init__(
        self,
        input_shape: Shape | None = None,
        neurons: int = 1,
        bias: TensorLike | None = None,
        weights: TensorLike | None = None,
        activation: str | None = None,
        is_bias: bool = True,
        initializer: str | Draw | None = None,
    ) -> None:
        super().__init__(activation, is_bias, weights, bias, initializer)
        self.neurons = whole(neurons, "FFL", "neurons")
        if input_shape is not None:
            self.input_shape = check_shape(input_shape, "FFL")
            self.output_shape = self.infer_shape(self.input_shape)

    @property
    def is_bias(self) -> bool:
        """Whether the layer has biases."""
        return self.isbias

    def weight_shape(self, input_shape: Shape) -> tuple[int, ...]:
        """``(inputs, neurons)``."""
        return (as_tuple(input_shape)[0], self.neurons)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The number of units; samples must be flat."""
        if len(as_tuple(input_shape)) != 1:
            raise ValueError(
                f"{self.title}: expected flat samples, received samples of shape {input_shape}; add Flatten() before it"
            )
        if self.input_shape is not None and as_tuple(input_shape) != as_tuple(self.input_shape):
            raise ValueError(
                f"{self.title}: it was made for input_shape={self.input_shape}, but receives samples of {input_shape} "
                f"numbers; leave input_shape out or, if {self.input_shape} neurons were meant, write "
                f"FFL(neurons={self.input_shape})"
            )
        return self.neurons

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        """``activation(x @ weights + biases)``."""
        return functional.affine(x, self._weights, self._biases, activation=activation)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        return self.bind_kernel(x, bound.affine)

    def describe(self) -> str:
        """Such as ``"10 neurons, softmax"``."""
        return phrase(f"{self.neurons} neurons", self.activation)
