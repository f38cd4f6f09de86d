"""The numbers of a flattened image in two orders: channels last, as here, or first, as in PyTorch and in ONNX files.

Such an order is an array of int: the number j of a vector there is number ``order[j]`` here. None if they are the same.
"""

from __future__ import annotations

from math import prod

import numpy as np

from tensorgrad.layers.shapes import Shape, as_tuple
from tensorgrad.tensor import Array


def channels_first(shape: Shape | None) -> Array | None:
    """The order of a sample's numbers if its channels, which are the last axis of its shape, come first there."""
    *pixels, channels = as_tuple(shape or 1)
    if channels == 1 or prod(pixels) == 1:
        return None
    return np.arange(prod(pixels) * channels).reshape(-1, channels).T.ravel()


def in_our_order(array: Array, order: Array | None) -> Array:
    """An array whose first axis is in an order there, as it is here."""
    if order is None:
        return array
    found = np.empty_like(array)
    found[order] = array
    return found
