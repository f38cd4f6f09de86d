"""The state of layers and networks: parameters and running statistics by name, copied out and back in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
        here = {name: _array(item) for name, item in self.named_state()}
        there = {name: np.asarray(values) for name, values in state.items()}
        shared = [name for name in here if name in there]
        found = StateDifference(
            missing=tuple(name for name in here if name not in there),
            unexpected=tuple(name for name in there if name not in here),
            reshaped=tuple(name for name in shared if here[name].shape != there[name].shape),
        )
        for name in shared:
            if there[name].dtype.kind not in "fiub" or (here[name].dtype.kind != "f" and there[name].dtype.kind == "f"):
                kind = "numbers" if here[name].dtype.kind == "f" else f"integers ({here[name].dtype})"
                raise TypeError(f"load_state_dict: {name} must be {kind}, received dtype {there[name].dtype}")
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
        here, arrays = list(self.named_state()), [np.asarray(w) for w in weights]
        if len(here) != len(arrays):
            raise ValueError(f"set_weights: expected {len(here)} arrays, received {len(arrays)}")
        for (name, item), array in zip(here, arrays, strict=True):
            if item.shape != array.shape:
                raise ValueError(f"set_weights: {name} has shape {item.shape}, received shape {array.shape}")
        self._write({name: array for (name, _), array in zip(here, arrays, strict=True)})

    def _write(self, values: Mapping[str, Array]) -> None:
        for name, item in self.named_state():
            if name in values:
                if isinstance(item, Tensor):
                    item.data = values[name]
                else:
                    item[...] = values[name]


def _array(item: Tensor | Array) -> Array:
    return np.asarray(item.array if isinstance(item, Tensor) else item)
