"""The weights of a model's layers, in shapes that can be looked at."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad.inspection.tracing import named_layers
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.tensor import Array, Tensor


def filters(model: Network) -> dict[str, Array]:
    """The kernels of each convolutional layer, by the layer's name.

    Returns
    -------
    dict from str to ndarray, shape=(filters, channels / groups, KH, KW)

    Raises
    ------
    ValueError
        If the model has no convolutional layer.
    """
    found = {name: w.transpose(3, 2, 0, 1) for name, _, w in _weights_of(model, "convolution")}
    if not found:
        raise ValueError("filters: the model has no convolutional layer (Conv2d), and so no filters to look at")
    return found


def dense_weights(model: Network) -> dict[str, Array]:
    """The weights of each fully connected layer, by the layer's name; as images where the layer reads an image.

    Returns
    -------
    dict from str to ndarray, shape=(neurons, channels, height, width) or (neurons, inputs)
        The first shape if the layer reads a flattened image whose numbers no other layer has mixed since.

    Raises
    ------
    ValueError
        If the model has no fully connected layer.
    """
    found = {}
    images = _images_before(model)
    for name, layer, values in _weights_of(model, "dense"):
        weights = values.T  # (neurons, inputs)
        image = images[id(layer)]
        found[name] = weights.reshape(-1, *image).transpose(0, 3, 1, 2) if image else weights
    if not found:
        raise ValueError("dense_weights: the model has no fully connected layer (FFL), and so no weights to look at")
    return found


def _weights_of(model: Network, family: str) -> Iterator[tuple[str, Layer, Array]]:
    """The names, layers and weights of a family's layers that have weights."""
    for name, layer in named_layers(model).items():
        weights = getattr(layer, "weights", None)
        if layer.family == family and isinstance(weights, Tensor):
            yield name, layer, weights.numpy()


def _images_before(model: Network) -> dict[int, tuple[int, ...]]:
    """By each layer's id, the shape of the image whose pixels it reads as a vector; () if they are mixed by then."""
    images = {}
    image: tuple[int, ...] = ()
    for layer in named_layers(model).values():
        images[id(layer)] = image
        before, after = as_tuple(layer.input_shape or ()), as_tuple(layer.output_shape or ())
        if layer.is_elementwise and len(before) == 3 and len(after) == 1:
            image = before
        elif not (layer.is_elementwise or layer.is_chain):
            image = ()
    return images
