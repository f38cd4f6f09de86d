"""What each layer of a model receives and gives, at any depth. The model itself is not changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from tensorgrad.layers.chain import links
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.network import Layered, Network
from tensorgrad.rows import Rows
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.samples import check_finite


@dataclass
class Passage:
    """The batch that a layer received, and its output."""

    layer: Layer
    input: Tensor
    out: Tensor

    @property
    def linear(self) -> Tensor:
        """The output before the activation, if the layer ends with one."""
        return before_activation([self.layer], self.input)


def before_activation(layers: Iterable[Layer], x: Tensor) -> Tensor:
    """The output of layers one after the other, without the last activation.

    That activation may belong to the last layer of a chain, and dropout and the like may follow it: softmax mixes the
    classes wherever it stands.
    """
    chain = list(links(layers))
    last = len(chain) - 1
    while last > 0 and _passes_on(chain[last]):
        last -= 1
    for i, layer in enumerate(chain):
        x = layer.linear(x) if i == last and hasattr(layer, "linear") else layer.forward(x, training=False)
    return x


def _passes_on(layer: Layer) -> bool:
    """Whether a layer passes numbers on unchanged when the model predicts."""
    return layer.is_elementwise and layer.activation is None and not layer.parameters()


def named_layers(model: Layered) -> dict[str, Layer]:
    """All layers of a model by name; those inside of another follow it, as ``"Add2.branches.0.layers.1"``."""
    found: dict[str, Layer] = {}

    def enter(name: str, layer: Layer) -> None:
        found[name] = layer
        for part, inner in layer.named_inner_layers():
            enter(f"{name}.{part}", inner)

    for name, layer in top_layers(model):
        enter(name, layer)
    return found


def layer_named(model: Network, name: str, owner: str) -> Layer:
    """The layer of that name, or a ValueError that lists the names."""
    layers = named_layers(model)
    if name not in layers:
        raise ValueError(f"{owner}: the model has no layer {name!r}; it has {', '.join(map(repr, layers))}")
    return layers[name]


def trace(model: Layered, x: Tensor, *, until: str | None = None) -> dict[str, Passage]:
    """Pass a batch through a model in prediction, and keep what each layer receives and gives.

    Parameters
    ----------
    model : Network
    x : Tensor, shape=(N, *input_shape)
    until : str, optional
        The last layer that is wanted; what comes after the outer layer that contains it is not computed.

    Returns
    -------
    dict from a layer's name to a Passage
        In the order of computation: an inner layer comes before the one that contains it.
    """
    passages: dict[str, Passage] = {}

    def note(name: str, layer: Layer, given: Tensor, out: Tensor) -> None:
        passages[name] = Passage(layer, given, out)

    for name, layer in top_layers(model):
        x = observed(name, layer, "forward", note).forward(x, False)
        if until is not None and f"{until}.".startswith(f"{name}."):
            break
    return passages


def top_layers(model: Layered) -> Iterator[tuple[str, Layer]]:
    """The layers that were added to a model, by name."""
    for i, layer in enumerate(model.layers):
        yield layer.name or f"{type(layer).__name__}{i}", layer


def observed(name: str, layer: Layer, method: str, note: Callable[[str, Layer, Any, Any], None]) -> Any:
    """A copy of a layer, and of all that it is made of, that notes each call of a method.

    Parameters
    ----------
    name : str
        The layer's; the layers inside of it are called ``"NAME.branches.0"`` and so on.
    layer : Layer
        It is left as it is; the copy has the same parameters.
    method : str
        Such as ``"forward"``.
    note : callable
        ``note(name, layer, argument, result)`` is called after each call, with the first argument.
    """
    copied: Any = copy.copy(layer)

    def within(part: str, value: Any) -> Any:
        if isinstance(value, Layer):
            return observed(part, value, method, note)
        if isinstance(value, list | tuple):
            items = [within(f"{part}.{i}", item) for i, item in enumerate(value)]
            return items if isinstance(value, list) else tuple(items)
        return value

    def call(argument: Any, *others: Any, **named: Any) -> Any:
        result = getattr(type(layer), method)(copied, argument, *others, **named)
        note(name, layer, argument, result)
        return result

    for attribute, value in vars(layer).items():
        vars(copied)[attribute] = within(f"{name}.{attribute.lstrip('_')}", value)
    vars(copied)[method] = call
    return copied


def sample(model: Network, image: npt.ArrayLike, owner: str) -> Array:
    """One sample as a batch of one, in the model's dtype; an error if it does not fit the model."""
    if not model.layers:
        raise ValueError(f"{owner}: the model has no layers yet; add them first")
    x = np.asarray(image)
    shape = as_tuple(model.layers[0].input_shape or ())
    if x.dtype.kind not in "fiub":
        raise TypeError(f"{owner}: the image must be numbers, received dtype {x.dtype}")
    if x.shape != shape:
        raise ValueError(
            f"{owner}: {model.layers[0].title} expects one sample of shape {shape}, received shape {x.shape}"
            + _hint(x.shape, shape)
        )
    check_finite(Rows(x[None]), owner, model.dtype)
    return x[None].astype(model.dtype)


def _hint(received: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """How to make a sample of an array of another shape."""
    if received[1:] == expected:
        return "; pass one of them, such as x[0]"
    if len(received) == 3 and (*received[1:], received[0]) == expected:
        return "; the channels come last here: use x.transpose(1, 2, 0)"
    return f"; use x.reshape{expected}" if prod(received) == prod(expected) else ""
