"""Layers made of layers: one after the other, and side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Sequence as SequenceOf
from itertools import chain
from typing import Any, ClassVar, NoReturn

from tensorgrad import functional
from tensorgrad.checks import brief
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.layers.chain import bind_chain, run_chain
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, as_tuple
from tensorgrad.tensor import Array, Tensor


class Parts(tuple[Layer, ...]):
    """The layers that a wired layer is made of: they cannot change any more, as its shapes and weights go by them."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        what = f"the layers inside of a layer have no {name!r}"
        if hasattr(list, name):
            what = f"{name}: the layers inside of a layer cannot change once it knows its input; make a new one of them"
        raise AttributeError(what)


class Composite(Layer):
    """A layer made of layers, which stay as they are once it is wired."""

    parts: ClassVar[str]  # the attribute that holds them, an argument of the constructor

    def build(self, input_shape: Shape) -> None:
        """Keep the layers as they are from now on."""
        vars(self)[self.parts] = Parts(vars(self)[self.parts])

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, with the layers in a list."""
        return {name: list(value) if isinstance(value, Parts) else value for name, value in super().config().items()}


def _items(given: Any, owner: str) -> list[Any]:
    """What a list of layers holds, or an error if it is none."""
    if isinstance(given, Layer | str) or not isinstance(given, Iterable):
        raise TypeError(f"{owner}: expected a list of layers, received {brief(given)}; put it into one")
    return list(given)


class Sequential(Composite):
    """Layers one after the other, as one layer.

    Parameters
    ----------
    layers : sequence of Layer
        Without any, it is the identity. One that stands in several places has one set of weights there.
    """

    parts = "layers"
    is_chain = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" in vars(cls):  # which may do more than one after the other
            cls.is_chain = False

    def __init__(self, layers: SequenceOf[Layer]) -> None:
        self.layers: SequenceOf[Layer] = _items(layers, type(self).__name__)
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"{type(self).__name__}: expected layers, received {brief(layer)}")
        if self.layers:
            self.rank, self.input_shape = self.layers[0].rank, self.layers[0].input_shape

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The shape that the last layer gives; each is wired to the one before."""
        for layer in self.layers:
            layer.wire(input_shape, layer.rng)
            input_shape = layer.output_shape or input_shape
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Apply one after the other."""
        return run_chain(self.layers, x, training)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        return bind_chain(self.layers, x)

    def see(self, field: Field) -> Field:
        """The field of the last layer."""
        for layer in self.layers:
            field = layer.see(field)
        return field


class Branches(Composite):
    """Layers side by side that get the same input; a subclass says how what they give is joined.

    Parameters
    ----------
    branches : sequence of Layer, or of sequences of layers
        Each gets the same input. An empty sequence passes it on.
    """

    parts = "branches"

    def __init__(self, branches: SequenceOf[Layer | SequenceOf[Layer]]) -> None:
        name = type(self).__name__
        self.branches: SequenceOf[Layer] = [
            branch if isinstance(branch, Layer) else Sequential(_items(branch, name))
            for branch in _items(branches, name)
        ]
        if not self.branches:
            raise ValueError(f"{type(self).__name__}: expected at least one branch, received none")
        self.rank = next((branch.rank for branch in self.branches if branch.rank is not None), None)
        self.input_shape = next((b.input_shape for b in self.branches if b.input_shape is not None), None)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The shape of what is joined; each branch is wired to the input."""
        for branch in self.branches:
            branch.wire(input_shape, branch.rng)
        return self.joined_shape([as_tuple(branch.output_shape or ()) for branch in self.branches])

    def joined_shape(self, shapes: list[tuple[int, ...]]) -> Shape:
        """The shape of what is joined of the branches' outputs, or a ValueError if they do not go together."""
        raise NotImplementedError

    def bind_branches(self, x: Array, join: Callable[[list[Array]], Bound]) -> Bound:
        """Prepare the branches to predict, and what joins their results."""
        results, steps = zip(*(bind_chain([branch], x) for branch in self.branches), strict=True)
        joined, last = join(list(results))
        return joined, [*chain.from_iterable(steps), *last]

    def see(self, field: Field) -> Field:
        """The union of the branches' fields."""
        first, *others = (branch.see(field) for branch in self.branches)
        for other in others:
            first = first.union(other)
        return first


class Add(Branches):
    """Branches side by side, and the sum of what they give.

    Parameters
    ----------
    branches : sequence of Layer, or of sequences of layers
        Each gets the same input. An empty one passes it on: ``Add([[Conv2d(...), Conv2d(...)], []])`` is a residual
        block (He et al. 2016). A layer that stands in several places has one set of weights there.
    """

    joined_by = "+"

    def joined_shape(self, shapes: list[tuple[int, ...]]) -> Shape:
        """The shape that all branches give."""
        if len(set(shapes)) > 1:
            raise ValueError(f"{self.title}: all branches must give the same shape; they give {shapes}")
        return _shape(shapes[0])

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Apply each branch, and add."""
        first, *others = (branch.run(x, training) for branch in self.branches)
        for other in others:
            first = first + other
        return first

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        return self.bind_branches(x, bound.add)


class Concatenate(Branches):
    """Branches side by side, and what they give one after the other along the last axis, the channels.

    Parameters
    ----------
    branches : sequence of Layer, or of sequences of layers
        Each gets the same input. An empty one passes it on: ``Concatenate([[Conv2d(...)], []])`` adds
        channels to those that are there (Huang et al. 2017).
    """

    joined_by = "concat"

    def joined_shape(self, shapes: list[tuple[int, ...]]) -> Shape:
        """The branches' shape, with the sum of their channels."""
        if len({shape[:-1] for shape in shapes}) > 1:
            raise ValueError(
                f"{self.title}: branches must give the same shape but for the last axis; they give {shapes}"
            )
        return _shape((*shapes[0][:-1], sum(shape[-1] for shape in shapes)))

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Apply each branch, and concatenate."""
        return functional.concatenate([branch.run(x, training) for branch in self.branches], axis=-1)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        return self.bind_branches(x, bound.concatenate)


def _shape(items: tuple[int, ...]) -> Shape:
    """A sample's shape, an int where it is flat."""
    return items[0] if len(items) == 1 else items
