"""Parameters as PyTorch keeps them: other names, another order of axes, and flat vectors with the channels first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tensorgrad.layers import Flatten, Layer, Sequential
from tensorgrad.layers.layer import as_tuple
from tensorgrad.network import Network
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.tensor import Array, Tensor

NAMES = {"weights": "weight", "biases": "bias", "running_mean": "running_mean", "running_var": "running_var"}
COUNTER = "num_batches_tracked"  # which PyTorch keeps and nothing here needs


@dataclass(frozen=True)
class Placed:
    """A layer of a chain, and how the flat vectors that it takes are ordered in PyTorch.

    Attributes
    ----------
    path : str
        Such as "2" or "2.layers.0".
    layer : Layer
    order : ndarray of int or None
        Behind a Flatten of images: PyTorch's number j is our number ``order[j]``.
    """

    path: str
    layer: Layer
    order: Array | None

    def to_torch(self, array: Array) -> Array:
        """An array of the layer as PyTorch has it."""
        if array.ndim == 4:
            return array.transpose(3, 2, 0, 1)
        return array.T if self._order(array) is None else array[self._order(array)].T

    def from_torch(self, array: Array) -> Array:
        """An array of PyTorch's as the layer has it."""
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)
        order = self._order(array)
        if order is None:
            return array.T
        found = np.empty_like(array.T)
        found[order] = array.T
        return found

    def _order(self, array: Array) -> Array | None:
        """The order of an array's numbers for what goes in; the biases of a product are for what comes out."""
        return None if self.layer.family == "dense" and array.ndim == 1 else self.order

    def arrays(self) -> Iterator[tuple[str, str, Array]]:
        """The layer's own arrays: our name, PyTorch's, and the array."""
        for attribute, name in NAMES.items():
            value = getattr(self.layer, attribute, None)
            if value is not None:
                array = np.asarray(value.array if isinstance(value, Tensor) else value)
                yield f"{self.path}.{attribute}", name, array


def chain(layers: Iterable[Layer], path: str = "", order: Array | None = None) -> Iterator[Placed]:
    """Layers one after the other, those of a Sequential in its place. A Flatten sets the order, a product ends it."""
    for i, layer in enumerate(layers):
        here = f"{path}{i}"
        if isinstance(layer, Sequential):
            placed = list(chain(layer.layers, f"{here}.layers.", order))
            yield from placed
            order = _after(placed[-1]) if placed else order
            continue
        found = Placed(here, layer, order)
        yield found
        order = _after(found)


def _after(placed: Placed) -> Array | None:
    """The order of what a layer gives."""
    shape = as_tuple(placed.layer.input_shape or ())
    if isinstance(placed.layer, Flatten) and len(shape) == 3:
        numbers = np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
        return None if np.array_equal(numbers, np.sort(numbers)) else numbers
    return None if placed.layer.family == "dense" else placed.order


def translated(network: Network, values: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of a state dict under our names and in our order.

    Modules are matched with layers in the order of their names, in which 10 comes after 9; where that does not go with
    their shapes, by the shapes, if each fits one layer only.

    Raises
    ------
    ModelFileError
        If a layer has no module of its shapes, or several that could be meant.
    """
    modules: dict[str, dict[str, Array]] = {}
    for name in sorted(values, key=_natural):
        module, _, kind = name.rpartition(".")
        if kind != COUNTER:
            modules.setdefault(module, {})[kind] = values[name]
    wanted = [(placed, list(placed.arrays())) for placed in chain(network.layers)]
    wanted = [(placed, arrays) for placed, arrays in wanted if arrays]
    needs = [{name: placed.to_torch(array).shape for _, name, array in arrays} for placed, arrays in wanted]
    has = {module: {kind: array.shape for kind, array in arrays.items()} for module, arrays in modules.items()}
    chosen = (
        list(has) if list(has.values()) == needs else [_only(need, has, wanted[i][0]) for i, need in enumerate(needs)]
    )
    if left := [module for module in has if module not in chosen]:
        raise ModelFileError(f"no layer takes its module {left[0]!r}, of the shapes {has[left[0]]}")
    return {
        ours: placed.from_torch(modules[module][name])
        for module, (placed, arrays) in zip(chosen, wanted, strict=True)
        for ours, name, _ in arrays
    }


def _only(need: dict[str, tuple[int, ...]], has: Mapping[str, dict[str, tuple[int, ...]]], placed: Placed) -> str:
    """The one module that has arrays of some shapes."""
    found = [module for module, shapes in has.items() if shapes == need]
    if len(found) != 1:
        several = f"{len(found)} modules have: {', '.join(found[:5])}" if found else "no module has"
        raise ModelFileError(f"{placed.layer.title} needs arrays of the shapes {need}, as {several}")
    return found[0]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts "10" after "9"."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
