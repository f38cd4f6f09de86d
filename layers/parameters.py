"""Layers with weights and biases. Assigning to them writes into the tensors."""

from __future__ import annotations

from typing import Any

from tensorgrad.layers.layer import Layer
from tensorgrad.tensor import Tensor, TensorLike


class Parametric(Layer):
    """A layer with weights and biases, which its ``build`` makes as ``_weights`` and ``_biases`` unless they are there.

    Values that are assigned to ``weights`` and ``biases`` are written into the tensors, so that an optimizer keeps hold
    of them.
    """

    built = ("_weights", "_biases")

    _weights: Any = None
    _biases: Any = None

    @property
    def has_biases(self) -> bool:
        """Whether the layer has biases."""
        return True

    @property
    def weights(self) -> Tensor:
        """The weights; None until the layer knows its input."""
        if self._weights is None and self.input_shape is not None:
            self.set_output_shape()
        return self._weights  # type: ignore[no-any-return]

    @weights.setter
    def weights(self, values: TensorLike) -> None:
        self._weights = self._replacement(self._weights, values, "weights")

    @property
    def biases(self) -> Tensor:
        """The biases; None if it has none, or does not know its input yet."""
        if self._biases is None and self.has_biases and self.input_shape is not None:
            self.set_output_shape()
        return self._biases  # type: ignore[no-any-return]

    @biases.setter
    def biases(self, values: TensorLike) -> None:
        if not self.has_biases:
            raise ValueError(f"{self.title}: it was made without biases, so none can be set")
        self._biases = self._replacement(self._biases, values, "biases")

    def _replacement(self, old: Tensor | None, values: TensorLike, name: str) -> Tensor:
        new = parameter(values)
        if old is None:
            return new
        if name == "biases" and new.shape == (*old.shape, 1):  # as the tutorial has them
            new = parameter(new.array.reshape(-1))
        self._check(new, old.shape, name)
        old.data = new
        return old

    def _check(self, values: Tensor, shape: tuple[int, ...], name: str) -> None:
        if values.shape != shape:
            raise ValueError(f"{self.title}: expected {name} of shape {shape}, received shape {values.shape}")


def parameter(values: TensorLike) -> Tensor:
    """A trained tensor of its own; integers become float32."""
    return Tensor(Tensor(values).floating(), requires_grad=True)
