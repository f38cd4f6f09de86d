"""What the convolutional layers share: filters, in groups, that slide over their input."""

from __future__ import annotations

from tensorgrad.checks import brief, whole
from tensorgrad.initializers import Draw
from tensorgrad.layers.shapes import as_tuple, by, phrase
from tensorgrad.layers.weighted import Weighted
from tensorgrad.tensor import TensorLike


class Convolutional(Weighted):
    """``activation(convolution(x, weights) + biases)``; a subclass says which convolution."""

    family = "convolution"
    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int]

    def __init__(
        self,
        filters: int,
        groups: int,
        activation: str | None,
        isbias: bool,
        kernel: TensorLike | None,
        bias: TensorLike | None,
        initializer: str | Draw | None,
    ) -> None:
        super().__init__(activation, isbias, kernel, bias, initializer)
        owner = type(self).__name__
        self.filters = whole(filters, owner, "filters")
        self.groups = whole(groups, owner, "groups")
        if self.filters % self.groups:
            raise ValueError(f"{owner}: groups must divide the {filters} filters, received {brief(groups)}")

    def check_channels(self, channels: int) -> None:
        """Raise unless the groups divide the channels of the input."""
        if channels % self.groups:
            raise ValueError(f"{self.title}: groups={self.groups} must divide the {channels} channels of its input")

    def describe(self) -> str:
        """Such as ``"8 filters of 3 x 3, stride 2 x 2, relu"``; a stride of 1 is left out."""
        stride = as_tuple(self.stride)
        shown = f"stride {by(stride)}" if max(stride) > 1 else ""
        return phrase(f"{self.filters} filters of {by(as_tuple(self.kernel_size))}", shown, self.activation)
