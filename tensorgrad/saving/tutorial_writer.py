"""The JSON of the text, written: see :mod:`tensorgrad.saving.tutorial_reader`, which says what stands in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.atomic_file import replacing
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Layer, Pool2d, Upsample
from tensorgrad.layers.weighted import Weighted
from tensorgrad.saving import native, validation
from tensorgrad.saving.container import too_long
from tensorgrad.saving.tutorial_reader import MAX_BYTES

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

KINDS = (FFL, Conv2d, Dropout, Flatten, Pool2d, Upsample)
OTHER = "; save it with another suffix, such as .tgrad"


def save(model: CNN, path: str | os.PathLike[str]) -> None:
    """Write a model to a JSON file of the text's, whole or not at all."""
    import json

    if not model.layers:
        raise ValueError("save: the model has no layers yet; add them first")
    if len(model.layers) > native.MAX_LAYERS:
        raise ValueError(f"save: the model has {len(model.layers)} layers, a file can have {native.MAX_LAYERS}")
    entries: dict[str, Any] = {"model": "CNN"}
    for layer in model.layers:
        native.check_size(layer)
        validation.text(layer.name, f"save: the name of {type(layer).__name__}")
        if layer.name in entries:
            raise ValueError(f"save: two layers are called {layer.name!r}; in JSON each needs a name of its own")
        entries[layer.name] = _entry(layer)
    try:
        data = json.dumps(entries, allow_nan=False).encode()
    except ValueError:
        raise ValueError("save: some weights are NaN or infinite, which JSON cannot hold" + OTHER) from None
    excess = too_long(data, MAX_BYTES)
    if excess:
        raise ValueError(f"save: the model is too large for JSON: {excess}" + OTHER)
    with replacing(path) as file:
        file.write(data)


def _entry(layer: Layer) -> dict[str, Any]:
    """A layer as the text writes it."""
    if type(layer) not in KINDS:
        raise ValueError(f"save: the text's JSON has no layer like {layer.title}" + OTHER)
    entry: dict[str, Any] = {
        "type": type(layer).__name__,
        "name": layer.name,
        "input_shape": layer.input_shape,
        "output_shape": layer.output_shape,
        "activation": layer.activation,
        "isbias": layer.isbias,
        "parameters": layer.parameter_count,
        "weights": 0.0,
        "biases": 0.0,
    }
    if isinstance(layer, Weighted):
        entry |= _entry_of_weights(layer)
    if isinstance(layer, Conv2d):
        if layer.dilation != (1, 1) or layer.groups != 1:
            raise ValueError(f"save: {layer.title} has dilation or groups, which the text's JSON has not" + OTHER)
        entry |= {"filters": layer.filters, "kernel_size": layer._weights.shape}
    if isinstance(layer, FFL):
        entry["neurons"] = layer.neurons
    if isinstance(layer, Conv2d | Pool2d):
        entry |= {"stride": layer.stride, "padding": _text_padding(layer)}
    if isinstance(layer, Dropout):
        entry["prob"] = layer.prob
    if isinstance(layer, Pool2d):
        entry |= {"kernel_size": layer.kernel_size, "kind": layer.kind}
    if isinstance(layer, Upsample):
        entry |= {"kernel_size": layer.kernel_size, "stride": layer.kernel_size}
    return entry


def _entry_of_weights(layer: Weighted) -> dict[str, Any]:
    weights = layer._weights.array
    # without biases it has zeros here, as the text's code adds them in any case
    biases = np.zeros(weights.shape[-1], weights.dtype) if layer._biases is None else layer._biases.array
    dtypes = {weights.dtype, biases.dtype}
    if len(dtypes) > 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        listed = ", ".join(map(str, dtypes))
        raise ValueError(
            f"save: {layer.title} has {listed}; the text's JSON can hold one of float32 and float64" + OTHER
        )
    column = biases.reshape(-1, 1) if isinstance(layer, Conv2d) else biases
    return {"weights": weights.tolist(), "biases": column.tolist(), "dtype": str(weights.dtype)}


def _text_padding(layer: Conv2d | Pool2d) -> str | None:
    """The text's word for a padding: it has one pixel, or none."""
    known = {(0, 0): None, (1, 1): "zero"}
    if isinstance(layer.padding, str):
        return layer.padding
    if layer._frame not in known:
        raise ValueError(f"save: {layer.title} has padding={layer.padding!r}, which the text's JSON has not" + OTHER)
    return known[layer._frame]
