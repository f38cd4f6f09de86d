"""What a network learned: the weights of its layers, in the shape in which one looks at them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from tensorgrad.inspection.tracing import named_layers
from tensorgrad.layers import FFL, Activation, Conv2d, Dropout, Flatten, Sequential
from tensorgrad.layers.layer import Layer, as_tuple
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN


def filters(model: CNN) -> dict[str, Array]:
    """The kernels of each convolutional layer, by the layer's name.

    Returns
    -------
    dict from str to ndarray, shape=(filters, channels / groups, KH, KW)

    Raises
    ------
    ValueError
        If the model has no convolutional layer.
    """
    found = {
        name: layer.weights.numpy().transpose(3, 2, 0, 1)
        for name, layer in named_layers(model).items()
        if isinstance(layer, Conv2d) and layer.weights is not None
    }
    if not found:
        raise ValueError("filters: the model has no Conv2d layer, and so no filters to look at")
    return found


def dense_weights(model: CNN) -> dict[str, Array]:
    """The weights of each fully connected layer, by the layer's name: as images where the layer looks at images.

    Returns
    -------
    dict from str to ndarray, shape=(neurons, channels, height, width) or (neurons, inputs)
        The first shape where the inputs are the pixels of an image that was flattened just before, or before some
        layers that leave each number in its place.

    Raises
    ------
    ValueError
        If the model has no fully connected layer.
    """
    found = {}
    before: Layer | None = None  # the layer that flattened the image, if nothing has mixed its pixels since
    for name, layer in named_layers(model).items():
        if isinstance(layer, FFL) and layer.weights is not None:
            weights = layer.weights.numpy().T  # (neurons, inputs)
            image = as_tuple(before.input_shape or ()) if before is not None else ()
            if len(image) == 3 and prod(image) == weights.shape[1]:
                weights = weights.reshape(-1, *image).transpose(0, 3, 1, 2)
            found[name] = weights
        if isinstance(layer, Flatten):
            before = layer
        elif not isinstance(layer, Activation | Dropout | Sequential):
            before = None
    if not found:
        raise ValueError("dense_weights: the model has no FFL layer, and so no weights to look at")
    return found
