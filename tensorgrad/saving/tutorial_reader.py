"""The JSON of the text, read: one object, "model", then a layer for each key, with its weights as nested lists.

What is read is what the text's code, and its author's later one, write, with their peculiarities:

- Counts may be floats. The shape of flat samples is a plain number.
- A convolution's kernel_size has four numbers; two, rows and columns, if the text's own loader had loaded it before.
- A convolution's biases are (filters, 1). The text adds them even where ``isbias`` is false; so does the model that is
  loaded, unless they are all 0. ``parameters``, which the text counts wrongly then, is not used.
- Layers without parameters carry 0.0 for weights and biases. FFL has no stride.

Weights become float32 if every number in the file is one, as in the files that we write of float32 models, and float64
otherwise, as the text's are. We add "dtype" to a layer that has weights, which the text's loader does not mind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.functional import ACTIVATIONS
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Layer, Pool2d, Upsample
from tensorgrad.layers.layer import as_tuple
from tensorgrad.saving import container, native, validation
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.tensor import Array

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

MAX_BYTES = 2**26  # of a file: about three million weights
MODELS = ("CNN", "Sequential")
Entry = Mapping[str, Any]


def load(path: str | os.PathLike[str]) -> CNN:
    """Read a model from a JSON file of the text's."""
    with reading(path):
        found = validation.mapping(
            container.parse_json(container.read_bytes(path, MAX_BYTES), MAX_BYTES, "JSON"), "JSON"
        )
        if found.get("model") not in MODELS:
            validation.wrong(
                "model", "'CNN' or 'Sequential': this is JSON, but no model of the text's", found.get("model")
            )
        return _build({name: entry for name, entry in found.items() if name != "model"})


def _build(entries: Mapping[str, Any]) -> CNN:
    from tensorgrad.cnn import CNN

    if len(entries) > native.MAX_LAYERS:
        raise ModelFileError(f"it has {len(entries)} layers, at most {native.MAX_LAYERS} are read")
    model = CNN()
    layers, values = [], []
    for name, value in entries.items():
        where = f"layer {validation.text(name, 'layer')!r}"
        entry = validation.mapping(value, where)
        kind = entry.get("type")
        if not isinstance(kind, str) or kind not in _MAKERS:
            validation.wrong(f"{where}, type", f"one of {', '.join(_MAKERS)}", kind)
        _check_common(entry, where)
        layer, arrays = _MAKERS[kind](entry, where)
        layers.append((name, where, entry, layer))
        values.append(arrays)
    if not layers:
        raise ModelFileError("it has no layers")
    dtype = _common_dtype(values)
    for (_, where, entry, layer), arrays in zip(layers, values, strict=True):
        if not model.layers:
            layer.input_shape = validation.shape(entry.get("input_shape"), f"{where}, input_shape")
        native.add(
            model,
            layer,
            {key: array.astype(_dtype(entry, array, dtype, where)) for key, array in arrays.items()},
            where,
        )
        for key, shape in (("input_shape", layer.input_shape), ("output_shape", layer.output_shape)):
            stated = validation.shape(entry.get(key), f"{where}, {key}")
            if as_tuple(stated) != as_tuple(shape or ()):
                validation.wrong(f"{where}, {key}", f"{shape}, as follows from the layers before it", stated)
    for (name, *_), layer in zip(layers, model.layers, strict=True):
        layer.name = name
    return model


def _check_common(entry: Entry, where: str) -> None:
    """The fields that all layers have, as far as no maker looks at them."""
    validation.flag(entry.get("isbias"), f"{where}, isbias")
    validation.number(entry.get("parameters"), f"{where}, parameters")
    validation.text(entry.get("name", ""), f"{where}, name")


def _common_dtype(values: list[dict[str, Array]]) -> type[np.floating[Any]]:
    """float32, if that holds every number exactly."""
    exact = all(_is_float32(array) for arrays in values for array in arrays.values())
    return np.float32 if exact else np.float64


def _is_float32(array: Array) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        return bool((array.astype(np.float32) == array).all())


def _dtype(entry: Entry, array: Array, default: Any, where: str) -> Any:
    """The dtype that the file states, or the default."""
    if "dtype" not in entry:
        return default
    stated = entry["dtype"]
    if stated not in ("float32", "float64") or (stated == "float32" and not _is_float32(array)):
        validation.wrong(f"{where}, dtype", "'float32' or 'float64', that holds the weights exactly", stated)
    return np.dtype(stated)


# -- one layer -------------------------------------------------------------------------------------------------


def _make_ffl(entry: Entry, where: str) -> tuple[Layer, dict[str, Array]]:
    neurons = validation.whole(entry.get("neurons"), f"{where}, neurons", low=1)
    inputs = validation.whole(entry.get("input_shape"), f"{where}, input_shape", low=1)
    arrays = _weights(entry, (inputs, neurons), where)
    return FFL(inputs, neurons, activation=_activation(entry, where), is_bias="biases" in arrays), arrays


def _make_conv2d(entry: Entry, where: str) -> tuple[Layer, dict[str, Array]]:
    filters = validation.whole(entry.get("filters"), f"{where}, filters", low=1)
    size = validation.items(entry.get("kernel_size"), f"{where}, kernel_size")
    shape = tuple(validation.whole(n, f"{where}, kernel_size", low=1) for n in size)
    if len(shape) == 2:
        channels = validation.items(entry.get("input_shape"), f"{where}, input_shape")[2:]
        shape += (*(validation.whole(n, f"{where}, input_shape", low=1) for n in channels), filters)
    if len(shape) != 4 or shape[3] != filters:
        validation.wrong(f"{where}, kernel_size", f"[rows, columns] or [rows, columns, channels, {filters}]", size)
    arrays = _weights(entry, shape, where)
    layer = Conv2d(
        filters=filters,
        kernel_size=shape[:2],
        isbias="biases" in arrays,
        activation=_activation(entry, where),
        stride=_pair(entry, "stride", where),
        padding=_padding(entry, where),
    )
    return layer, arrays


def _make_pool2d(entry: Entry, where: str) -> tuple[Layer, dict[str, Array]]:
    kind = validation.text(entry.get("kind"), f"{where}, kind")
    size, stride = _pair(entry, "kernel_size", where), _pair(entry, "stride", where)
    try:
        return Pool2d(size, stride, kind, _padding(entry, where)), {}
    except ValueError as error:
        raise ModelFileError(f"{where}: {error}") from None


def _make_dropout(entry: Entry, where: str) -> tuple[Layer, dict[str, Array]]:
    prob = validation.number(entry.get("prob"), f"{where}, prob")
    return Dropout(prob) if 0 <= prob < 1 else validation.wrong(f"{where}, prob", "a share, 0 <= prob < 1", prob), {}


def _make_flatten(entry: Entry, where: str) -> tuple[Layer, dict[str, Array]]:
    return Flatten(), {}


def _make_upsample(entry: Entry, where: str) -> tuple[Layer, dict[str, Array]]:
    return Upsample(_pair(entry, "kernel_size", where)), {}


_MAKERS: dict[str, Callable[[Entry, str], tuple[Layer, dict[str, Array]]]] = {
    "FFL": _make_ffl,
    "Conv2d": _make_conv2d,
    "Dropout": _make_dropout,
    "Flatten": _make_flatten,
    "Pool2d": _make_pool2d,
    "Upsample": _make_upsample,
}


def _activation(entry: Entry, where: str) -> str | None:
    name = entry.get("activation")
    if name is not None and not (isinstance(name, str) and name in ACTIVATIONS):
        validation.wrong(f"{where}, activation", f"null or one of {', '.join(ACTIVATIONS)}", name)
    return name


def _pair(entry: Entry, key: str, where: str) -> tuple[int, int]:
    """A number for both axes, or a list of two."""
    value = entry.get(key)
    found = value if isinstance(value, list) else [value, value]
    if len(found) != 2:
        validation.wrong(f"{where}, {key}", "a whole number, or a list of two", value)
    rows, columns = (validation.whole(n, f"{where}, {key}", low=1) for n in found)
    return rows, columns


def _padding(entry: Entry, where: str) -> Any:
    padding = entry.get("padding")
    if padding is not None and padding not in ("zero", "same"):
        validation.wrong(f"{where}, padding", "null, 'zero' or 'same'", padding)
    return padding


def _weights(entry: Entry, shape: tuple[int, ...], where: str) -> dict[str, Array]:
    """Weights of a shape and, where there are any, biases, as float64."""
    arrays = {"weights": _array(entry.get("weights"), shape, f"{where}, weights")}
    given, units = entry.get("biases", 0.0), shape[-1]
    if isinstance(given, list):
        one_each = bool(given) and isinstance(given[0], list)
        biases = _array(given, (units, 1) if one_each else (units,), f"{where}, biases").reshape(-1)
        if entry["isbias"] or biases.any():
            arrays["biases"] = biases
    elif validation.number(given, f"{where}, biases") != 0 or entry["isbias"]:
        validation.wrong(f"{where}, biases", f"a list of {units} numbers, or 0 without biases", given)
    return arrays


def _array(value: Any, shape: tuple[int, ...], where: str) -> Array:
    """Nested lists of a known shape, and so of a known size, as an array."""
    if not isinstance(value, list) or len(value) != shape[0]:
        validation.wrong(where, f"nested lists of shape {shape}", value)
    return np.array(list(_numbers(value, shape, where)), np.float64).reshape(shape)


def _numbers(value: Any, shape: tuple[int, ...], where: str) -> Iterator[float]:
    if not isinstance(value, list) or len(value) != shape[0]:
        validation.wrong(where, f"nested lists, here of {shape[0]} items", value)
    for item in value:
        if len(shape) > 1:
            yield from _numbers(item, shape[1:], where)
        else:
            yield item if type(item) is float and -1e308 < item < 1e308 else validation.number(item, where)
