"""Placed: an array whose axes stand in another order than the file's, and the table of ONNX's operators.

A file's images are channels first, ours channels last. No array is transposed for that: each knows which of the
file's axes stands where. Number by number it makes no difference, an operator that works along an axis asks where it
is, a Transpose only renames the axes, and what needs the file's order gets it from ``logical``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine import value
from tensorgrad.tensor import Array, Tensor

Attributes = dict[str, Any]
Operator = Callable[..., Any]  # takes the attributes and a Placed or None for each input; gives a Placed or a tuple

OPERATORS: dict[str, Operator] = {}
CHANNELS_LAST = {3: (0, 2, 1), 4: (0, 2, 3, 1)}  # of the file's axes, by their number


class Placed:
    """An array, and where the file's axes stand in it.

    Parameters
    ----------
    array : Tensor
    axes : tuple of int, optional
        At each place of the array's shape, the number of the file's axis that stands there; by default as in the file.
    """

    __slots__ = ("array", "axes")

    def __init__(self, array: Any, axes: tuple[int, ...] | None = None) -> None:
        self.array: Tensor = array if isinstance(array, Tensor) else Tensor.wrap(np.asarray(array))
        self.axes = tuple(range(self.array.ndim)) if axes is None else axes

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, in the file's order."""
        sizes = self.array.shape
        return tuple(sizes[self.axes.index(i)] for i in range(len(sizes)))

    @property
    def logical(self) -> Tensor:
        """The array in the file's order."""
        return self.laid(tuple(range(len(self.axes))))

    def laid(self, axes: tuple[int, ...]) -> Tensor:
        """The array in an order of the file's axes."""
        if self.axes == axes:
            return self.array
        return self.array.transpose([self.axes.index(axis) for axis in axes])

    def at(self, axis: int) -> int:
        """Where one of the file's axes stands; it may be counted from the end."""
        if not -self.ndim <= axis < self.ndim:
            raise ValueError(f"axis {axis} is not among the {self.ndim} of an input")
        return self.axes.index(axis % self.ndim)

    def like(self, array: Tensor) -> Placed:
        """Another array with the same axes."""
        return Placed(array, self.axes)

    def without(self, array: Tensor, gone: set[int]) -> Placed:
        """An array in which some of the file's axes are gone."""
        left = sorted(axis for axis in self.axes if axis not in gone)
        return Placed(array, tuple(left.index(axis) for axis in self.axes if axis not in gone))


def operator(f: Operator) -> Operator:
    """Keep a function as the operator of its name."""
    OPERATORS[f.__name__] = f
    return f


def in_file_order(f: Operator) -> Operator:
    """Turn a function of tensors in the file's order into an operator, under its name."""

    def apply(a: Attributes, *inputs: Placed | None) -> Any:
        return placed(f(a, *(None if x is None else x.logical for x in inputs)))

    OPERATORS[f.__name__] = apply
    return f


def placed(result: Any) -> Any:
    """What a function returns, as it stands."""
    return tuple(map(Placed, result)) if isinstance(result, tuple | list) else Placed(result)


def aligned(*inputs: Placed) -> tuple[list[Tensor], tuple[int, ...]]:
    """Tensors that broadcast as the file's arrays would, and the axes of what comes of them."""
    first = inputs[0]
    if all(x.axes == first.axes for x in inputs):
        return [x.array for x in inputs], first.axes
    leader = max(inputs, key=lambda x: (x.ndim, x.array.size))
    return [_beside(x, leader) for x in inputs], leader.axes


def _beside(x: Placed, leader: Placed) -> Tensor:
    if x.axes == leader.axes or (x.ndim < leader.ndim and x.array.size == 1):
        return x.array if x.axes == leader.axes else x.array.reshape(())
    missing = leader.ndim - x.ndim
    if missing:
        x = Placed(x.logical.reshape((*(1,) * missing, *x.shape)))
    return x.laid(leader.axes)


def ints(x: Placed | None) -> list[int]:
    """The numbers of an input that says how: a shape, axes, widths."""
    if x is None:
        return []
    array = value(x.logical)
    if array.dtype.kind not in "iub":
        raise ValueError(f"expected integers where shapes, axes or widths stand, received {array.dtype}")
    return [int(n) for n in array.ravel()]


def scalar(x: Placed | None, default: float | None = None) -> Any:
    """The number of an input that is one."""
    return default if x is None else value(x.array).item()


def raw(x: Placed) -> Array:
    """The values in the file's order."""
    return np.asarray(value(x.logical))


def bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that a file asks for, unless nothing of that size should be made."""
    if min(shape, default=0) < 0:
        raise ValueError(f"a shape with negative sizes, {shape}")
    if np.prod([float(n) for n in shape]) > LARGEST:
        raise ValueError(f"an array of shape {shape} has more than {LARGEST} numbers")
    return shape


LARGEST = 2**26
