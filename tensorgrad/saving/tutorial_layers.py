"""The layers of the tutorial's JSON: how each kind is read from its entry, and written to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tensorgrad.functional import ACTIVATIONS
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Layer, Pool2d, Upsample
from tensorgrad.layers.weighted import Weighted
from tensorgrad.saving import validation
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.tensor import Array

POOLINGS = ("max", "min", "average")
OTHER = "; save it with another suffix, such as .tgrad"
Entry = Mapping[str, Any]
Arrays = dict[str, Array]


@dataclass(frozen=True)
class Kind:
    """A kind of layer in the tutorial's JSON.

    Attributes
    ----------
    layer : type
    read : callable
        From an entry, and what to call it in errors, to the layer and its weights and biases as float64.
    write : callable
        From a layer to the fields that not all kinds have.
    """

    layer: type[Layer]
    read: Callable[[Entry, str], tuple[Layer, Arrays]]
    write: Callable[[Any], dict[str, Any]]


# -- FFL: no stride ----------------------------------------------------------------------------------------------


def _read_ffl(entry: Entry, where: str) -> tuple[Layer, Arrays]:
    neurons = validation.whole(entry.get("neurons"), f"{where}, neurons", low=1)
    inputs = validation.whole(entry.get("input_shape"), f"{where}, input_shape", low=1)
    arrays = _read_arrays(entry, (inputs, neurons), where)
    return FFL(inputs, neurons, activation=_activation(entry, where), is_bias="biases" in arrays), arrays


def _write_ffl(layer: FFL) -> dict[str, Any]:
    weights, biases = _arrays(layer)
    return {
        "neurons": layer.neurons,
        "weights": weights.tolist(),
        "biases": biases.tolist(),
        "dtype": str(weights.dtype),
    }


# -- Conv2d: "kernel_size" has four numbers; two, rows and columns, after the tutorial's own loader has loaded it


def _read_conv2d(entry: Entry, where: str) -> tuple[Layer, Arrays]:
    filters = validation.whole(entry.get("filters"), f"{where}, filters", low=1)
    size = validation.items(entry.get("kernel_size"), f"{where}, kernel_size")
    shape = tuple(validation.whole(n, f"{where}, kernel_size", low=1) for n in size)
    if len(shape) == 2:
        channels = validation.items(entry.get("input_shape"), f"{where}, input_shape")[2:]
        shape += (*(validation.whole(n, f"{where}, input_shape", low=1) for n in channels), filters)
    if len(shape) != 4 or shape[3] != filters:
        validation.wrong(f"{where}, kernel_size", f"[rows, columns] or [rows, columns, channels, {filters}]", size)
    arrays = _read_arrays(entry, shape, where)
    layer = Conv2d(
        filters=filters,
        kernel_size=shape[:2],
        isbias="biases" in arrays,
        activation=_activation(entry, where),
        stride=_pair(entry, "stride", where),
        padding=_read_padding(entry, where),
    )
    return layer, arrays


def _write_conv2d(layer: Conv2d) -> dict[str, Any]:
    if layer.dilation != (1, 1) or layer.groups != 1:
        raise ValueError(f"save: {layer.title} has dilation or groups, which the tutorial's JSON has not" + OTHER)
    weights, biases = _arrays(layer)
    return {
        "filters": layer.filters,
        "kernel_size": weights.shape,
        "stride": layer.stride,
        "padding": _write_padding(layer),
        "weights": weights.tolist(),
        "biases": biases.reshape(-1, 1).tolist(),
        "dtype": str(weights.dtype),
    }


# -- layers without weights --------------------------------------------------------------------------------------


def _read_pool2d(entry: Entry, where: str) -> tuple[Layer, Arrays]:
    kind = validation.text(entry.get("kind"), f"{where}, kind")
    size, stride = _pair(entry, "kernel_size", where), _pair(entry, "stride", where)
    try:
        return Pool2d(size, stride, kind, _read_padding(entry, where)), {}
    except ValueError as error:
        raise ModelFileError(f"{where}: {error}") from None


def _write_pool2d(layer: Pool2d) -> dict[str, Any]:
    if layer.kind not in POOLINGS:
        raise ValueError(f"save: {layer.title} has kind={layer.kind!r}, which the tutorial's JSON has not" + OTHER)
    return {
        "kernel_size": layer.kernel_size,
        "stride": layer.stride,
        "padding": _write_padding(layer),
        "kind": layer.kind,
    }


def _read_dropout(entry: Entry, where: str) -> tuple[Layer, Arrays]:
    prob = validation.number(entry.get("prob"), f"{where}, prob")
    return Dropout(prob) if 0 <= prob < 1 else validation.wrong(f"{where}, prob", "a share, 0 <= prob < 1", prob), {}


def _read_flatten(entry: Entry, where: str) -> tuple[Layer, Arrays]:
    return Flatten(), {}


def _read_upsample(entry: Entry, where: str) -> tuple[Layer, Arrays]:
    return Upsample(_pair(entry, "kernel_size", where)), {}


KINDS = {
    kind.layer.__name__: kind
    for kind in (
        Kind(FFL, _read_ffl, _write_ffl),
        Kind(Conv2d, _read_conv2d, _write_conv2d),
        Kind(Dropout, _read_dropout, lambda layer: {"prob": layer.prob}),
        Kind(Flatten, _read_flatten, lambda layer: {}),
        Kind(Pool2d, _read_pool2d, _write_pool2d),
        Kind(Upsample, _read_upsample, lambda layer: {"kernel_size": layer.kernel_size, "stride": layer.kernel_size}),
    )
}


# -- fields that several kinds have ------------------------------------------------------------------------------


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


def _read_padding(entry: Entry, where: str) -> Any:
    padding = entry.get("padding")
    if padding is not None and padding not in ("zero", "same"):
        validation.wrong(f"{where}, padding", "null, 'zero' or 'same'", padding)
    return padding


def _write_padding(layer: Conv2d | Pool2d) -> str | None:
    """The tutorial's word: it has one pixel on every side, or none."""
    words = {((0, 0), (0, 0)): None, ((1, 1), (1, 1)): "same" if layer.padding == "same" else "zero"}
    if layer.frame not in words:
        raise ValueError(
            f"save: {layer.title} has padding={layer.padding!r}, which the tutorial's JSON has not" + OTHER
        )
    return words[layer.frame]


def _arrays(layer: Weighted) -> tuple[Array, Array]:
    """Weights and biases; a layer without biases gets zeros, because the tutorial's code adds them in any case."""
    if layer.weights is None:
        raise ValueError(f"save: {layer.title} does not know its input yet; add it to a model first")
    weights = layer.weights.array
    biases = np.zeros(weights.shape[-1], weights.dtype) if layer.biases is None else layer.biases.array
    dtypes = {weights.dtype, biases.dtype}
    if len(dtypes) > 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        listed = ", ".join(map(str, dtypes))
        raise ValueError(
            f"save: {layer.title} has {listed}; the tutorial's JSON can hold one of float32 and float64" + OTHER
        )
    return weights, biases


def _read_arrays(entry: Entry, shape: tuple[int, ...], where: str) -> Arrays:
    """Weights of a shape and, where there are any, biases.

    The tutorial adds biases even where "isbias" is false, and so does the layer, unless all of them are 0. Those of a
    convolution have the shape (filters, 1).
    """
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
