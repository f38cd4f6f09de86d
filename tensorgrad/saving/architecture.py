"""Layers and schedules as JSON: the name of a registered class, and the arguments that make the same object again.

Arguments may be None, bools, numbers, strings, layers, schedules, and lists, tuples and dicts of them. What JSON does
not tell apart is an object with one key: {"tuple": [...]}, {"dict": {...}}, {"float": "nan"}. A layer is
{"layer": "Conv2d", "config": {...}}. One that stands in several places has a number, such as {"layer": "Conv2d",
"config": {...}, "shared": 0}, and is {"shared": 0} in the later places.
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
COUNTED = 2**20  # layers that are counted at most
KEYS = ("layer", "config", "shared")  # of a layer


class Encoder:
    """Turns the layers of one model into JSON."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Layer, dict[str, Any]]] = {}  # by id: a layer, which must live on, and its JSON
        self.shared = 0  # layers that stand in several places

    def layer(self, layer: Layer, where: str) -> dict[str, Any]:
        """A layer: the arguments in its ``config``, or its number if it was encoded before."""
        if id(layer) in self._known:
            _, first = self._known[id(layer)]
            if "config" not in first:
                raise ValueError(f"save: {where} is a layer inside of itself, which a file cannot hold")
            if "shared" not in first:
                first["shared"] = self.shared
                self.shared += 1
            return {"shared": first["shared"]}
        encoded: dict[str, Any] = {"layer": name_of(layer, where)}
        self._known[id(layer)] = (layer, encoded)
        config = layer.config()
        _check_config(layer, config, where)
        encoded["config"] = {key: self.value(value, f"{where}, {key}") for key, value in config.items()}
        return encoded

    def value(self, value: Any, where: str) -> Any:
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
            return self.layer(value, where)
        if type(value) is list:
            return [self.value(item, where) for item in value]
        if type(value) is tuple:
            return {"tuple": [self.value(item, where) for item in value]}
        if type(value) is dict and all(isinstance(key, str) for key in value):
            return {"dict": {key: self.value(item, where) for key, item in value.items()}}
        if category(type(value)) == "schedule":
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            config = {key: self.value(item, f"{where}, {key}") for key, item in fields.items()}
            return {"schedule": name_of(value, where), "config": config}
        raise ValueError(
            f"save: {where} is {str(value)[:60]!r} of type {type(value).__name__}, which a file cannot hold; "
            "it can hold numbers, strings, None, layers, the schedules of tensorgrad.optim, and lists, tuples and "
            "dicts of them"
        )


def _check_config(layer: Layer, config: dict[str, Any], where: str) -> None:
    """Raise unless the constructor can be called with the arguments in ``config``."""
    kind = type(layer)
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


class Decoder:
    """Makes the layers and schedules of one model from their JSON."""

    def __init__(self) -> None:
        self._shared: dict[int, Layer] = {}  # by number

    def layer(self, value: Any, where: str) -> Layer:
        """A layer: a new one, or one that was decoded before."""
        found = validation.keys(value, where, (), KEYS)
        if "layer" in found:
            made: Layer = self._make(found, "layer", where)
            if "shared" in found:
                number = validation.whole(found["shared"], f"{where}, shared")
                if number in self._shared:
                    validation.wrong(f"{where}, shared", "a number that no other layer has", number)
                self._shared[number] = made
            return made
        number = validation.whole(found.get("shared"), f"{where}, shared")
        if len(found) > 1 or number not in self._shared:
            validation.wrong(where, "a layer, or the number of a layer before it", value)
        return self._shared[number]

    def schedule(self, value: Any, where: str) -> Any:
        """A learning-rate schedule."""
        return self._make(validation.keys(value, where, ("schedule", "config")), "schedule", where)

    def value(self, value: Any, where: str) -> Any:
        """An argument."""
        if isinstance(value, list):
            return [self.value(item, where) for item in value]
        if isinstance(value, int) and abs(value) >= LARGEST:
            validation.wrong(where, "an integer of 64 bits", value)
        if isinstance(value, float) and not isfinite(value):
            validation.wrong(where, "a finite number", value)
        if not isinstance(value, dict):
            return value
        if "layer" in value or "shared" in value:
            return self.layer(value, where)
        if "schedule" in value:
            return self.schedule(value, where)
        ((tag, inner),) = value.items() if len(value) == 1 else validation.wrong(where, "an object with one key", value)
        if tag == "tuple":
            return tuple(self.value(item, where) for item in validation.items(inner, where))
        if tag == "dict":
            return {key: self.value(item, where) for key, item in validation.mapping(inner, where).items()}
        if tag == "float" and inner in ("nan", "inf", "-inf"):
            return float(inner)
        return validation.wrong(where, "a tuple, dict, float, layer or schedule", value)

    def _make(self, found: dict[str, Any], wanted: str, where: str) -> Any:
        """An object of the registered class, made with the arguments in the file."""
        name = validation.text(found[wanted], where)
        kind = kind_of(name, wanted, where)
        where = f"{where}, {name}"
        config = {
            validation.text(key, where): self.value(argument, f"{where}, {key[:60]}")
            for key, argument in validation.mapping(found.get("config"), where).items()
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


def expanded(entries: Any) -> int:
    """How many layers a model has, if one that stands in several places counts in each.

    A chain of shared layers of shared layers is exponentially long, and so is the time to pass through it.
    """
    counts: dict[Any, int] = {}  # of shared layers, by number

    def count(value: Any) -> int:
        if isinstance(value, list):
            return sum(map(count, value))
        if not isinstance(value, dict):
            return 0
        shared = value.get("shared")
        if "layer" not in value and isinstance(shared, int):
            return counts.get(shared, 1)
        found = ("layer" in value) + sum(map(count, value.values()))
        if isinstance(shared, int):
            counts[shared] = found = min(found, COUNTED)
        return found

    return count(entries)
