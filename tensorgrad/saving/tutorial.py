"""The tutorial's JSON: one object, with the key "model" and then a key for each layer, its weights as nested lists.

What is read is what the tutorial's code and its author's later code write, with their peculiarities
(:mod:`tensorgrad.saving.tutorial_layers` has those of each kind of layer):

- Counts may be floats. The shape of flat samples is a plain number.
- Layers without parameters carry 0.0 for weights and biases.
- The count "parameters" is not used: the tutorial counts biases even where "isbias" is false.

Weights become float32 if float32 holds every number in the file exactly, and float64 otherwise, as the tutorial's are.
We add two keys that the tutorial's loader ignores: "dtype" to layers with weights, "trainable" to frozen ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorgrad.atomic_file import replacing
from tensorgrad.layers import Layer
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.saving import assembly, container, validation, weights
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.saving.protocols import Buildable
from tensorgrad.saving.tutorial_layers import KINDS, OTHER, Entry
from tensorgrad.saving.weights import PathLike
from tensorgrad.tensor import Array

MAX_BYTES = 2**26  # of a file: about three million weights
MODELS = ("CNN", "Sequential")


# -- writing -----------------------------------------------------------------------------------------------------


def encode(model: Buildable) -> bytes:
    """The contents of a model's file."""
    import json

    if len(model.layers) > assembly.MAX_LAYERS:
        raise ValueError(f"save: the model has {len(model.layers)} layers, a file can have {assembly.MAX_LAYERS}")
    entries: dict[str, Any] = {"model": "CNN"}
    for layer in model.layers:
        assembly.check_extents(layer)
        validation.text(layer.name, f"save: the name of {type(layer).__name__}")
        if layer.name in entries:
            raise ValueError(f"save: two layers are called {layer.name!r}; in JSON each needs a name of its own")
        entries[layer.name] = _encode(layer)
    try:
        data = json.dumps(entries, allow_nan=False).encode()
    except ValueError:
        raise ValueError("save: some weights are NaN or infinite, which JSON cannot hold" + OTHER) from None
    excess = container.too_long(data, MAX_BYTES)
    if excess:
        raise ValueError(f"save: the model is too large for JSON: {excess}" + OTHER)
    return data


def write(path: PathLike, encoded: bytes) -> None:
    """Write a file, whole or not at all."""
    with replacing(path) as file:
        file.write(encoded)


def _encode(layer: Layer) -> dict[str, Any]:
    kind = KINDS.get(type(layer).__name__)
    if kind is None or kind.layer is not type(layer):
        raise ValueError(f"save: the tutorial's JSON has no layer like {layer.title}" + OTHER)
    common = {
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
    frozen = {} if layer.trainable else {"trainable": False}
    return common | kind.write(layer) | frozen


# -- reading -----------------------------------------------------------------------------------------------------


def load(path: PathLike, model: Buildable) -> None:
    """Fill a model that has no layers yet from a file."""
    with reading(path):
        data = container.read_bytes(path, MAX_BYTES)
        found = validation.mapping(container.parse_json(data, MAX_BYTES, "JSON"), "JSON")
        if found.get("model") not in MODELS:
            validation.wrong(
                "model", "'CNN' or 'Sequential': this JSON is no model of the tutorial's", found.get("model")
            )
        _build(model, {name: entry for name, entry in found.items() if name != "model"})


def read_weights(path: PathLike) -> dict[str, Array]:
    """Read the weights and biases of a model by name."""
    network = Network(seed=0)
    load(path, network)
    return weights.arrays(network)


def _build(model: Buildable, entries: Mapping[str, Any]) -> None:
    if len(entries) > assembly.MAX_LAYERS:
        raise ModelFileError(f"it has {len(entries)} layers, more than the limit of {assembly.MAX_LAYERS}")
    if not entries:
        raise ModelFileError("it has no layers")
    made = [_make(validation.text(name, "layer"), value) for name, value in entries.items()]
    exact = all(_is_float32(array) for _, _, _, arrays in made for array in arrays.values())
    common = np.dtype(np.float32 if exact else np.float64)
    for where, entry, layer, arrays in made:
        if not model.layers:
            layer.input_shape = validation.shape(entry.get("input_shape"), f"{where}, input_shape")
        values = {key: array.astype(_dtype(entry, array, common, where)) for key, array in arrays.items()}
        assembly.append(model, layer, values, where)
        for key, shape in (("input_shape", layer.input_shape), ("output_shape", layer.output_shape)):
            stated = validation.shape(entry.get(key), f"{where}, {key}")
            if as_tuple(stated) != as_tuple(shape or ()):
                validation.wrong(f"{where}, {key}", f"{shape}, as follows from the layers before it", stated)
    for (name, entry), layer in zip(entries.items(), model.layers, strict=True):
        layer.name = name
        layer.trainable = validation.flag(entry.get("trainable", True), f"layer {name!r}, trainable")


def _make(name: str, value: Any) -> tuple[str, Entry, Layer, dict[str, Array]]:
    """What to call a layer in errors, its entry, the layer, and its weights and biases as float64."""
    where = f"layer {name!r}"
    entry = validation.mapping(value, where)
    kind = entry.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        validation.wrong(f"{where}, type", f"one of {', '.join(KINDS)}", kind)
    validation.flag(entry.get("isbias"), f"{where}, isbias")
    validation.number(entry.get("parameters"), f"{where}, parameters")
    validation.text(entry.get("name", ""), f"{where}, name")
    return where, entry, *KINDS[kind].read(entry, where)


def _is_float32(array: Array) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        return bool((array.astype(np.float32) == array).all())


def _dtype(entry: Entry, array: Array, common: np.dtype[Any], where: str) -> np.dtype[Any]:
    """The dtype that the layer states, or else the file's common one."""
    if "dtype" not in entry:
        return common
    stated = entry["dtype"]
    if stated not in ("float32", "float64") or (stated == "float32" and not _is_float32(array)):
        validation.wrong(f"{where}, dtype", "'float32' or 'float64', whichever holds the weights exactly", stated)
    return np.dtype(stated)
