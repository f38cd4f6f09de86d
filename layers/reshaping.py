"""Layers that only move pixels: Flatten and Upsample."""

from __future__ import annotations

from math import prod

import numpy as np

from tensorgrad import functional
from tensorgrad.checks import pair
from tensorgrad.layers.conv2d import Size
from tensorgrad.layers.layer import Layer, Shape, as_tuple, by, check_shape, image_shape
from tensorgrad.layers.receptive_field import Field
from tensorgrad.tensor import Tensor


class Flatten(Layer):
    """Make each sample one flat vector, row-major over (height, width, channels).

    Parameters
    ----------
    input_shape : tuple of int, optional
        Of one sample; found out when the layer is added to a model.
    """

    is_elementwise = True

    def __init__(self, input_shape: Shape | None = None) -> None:
        if input_shape is not None:
            self.input_shape = check_shape(input_shape, "Flatten")
            self.output_shape = self.infer_shape(self.input_shape)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The number of elements of a sample."""
        return prod(as_tuple(input_shape))

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Reshape to ``(N, elements)``."""
        return x.reshape((x.shape[0], prod(x.shape[1:])))


class Upsample(Layer):
    """Enlarge images by repeating each pixel.

    Parameters
    ----------
    kernel_size : int or pair
        How many times, along rows and columns.
    """

    rank = 3
    family = "resampling"

    def __init__(self, kernel_size: Size = (2, 2)) -> None:
        self.kernel_size = pair(kernel_size, "Upsample", "kernel_size", 1)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(H KH, W KW, channels)``."""
        height, width, channels = image_shape(input_shape, self.title)
        return height * self.kernel_size[0], width * self.kernel_size[1], channels

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Repeat the pixels."""
        return functional.upsample2d(x, self.kernel_size)

    def describe(self) -> str:
        """Such as ``"2 x 2 copies"``."""
        return f"{by(self.kernel_size)} copies"

    def see(self, field: Field) -> Field:
        """Each copy sees what its pixel sees."""
        axes = zip((field.rows, field.columns), self.kernel_size, strict=True)
        return Field(*(span.at(np.arange(len(span.first) * times)[:, None] // times) for span, times in axes))

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output, and the copies along each axis."""
        return (*super().extents(), *self.kernel_size)
