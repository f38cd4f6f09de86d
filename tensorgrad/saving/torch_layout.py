"""Parameters as PyTorch keeps them: other names, another order of axes, and flat vectors with the channels first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tensorgrad.layers import Flatten, Layer, Reshape, Sequential
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Network
from tensorgrad.saving.channel_order import channels_first, in_our_order
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.tensor import Array, Tensor

NAMES = {"weights": "weight", "biases": "bias", "running_mean": "running_mean", "running_var": "running_var"}
COUNTER = "num_batches_tracked"  # which PyTorch keeps and nothing here needs


@dataclass(frozen=True)
class Placed:
    """A layer of a chain, and how the flat vectors that it takes and gives are ordered in PyTorch.

    Attributes
    ----------
    path : str
        Such as "2" or "2.layers.0".
    layer : Layer
    order, given : ndarray of int or None
        Of what it takes and of what it gives: PyTorch's number j is our number ``order[j]``.
    """

    path: str
    layer: Layer
    order: Array | None
    given: Array | None

    def to_torch(self, array: Array) -> Array:
        """An array of the layer as PyTorch has it."""
        if array.ndim == 4:
            return array.transpose(3, 2, 0, 1)
        if self.layer.family == "dense":
            array = array if self.given is None else array[..., self.given]
            return array.T if self.order is None or array.ndim == 1 else array[self.order].T
        return array.T if self.order is None else array[self.order]

    def from_torch(self, array: Array) -> Array:
        """An array of PyTorch's as the layer has it."""
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)
        if self.layer.family == "dense":
            rows = array.T if array.ndim == 1 else in_our_order(array.T, self.order)
            return in_our_order(rows.T, self.given).T
        return array.T if self.order is None else in_our_order(array, self.order)

    @property
    def unflattens(self) -> bool:
        """Whether it reshapes a flat vector whose numbers are in the order that PyTorch's Unflatten takes them in."""
        taken, given = (len(as_tuple(shape or ())) for shape in (self.layer.input_shape, self.layer.output_shape))
        needed = channels_first(self.layer.output_shape)
        return isinstance(self.layer, Reshape) and taken == 1 < given and _same(needed, self.order)

    def arrays(self) -> Iterator[tuple[str, str, Array]]:
        """The layer's own arrays: our name, PyTorch's, and the array."""
        for attribute, name in NAMES.items():
            value = getattr(self.layer, attribute, None)
            if value is not None:
                array = np.asarray(value.array if isinstance(value, Tensor) else value)
                yield f"{self.path}.{attribute}", name, array


def _same(a: Array | None, b: Array | None) -> bool:
    return a is b is None or (a is not None and b is not None and np.array_equal(a, b))


def chain(layers: Iterable[Layer]) -> Iterator[Placed]:
    """Layers one after the other, those of a Sequential in its place.

    Flat vectors are in PyTorch's order behind a Flatten and before a Reshape; a product ends the one and begins the
    other.
    """
    flat = list(_flat(layers, ""))
    ahead: list[Array | None] = []  # the order of what each must give, for a Reshape that comes
    needed = None
    for _, layer in reversed(flat):
        ahead.append(needed)
        if isinstance(layer, Reshape) and len(as_tuple(layer.input_shape or ())) == 1:
            needed = channels_first(layer.output_shape)
        elif layer.family == "dense" or not layer.is_elementwise:
            needed = None
    order = None
    for (path, layer), given in zip(flat, reversed(ahead), strict=True):
        if isinstance(layer, Reshape):
            given = None
        elif isinstance(layer, Flatten) and len(as_tuple(layer.input_shape or ())) > 1:
            given = channels_first(layer.input_shape)
        elif layer.family != "dense":
            given = order
        yield Placed(path, layer, order, given)
        order = given


def _flat(layers: Iterable[Layer], path: str) -> Iterator[tuple[str, Layer]]:
    for i, layer in enumerate(layers):
        if isinstance(layer, Sequential):
            yield from _flat(layer.layers, f"{path}{i}.layers.")
        else:
            yield f"{path}{i}", layer


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
