"""The state of layers and networks: parameters and running statistics by name, copied out and back in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tensorgrad.checks import brief, check_unmasked
from tensorgrad.tensor import Array, Tensor


class StateDifference(NamedTuple):
    """How a state differs from that of a network or layer.

    Attributes
    ----------
    missing : tuple of str
        Names that the network has and the state lacks.
    unexpected : tuple of str
        Names that the state has and the network lacks.
    reshaped : tuple of str
        Names of arrays whose shapes differ.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.reshaped)


class Stateful:
    """An object with parameters and running statistics, which ``named_state`` gives by name."""

    def named_state(self) -> Iterator[tuple[str, Tensor | Array]]:
        """Parameters, trained or frozen, and running statistics, with their names."""
        raise NotImplementedError

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """The tensors that are trained, each once, with their names."""
        found: dict[int, tuple[str, Tensor]] = {}
        for name, item in self.named_state():
            if isinstance(item, Tensor) and item.requires_grad:
                found.setdefault(id(item), (name, item))
        return list(found.values())

    def parameters(self) -> list[Tensor]:
        """The tensors that are trained, each once."""
        return [parameter for _, parameter in self.named_parameters()]

    def state_dict(self) -> dict[str, Array]:
        """Copies of the parameters, trained or frozen, and of the running statistics by name."""
        return {name: np.array(_array(item)) for name, item in self.named_state()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike], strict: bool = True) -> StateDifference:
        """Copy parameters and running statistics from a :meth:`state_dict`.

        Parameters
        ----------
        state : mapping from a name to an array
        strict : bool
            Refuse a state that differs in names or shapes. Otherwise what fits is loaded.

        Returns
        -------
        StateDifference
            The names that are missing, unexpected, or of another shape; falsy if there are none.

        Raises
        ------
        ValueError, TypeError
            If `strict` and something differs, with a list of it, or if an array does not hold real numbers. Nothing
            has changed then.
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"load_state_dict: expected a dict of arrays by name, as state_dict() gives, received {brief(state)}; "
                "set_weights takes a list"
            )
        here = {name: _array(item) for name, item in self.named_state()}
        shared = [name for name in here if name in state]
        there = {name: _fitting(state[name], here[name], "load_state_dict", name) for name in shared}
        found = StateDifference(
            missing=tuple(name for name in here if name not in state),
            unexpected=tuple(name for name in state if name not in here),
            reshaped=tuple(name for name in shared if here[name].shape != there[name].shape),
        )
        if strict and found:
            shapes = [f"{name} has shape {here[name].shape}, received {there[name].shape}" for name in found.reshaped]
            parts = (("missing", found.missing), ("unexpected", found.unexpected), ("of another shape", shapes))
            listed = "; ".join(f"{what}: {', '.join(names)}" for what, names in parts if names)
            raise ValueError(
                f"load_state_dict: the state does not fit. {listed}. Load it into the same layers, "
                "or pass strict=False to load what fits"
            )
        self._write({name: there[name] for name in shared if name not in found.reshaped})
        return found

    def get_weights(self) -> list[Array]:
        """Copies of the parameters, trained or frozen, and of the running statistics, in order."""
        return list(self.state_dict().values())

    def set_weights(self, weights: Sequence[npt.ArrayLike]) -> None:
        """Copy back the arrays of :meth:`get_weights`."""
        if not isinstance(weights, Iterable) or isinstance(weights, str | Mapping):
            raise TypeError(
                f"set_weights: expected a list of arrays, as get_weights() gives, received {brief(weights)}; "
                "load_state_dict takes a dict"
            )
        here, given = {name: _array(item) for name, item in self.named_state()}, list(weights)
        if len(here) != len(given):
            raise ValueError(f"set_weights: expected {len(here)} arrays, received {len(given)}")
        arrays = {
            name: _fitting(values, item, "set_weights", name)
            for (name, item), values in zip(here.items(), given, strict=True)
        }
        for name, array in arrays.items():
            if here[name].shape != array.shape:
                raise ValueError(f"set_weights: {name} has shape {here[name].shape}, received shape {array.shape}")
        self._write(arrays)

    def _write(self, values: Mapping[str, Array]) -> None:
        for name, item in self.named_state():
            if name in values:
                if isinstance(item, Tensor):
                    item.data = values[name]
                else:
                    item[...] = values[name]


def _array(item: Tensor | Array) -> Array:
    return np.asarray(item.array if isinstance(item, Tensor) else item)


def _fitting(values: Any, here: Array, owner: str, name: str) -> Array:
    """Values as an array, if they are numbers of a kind that can take the place of those that are here."""
    check_unmasked(values, owner, name)
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or (here.dtype.kind != "f" and array.dtype.kind == "f"):
        kind = "numbers" if here.dtype.kind == "f" else f"integers ({here.dtype})"
        raise TypeError(f"{owner}: {name} must be {kind}, received dtype {array.dtype}")
    return array
