"""GraphWriter: an ONNX graph that is written node by node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from tensorgrad.layers.shapes import Shape, as_tuple
from tensorgrad.saving.channel_order import channels_first
from tensorgrad.tensor import Array, Tensor


@dataclass(frozen=True)
class Value:
    """An array in the graph.

    Attributes
    ----------
    name : str
        What nodes call it.
    shape : tuple of int
        Of one sample, as the layers have it. In the graph, images have their channels first.
    order : ndarray of int, optional
        Of a flat vector whose numbers stand in another order than the layers have them, as behind a Flatten of channels
        first: number j is the layers' number ``order[j]``.
    """

    name: str
    shape: tuple[int, ...]
    order: Array | None = None

    @property
    def is_image(self) -> bool:
        """Whether a sample has rows, columns and channels."""
        return len(self.shape) == 3


@dataclass
class GraphWriter:
    """Nodes in order, and the arrays that they use.

    Attributes
    ----------
    opset : int
        The version of ONNX's operators.
    dtype : dtype
        Of the model's floats.
    title, path : str
        Of the layer that is being written: how its nodes and its arrays are called.
    shape : tuple of int
        Of its output, of one sample.
    results : list of Value
        The outputs of the whole, where there are several.
    """

    opset: int
    dtype: np.dtype[Any]
    title: str = ""
    path: str = ""
    shape: tuple[int, ...] = ()
    nodes: list[Any] = field(default_factory=list)
    arrays: dict[str, Array] = field(default_factory=dict)
    results: list[Value] = field(default_factory=list)
    _names: set[str] = field(default_factory=lambda: {"input", "output"})  # those that are taken

    def add(
        self, op: str, *inputs: Value | str, shape: Shape | None = None, order: Array | None = None, **attributes: Any
    ) -> Value:
        """Write a node.

        Parameters
        ----------
        op : str
            An operator of ONNX.
        *inputs : Value, or str as :meth:`constant` gives it
            An input that is left out is "".
        shape : tuple of int, optional
            Of one sample of the result, as layers have it; by default the layer's output shape.
        order : ndarray of int, optional
            See :class:`Value`.
        **attributes
            Of the node.

        Returns
        -------
        Value
            The node's first output.
        """
        from onnx import helper

        name = self.unique(self.title if self.title not in self._names else f"{self.title}/{op}")
        names = [value.name if isinstance(value, Value) else value for value in inputs]
        self.nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return Value(name, self.shape if shape is None else as_tuple(shape), order)

    def constant(self, name: str, values: Any, *, exact: bool = False) -> str:
        """Keep an array as ``"path.name"``; floats become the model's unless `exact`. Return its name in the graph."""
        return self.keep(f"{self.path}.{name}", values, exact=exact)

    def keep(self, label: str, values: Any, *, exact: bool = False) -> str:
        """Keep an array under a name, or under one with a number if another array has it."""
        array = np.asarray(values.array if isinstance(values, Tensor) else values)
        if array.dtype.kind == "f" and not exact:
            array = array.astype(self.dtype, copy=False)
        found = self.arrays.get(label)
        if label in self._names and (found is None or not np.array_equal(found, array)):
            label = self.unique(label)
        self._names.add(label)
        self.arrays[label] = np.ascontiguousarray(array).reshape(array.shape)
        return label

    def copy(self, op: str, inputs: list[str], outputs: list[str], name: str, attributes: dict[str, Any]) -> list[str]:
        """Write a node of another graph. Return the names of its outputs here."""
        from onnx import helper

        made = [self.unique(output) if output else "" for output in outputs]
        self.nodes.append(helper.make_node(op, inputs, made, name=name or made[0], **attributes))
        return made

    def unique(self, name: str) -> str:
        """The name, with a number if it is taken."""
        found, number = name, 1
        while found in self._names:
            number += 1
            found = f"{name}/{number}"
        self._names.add(found)
        return found

    def alike(self, op: str, x: Value, *others: Value | str, **attributes: Any) -> Value:
        """Write a node whose result has the shape and the order of its first input."""
        return self.add(op, x, *others, shape=x.shape, order=x.order, **attributes)

    # -- layouts -------------------------------------------------------------------------------------------

    def sorted(self, x: Value) -> Value:
        """A flat vector in the layers' order."""
        if x.order is None:
            return x
        return self.add("Gather", x, self.constant("order", np.argsort(x.order)), shape=x.shape, axis=1)

    def channels_last(self, x: Value) -> Value:
        """The same numbers in the order in which the layers have them; images become (N, H, W, C) in the graph."""
        return self.add("Transpose", x, shape=x.shape, perm=(0, 2, 3, 1)) if x.is_image else self.sorted(x)

    def channels_first(self, x: Value) -> Value:
        """An image that is (N, H, W, C) in the graph as (N, C, H, W); anything else as it is."""
        return self.add("Transpose", x, shape=x.shape, perm=(0, 3, 1, 2)) if x.is_image else x

    def flat(self, x: Value) -> Value:
        """Each sample as a vector; of an image in the order of the graph, which costs nothing."""
        if len(x.shape) == 1:
            return x
        return self.add("Flatten", x, shape=prod(x.shape), order=channels_first(x.shape) if x.is_image else None)

    def per_channel(self, x: Value, numbers: Any) -> Array:
        """Numbers for the layers' last axis, of the shape and in the order that go with `x` in the graph."""
        array = np.asarray(numbers.array if isinstance(numbers, Tensor) else numbers)
        if x.is_image and array.ndim:
            return array.reshape(-1, 1, 1)
        return array[x.order] if x.order is not None and array.ndim else array

    def reduced(self, op: str, x: Value, axes: tuple[int, ...], keepdims: bool) -> Value:
        """A reduction, but for ReduceSum: its axes were an attribute before opset 18."""
        shape = (1,) * len(x.shape) if keepdims else self.shape
        if self.opset < 18:
            return self.add(op, x, shape=shape, axes=axes, keepdims=int(keepdims))
        return self.add(op, x, self.constant("axes", np.array(axes)), shape=shape, keepdims=int(keepdims))

    @contextmanager
    def writing(self, title: str, path: str, shape: Shape) -> Iterator[None]:
        """While it lasts, what is written belongs to a layer: its title, its path, and the shape of its output."""
        before = self.title, self.path, self.shape
        self.title, self.path, self.shape = title, path, as_tuple(shape)
        try:
            yield
        finally:
            self.title, self.path, self.shape = before
