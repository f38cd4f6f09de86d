"""The states of a network's random generators as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.random import generator
from tensorgrad.saving import validation
from tensorgrad.saving.protocols import Buildable

KIND = "PCG64"  # NumPy's default, which the library draws from


def generators(network: Buildable) -> list[np.random.Generator]:
    """The network's generator, then those of its layers and of the layers inside of them, each once."""
    found = {id(network.rng): network.rng}
    for layer in network.layers:
        for part in layer.walk():
            if isinstance(part.rng, np.random.Generator) and part.rng is not generator():
                found.setdefault(id(part.rng), part.rng)
    return list(found.values())


def encode(rng: np.random.Generator) -> list[int]:
    """A generator's state as four integers, the first two of 128 bits."""
    state: dict[str, Any] = dict(rng.bit_generator.state)
    if state["bit_generator"] != KIND:
        raise ValueError(
            f"save: a random generator of the model is {state['bit_generator']}; a file holds the state of {KIND}, as "
            "numpy.random.default_rng makes them"
        )
    inner = state["state"]
    return [inner["state"], inner["inc"], state["has_uint32"], state["uinteger"]]


def decode(value: Any, where: str) -> dict[str, Any]:
    """A state in the form that NumPy's generators take."""
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


def restore(network: Buildable, values: Any, where: str) -> None:
    """Set all generators of a network to the states in a file."""
    mine = generators(network)
    states = [decode(value, f"{where} {i}") for i, value in enumerate(validation.items(values, where))]
    if len(states) != len(mine):
        validation.wrong(where, f"{len(mine)} random states", values)
    for rng, state in zip(mine, states, strict=True):
        rng.bit_generator.state = state
