"""Layers that only move numbers: Flatten, Reshape, Upsample and ZeroPadding2d."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np

from tensorgrad import functional
from tensorgrad.checks import brief, pair
from tensorgrad.functional.padding import Padding, explicit
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.geometry import Size, windows_see
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, as_tuple, by, check_shape, image_shape
from tensorgrad.tensor import Array, Tensor, TensorLike, as_tensor


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

    def apply_activation(self, x: TensorLike, train: bool = True) -> Tensor:
        """The forward pass, where an array of fewer than four axes is one sample, as the tutorial's table is."""
        t = as_tensor(x)
        return self(t.reshape((1, *t.shape)), train).reshape(-1) if t.ndim < 4 else self(t, train)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The number of elements of a sample."""
        return prod(as_tuple(input_shape))

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Reshape to ``(N, elements)``."""
        return x.reshape((x.shape[0], prod(x.shape[1:])))

    def bind(self, x: Array) -> Bound:
        """A view; see :meth:`Layer.bind`."""
        return bound.flatten(x, (prod(x.shape[1:]),))


class Reshape(Layer):
    """Give each sample another shape, row-major over (height, width, channels).

    Parameters
    ----------
    shape : int or tuple of int
        Of one sample. One of the numbers may be -1: it is what the others leave.
    """

    def __init__(self, shape: Shape) -> None:
        items = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) and (n > 0 or n == -1) for n in items)
        if not items or not whole or items.count(-1) > 1:
            raise ValueError(
                f"Reshape: shape must be an int or a tuple of positive ints, one of which may be -1; "
                f"received {brief(shape)}"
            )
        self.shape: Shape = int(items[0]) if len(items) == 1 else tuple(int(n) for n in items)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The shape, if it has as many numbers as the input's."""
        items, size = as_tuple(self.shape), prod(as_tuple(input_shape))
        known = prod(n for n in items if n > 0)
        if size % known or (-1 not in items and size != known):
            raise ValueError(f"{self.title}: samples of shape {input_shape} have {size} numbers, and no shape {items}")
        items = tuple(size // known if n < 0 else n for n in items)
        return items[0] if len(items) == 1 else items

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Reshape to ``(N, *shape)``."""
        return x.reshape((x.shape[0], *as_tuple(self.infer_shape(x.shape[1:]))))

    def bind(self, x: Array) -> Bound:
        """A view; see :meth:`Layer.bind`."""
        return bound.flatten(x, as_tuple(self.infer_shape(x.shape[1:])))

    def describe(self) -> str:
        """Such as ``"to 7 x 7 x 32"``."""
        return "to " + " x ".join(map(str, as_tuple(self.output_shape or self.shape)))


class ZeroPadding2d(Layer):
    """Frame images with zeros.

    Parameters
    ----------
    padding : int, pair or ((top, bottom), (left, right))
        Pixels on both sides along both axes, along (rows, columns), or on each side.
    """

    rank = 3
    family = "resampling"

    def __init__(self, padding: Padding = 1) -> None:
        frame = None if padding is None or isinstance(padding, str) else explicit(padding, "ZeroPadding2d")
        if frame is None:
            raise ValueError(
                f"ZeroPadding2d: padding must be an int, a pair or ((top, bottom), (left, right)), "
                f"received {brief(padding)}"
            )
        self.padding = padding
        self.frame = frame

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(top + H + bottom, left + W + right, channels)``."""
        height, width, channels = image_shape(input_shape, self.title)
        return height + sum(self.frame[0]), width + sum(self.frame[1]), channels

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Put zeros around the images."""
        return functional.pad(x, ((0, 0), *self.frame, (0, 0)))

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        return bound.pad(x, self.frame)

    def describe(self) -> str:
        """Such as ``"(0, 1), (0, 1) pixels"``."""
        return f"{self.frame[0]}, {self.frame[1]} pixels"

    def see(self, field: Field) -> Field:
        """A pixel sees itself, and a zero sees nothing."""
        return windows_see(field, (1, 1), (1, 1), self.frame)


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

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        return bound.upsample(x, self.kernel_size)

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
