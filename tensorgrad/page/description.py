"""A network as JSON that ``static/network.js`` can run: a kind for each layer, its geometry, its numbers in base64."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Concatenate,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Rescale,
    Reshape,
    Sequential,
    Standardize,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.tensor import Tensor

PIXELS = ("raw", "unit", "standardize")
LARGEST = 1 << 25  # numbers of a network that a page can hold

Form = dict[str, Any]


def describe(network: Network, classes: Sequence[str] | None = None, pixels: str | None = None) -> Form:
    """What the page needs of a network.

    Parameters
    ----------
    network : Network
        Of images with one or three channels.
    classes : sequence of str, optional
        The names of its outputs; by default their numbers.
    pixels : "raw", "unit" or "standardize", optional
        What it was trained on: pixels from 0 to 255, from 0 to 1, or each image with mean 0 and deviation 1. By default
        "raw" for a network whose first layer prepares its pixels, otherwise "standardize", as in the tutorial.

    Raises
    ------
    ValueError, TypeError
        If it is no network of images, too large, or has a layer that the page does not have.
    """
    shape = network.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ValueError(
            f"page: expected a network of images with 1 or 3 channels, but it takes samples of shape {shape}"
        )
    outputs = network.output_shape
    if len(outputs) != 1:
        raise ValueError(f"page: expected a network with one row of outputs, but it gives samples of shape {outputs}")
    count = sum(parameter.size for parameter in network.parameters())
    if count > LARGEST:
        raise ValueError(f"page: the network has {count} numbers; a page can hold {LARGEST}")
    names = tuple(classes) if classes is not None else tuple(map(str, range(max(2, outputs[0]))))
    if len(names) != max(2, outputs[0]):
        raise ValueError(
            f"page: expected {max(2, outputs[0])} names of classes, received {len(names)}: {', '.join(names)}"
        )
    if pixels is None:
        pixels = "raw" if isinstance(network.layers[0], Rescale | Standardize) else "standardize"
    elif pixels not in PIXELS:
        raise ValueError(f"page: pixels must be one of {', '.join(map(repr, PIXELS))}, received {pixels!r}")
    return {
        "shape": shape,
        "classes": names,
        "pixels": pixels,
        "probabilities": network.last_activation in ("softmax", "sigmoid"),
        "layers": [form(layer) for layer in network.layers],
        "server": None,
        "trainable": False,
    }


def form(layer: Layer) -> Form:
    """A layer as the page has it."""
    make = _FORMS.get(type(layer))
    if make is None:
        known = ", ".join(sorted(kind.__name__ for kind in _FORMS))
        raise TypeError(f"page: the page has no layer like {layer.title}; it has {known}")
    return {"name": layer.name or type(layer).__name__, "output": as_tuple(layer.output_shape or ())} | make(layer)


def encoded(numbers: Any) -> str:
    """Numbers as base64 of little-endian float32."""
    array = numbers.numpy() if isinstance(numbers, Tensor) else np.asarray(numbers)
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def _weighted(layer: Conv2d | ConvTranspose2d | FFL) -> Form:
    found: Form = {"activation": layer.activation, "weights": encoded(layer.weights)}
    return found if layer.biases is None else found | {"biases": encoded(layer.biases)}


def _conv2d(layer: Conv2d) -> Form:
    kernel = tuple(layer.weights.shape) if layer.weights is not None else ()
    return _weighted(layer) | {
        "type": "conv2d",
        "kernel": kernel,
        "stride": layer.stride,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "padding": layer.frame,
        "edge": layer.padding == "same",
    }


def _conv_transpose2d(layer: ConvTranspose2d) -> Form:
    kernel = tuple(layer.weights.shape) if layer.weights is not None else ()
    return _weighted(layer) | {
        "type": "conv_transpose2d",
        "kernel": kernel,
        "stride": layer.stride,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "padding": layer.frame,
    }


def _pool2d(layer: Pool2d) -> Form:
    return {
        "type": "pool2d",
        "kind": layer.kind,
        "kernel": layer.kernel_size,
        "stride": layer.stride,
        "padding": layer.frame,
    }


def _batch_norm(layer: BatchNorm) -> Form:
    mean, var = (np.asarray(a, np.float64) for a in (layer.running_mean, layer.running_var))
    scale = np.asarray(layer.weights.numpy(), np.float64) / np.sqrt(var + layer.eps)
    shift = np.asarray(layer.biases.numpy(), np.float64) - mean * scale
    return {"type": "scale", "weights": encoded(scale), "biases": encoded(shift)}


def _layer_norm(layer: LayerNorm) -> Form:
    numbers = {"weights": encoded(layer.weights), "biases": encoded(layer.biases)}
    return {"type": "normalize", "over": "channels", "eps": layer.eps} | numbers


_FORMS: dict[type[Layer], Callable[[Any], Form]] = {
    Activation: lambda layer: {"type": "activation", "activation": layer.activation},
    Add: lambda layer: {"type": "add", "branches": [form(branch) for branch in layer.branches]},
    BatchNorm: _batch_norm,
    Concatenate: lambda layer: {"type": "concatenate", "branches": [form(branch) for branch in layer.branches]},
    Conv2d: _conv2d,
    ConvTranspose2d: _conv_transpose2d,
    Dropout: lambda _: {"type": "identity"},
    FFL: lambda layer: _weighted(layer) | {"type": "dense"},
    Flatten: lambda _: {"type": "reshape"},
    GlobalPool: lambda layer: {"type": "global_pool", "kind": layer.kind},
    LayerNorm: _layer_norm,
    Pool2d: _pool2d,
    Rescale: lambda layer: {
        "type": "scale",
        "weights": encoded(np.atleast_1d(layer.scale)),
        "biases": encoded(np.atleast_1d(layer.offset)),
    },
    Reshape: lambda _: {"type": "reshape"},
    Sequential: lambda layer: {"type": "sequential", "layers": [form(inner) for inner in layer.layers]},
    Standardize: lambda _: {"type": "normalize", "over": "sample", "eps": 0},
    Upsample: lambda layer: {"type": "upsample", "kernel": layer.kernel_size},
    ZeroPadding2d: lambda layer: {"type": "pad", "padding": layer.frame},
}
