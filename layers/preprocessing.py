"""Standardize and Rescale: from pixels to a network's input, as layers, so that a saved network takes pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.checks import brief, is_number
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import Shape, as_tuple, check_shape
from tensorgrad.tensor import Tensor

Numbers = float | Sequence[float]


class Standardize(Layer):
    """Give each sample, by itself, mean 0 and standard deviation 1: ``(x - mean) / std``.

    The mean and the standard deviation are over all numbers of the sample, as in :func:`tensorgrad.data.standardize`.
    A sample whose numbers are all equal becomes zeros.

    Parameters
    ----------
    input_shape : tuple of int, optional
        Of one sample; found out when the layer is added to a model.
    """

    def __init__(self, input_shape: Shape | None = None) -> None:
        if input_shape is not None:
            self.input_shape = check_shape(input_shape, "Standardize")

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The input's shape."""
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Subtract each sample's mean, and divide by its standard deviation."""
        axes = tuple(range(1, x.ndim))
        centred = x - x.mean(axes, keepdims=True)
        deviation = centred.std(axes, keepdims=True)
        standardized: Tensor = centred / (deviation + (deviation.numpy() == 0))
        return standardized


class Rescale(Layer):
    """Multiply by a number and add another: ``scale * x + offset``, the same for all or one pair per channel.

    Parameters
    ----------
    scale, offset : float, or sequence of float
        ``Rescale(1 / 255)`` takes pixels from 0 to 255 to numbers from 0 to 1. Sequences have a number for each channel
        (the last axis): ``1 / s`` and ``-m / s`` standardize channels of mean m and deviation s.
    input_shape : tuple of int, optional
        Of one sample; found out when the layer is added to a model.
    """

    changeable = ("scale", "offset")

    def __init__(self, scale: Numbers = 1 / 255, offset: Numbers = 0.0, input_shape: Shape | None = None) -> None:
        self.scale = _checked(scale, "scale")
        self.offset = _checked(offset, "offset")
        if input_shape is not None:
            self.input_shape = check_shape(input_shape, "Rescale")

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The input's shape; there must be a channel for each number."""
        channels = as_tuple(input_shape)[-1]
        for name, numbers in (("scale", self.scale), ("offset", self.offset)):
            if isinstance(numbers, tuple) and len(numbers) != channels:
                raise ValueError(
                    f"{self.title}: {name} has {len(numbers)} numbers, but samples have {channels} channels; give one "
                    "number, or one for each channel"
                )
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """``scale * x + offset``."""
        scale, offset = (np.asarray(numbers, x.dtype) for numbers in (self.scale, self.offset))
        return x * scale + offset if offset.any() else x * scale


def _checked(numbers: Numbers, name: str) -> float | tuple[float, ...]:
    """A finite number, or a tuple of them."""
    several = not is_number(numbers)
    found = tuple(numbers) if several and isinstance(numbers, Sequence | np.ndarray) else (numbers,)
    if not found or not all(is_number(n) and np.isfinite(n) for n in found):
        raise ValueError(f"Rescale: {name} must be a finite number, or one for each channel; received {brief(numbers)}")
    return tuple(float(n) for n in found) if several else float(found[0])  # type: ignore[arg-type]
