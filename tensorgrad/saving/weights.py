"""The arrays of a network by name: parameters, trained or frozen, and running statistics."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from tensorgrad.layers.state import StateDifference
from tensorgrad.network import Network
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.saving.protocols import Buildable
from tensorgrad.tensor import Array, Tensor

PathLike = str | os.PathLike[str]


def named(network: Buildable) -> dict[str, Tensor | Array]:
    """The tensors and buffers by name, such as ``"0.weights"``, if a file can hold them."""
    found: dict[str, Tensor | Array] = {}
    owners: dict[int, str] = {}
    for name, item in network.named_state():
        if name in found:
            raise ValueError(
                f"save: two arrays are called {name!r}; give each attribute of the layer a name of its own"
            )
        if id(item) in owners:
            raise ValueError(
                f"save: {name!r} and {owners[id(item)]!r} are one array, which would be two in the loaded model; share "
                "the layer instead of its array"
            )
        found[name] = item
        owners[id(item)] = name
    return found


def arrays(network: Buildable) -> dict[str, Array]:
    """The same as arrays."""
    return {name: np.asarray(item.array if isinstance(item, Tensor) else item) for name, item in named(network).items()}


def load(network: Network, values: Mapping[str, Array], strict: bool) -> StateDifference:
    """Copy the arrays of a file into a network: if `strict` all or none, otherwise those that fit."""
    if strict:
        refuse(differences(arrays(network), values))
    return network.load_state_dict(values, strict=False)


def differences(here: Mapping[str, Array], there: Mapping[str, Array], dtypes: bool = True) -> list[str]:
    """A line for each array of a file that is missing, unexpected, or of another shape or dtype."""
    found = [f"missing: {name}, {_kind(here[name])}" for name in here if name not in there]
    found += [f"unexpected: {name}, {_kind(there[name])}" for name in there if name not in here]
    for name in here:
        if name in there:
            a, b = here[name], there[name]
            if a.shape != b.shape or (dtypes and a.dtype != b.dtype):
                found.append(f"different: {name} is {_kind(a)} in the model, {_kind(b)} in the file")
    return found


def _kind(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"


def refuse(found: list[str]) -> None:
    """Raise an error that lists the differences, if there are any."""
    if found:
        more = [f"and {len(found) - 20} more"] if len(found) > 20 else []
        listed = "".join(f"\n  {line[:200]}" for line in found[:20] + more)
        raise ModelFileError(
            f"its arrays are not those of the model; load them into a model with the same layers{listed}"
        )
