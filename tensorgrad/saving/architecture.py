"""Layers and schedules as JSON: the name of a registered class, and the arguments that make the same object again.

Arguments may be None, bools, numbers, strings, layers, schedules, and lists, tuples and dicts of them. What JSON does
not tell apart stands in an object with one key: {"tuple": [...]}, {"dict": {...}}, {"float": "nan"},
{"layer": "Conv2d", "config": {...}}.
"""

from __future__ import annotations

import dataclasses
import inspect
from math import isfinite
from typing import Any

import numpy as np

from tensorgrad.layers import Layer
from tensorgrad.saving import validation
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.saving.registry import category, kind_of, name_of

LARGEST = 2**63  # of integers among the arguments


def encode_layer(layer: Layer, where: str) -> dict[str, Any]:
    """A layer, by the arguments that its ``config`` gives."""
    kind = type(layer)
    name = name_of(layer, where)
    config = layer.config()
    parameters = inspect.signature(kind).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    needed = {p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD and p.name not in kind.initial}
    if kind.config is not Layer.config:  # it says itself what is needed
        needed = {key for key in needed if parameters[key].default is inspect.Parameter.empty}
    missing, unexpected = sorted(needed - config.keys()), sorted(config.keys() - parameters.keys())
    if missing or (unexpected and not open_ended):
        raise ValueError(
            f"save: {where}: config() must give the constructor's arguments, but lacks {missing} and has {unexpected} "
            "too many; keep each argument in an attribute of its name, or define config()"
        )
    return {"layer": name, "config": {key: encode(value, f"{where}, {key}") for key, value in config.items()}}


def encode(value: Any, where: str) -> Any:
    """An argument."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and abs(value) < LARGEST:
        return int(value)
    if isinstance(value, float):
        return float(value) if isfinite(value) else {"float": str(float(value))}
    if isinstance(value, Layer):
        return encode_layer(value, where)
    if type(value) is list:
        return [encode(item, where) for item in value]
    if type(value) is tuple:
        return {"tuple": [encode(item, where) for item in value]}
    if type(value) is dict and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item, where) for key, item in value.items()}}
    if category(type(value)) == "schedule":
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        config = {key: encode(item, f"{where}, {key}") for key, item in fields.items()}
        return {"schedule": name_of(value, where), "config": config}
    raise ValueError(
        f"save: {where} is {str(value)[:60]!r} of type {type(value).__name__}, which a file cannot hold; it can hold "
        "numbers, strings, None, layers, the schedules of tensorgrad.optim, and lists, tuples and dicts of them"
    )


def decode(value: Any, where: str) -> Any:
    """An argument, from the JSON of it."""
    if isinstance(value, list):
        return [decode(item, where) for item in value]
    if isinstance(value, int) and abs(value) >= LARGEST:
        validation.wrong(where, "an integer of 64 bits", value)
    if isinstance(value, float) and not isfinite(value):
        validation.wrong(where, "a finite number", value)
    if not isinstance(value, dict):
        return value
    if "layer" in value or "schedule" in value:
        wanted = "layer" if "layer" in value else "schedule"
        return make(value, wanted, where)
    ((tag, inner),) = value.items() if len(value) == 1 else validation.wrong(where, "an object with one key", value)
    if tag == "tuple":
        return tuple(decode(item, where) for item in validation.items(inner, where))
    if tag == "dict":
        return {key: decode(item, where) for key, item in validation.mapping(inner, where).items()}
    if tag == "float" and inner in ("nan", "inf", "-inf"):
        return float(inner)
    return validation.wrong(where, "a tuple, dict, float, layer or schedule", value)


def make(value: Any, wanted: str, where: str) -> Any:
    """A layer or schedule from its JSON: by the class that is registered, with the arguments that are in the file."""
    found = validation.keys(value, where, (wanted, "config"))
    name = validation.text(found[wanted], where)
    kind = kind_of(name, wanted, where)
    where = f"{where}, {name}"
    config = {
        validation.text(key, where): decode(argument, f"{where}, {key[:60]}")
        for key, argument in validation.mapping(found["config"], where).items()
    }
    signature = inspect.signature(kind)
    more = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
    unknown = [key for key in config if key not in signature.parameters or key in getattr(kind, "initial", ())]
    if unknown and more is None:
        raise ModelFileError(f"{where}: it has no arguments {unknown[:10]}")
    if more is not None:
        config[more] = {key: config.pop(key) for key in unknown}
    try:
        bound = inspect.BoundArguments(signature, config)
        return kind(*bound.args, **bound.kwargs)
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        raise ModelFileError(f"{where}: it cannot be made: {error}") from error
