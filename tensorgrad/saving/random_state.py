"""The states of a model's random generators, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.random import generator
from tensorgrad.saving import validation

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

KIND = "PCG64"  # NumPy's default, which the library draws from


def generators(model: CNN) -> list[np.random.Generator]:
    """The model's own generator, and those of its layers and their parts: each once, in the layers' order."""
    found = {id(model.rng): model.rng}
    for layer in model.layers:
        for part in layer.walk():
            if isinstance(part.rng, np.random.Generator) and part.rng is not generator():
                found.setdefault(id(part.rng), part.rng)
    return list(found.values())


def encode(rng: np.random.Generator) -> list[int]:
    """A generator's state: four integers, the first two of 128 bits."""
    state: dict[str, Any] = dict(rng.bit_generator.state)
    if state["bit_generator"] != KIND:
        raise ValueError(
            f"save: a random generator of the model is {state['bit_generator']}; a file holds the state of {KIND}, as "
            "numpy.random.default_rng makes them"
        )
    inner = state["state"]
    return [inner["state"], inner["inc"], state["has_uint32"], state["uinteger"]]


def decode(value: Any, where: str) -> dict[str, Any]:
    """A state that a generator can be set to."""
    found = validation.items(value, where)
    limits = (2**128, 2**128, 2, 2**32)
    fits = len(found) == 4 and all(type(n) is int and 0 <= n < end for n, end in zip(found, limits, strict=True))
    if not fits or not found[1] % 2:
        validation.wrong(where, f"a state of {KIND}", value)
    return {
        "bit_generator": KIND,
        "state": {"state": found[0], "inc": found[1]},
        "has_uint32": found[2],
        "uinteger": found[3],
    }


def restore(model: CNN, values: Any, where: str) -> None:
    """Set all generators to the states in a file."""
    mine = generators(model)
    states = [decode(value, f"{where} {i}") for i, value in enumerate(validation.items(values, where))]
    if len(states) != len(mine):
        validation.wrong(where, f"{len(mine)} random states", values)
    for rng, state in zip(mine, states, strict=True):
        rng.bit_generator.state = state
