"""What a model is made of, in words and as a Mermaid flow chart."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad.inspection.tracing import top_layers
from tensorgrad.layers import FFL, Activation, Add, Conv2d, Dropout, GlobalPool, Pool2d, Sequential, Upsample
from tensorgrad.layers.layer import Layer, Shape, as_tuple

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


_WORDS: dict[type[Layer], Callable[[Any], str]] = {
    Activation: lambda la: "",
    Conv2d: lambda la: f"{la.filters} filters of {_by(la.kernel_size)}",
    Dropout: lambda la: f"drops {la.prob:.0%}",
    FFL: lambda la: f"{la.neurons} neurons",
    GlobalPool: lambda la: f"the {la.kind} of each map",
    Pool2d: lambda la: f"{la.kind} of {_by(la.kernel_size)}",
    Upsample: lambda la: f"{_by(la.kernel_size)} copies",
}


def describe(layer: Layer) -> str:
    """A layer in a few words: ``"8 filters of 3 x 3, relu"``. Of a layer of your own, the layers inside of it."""
    inner = ", ".join(type(part).__name__ for part in layer.inner_layers())
    words = _WORDS.get(type(layer), lambda _: inner and f"of {inner}")(layer)
    stride = getattr(layer, "stride", (1, 1))
    steps = f"stride {_by(stride)}" if isinstance(layer, Conv2d | Pool2d) and stride != _usual_stride(layer) else ""
    return ", ".join(part for part in (words, steps, layer.activation) if part)


def _usual_stride(layer: Conv2d | Pool2d) -> tuple[int, int]:
    return layer.kernel_size if isinstance(layer, Pool2d) else (1, 1)


def describe_shape(shape: Shape | None) -> str:
    """A sample's shape: ``"28 x 28 x 1"``."""
    return " x ".join(map(str, as_tuple(shape or ())))


def parameters_of(layer: Layer) -> str:
    """How many numbers a layer trains: ``"296 parameters"``, or nothing."""
    count = layer.parameter_count
    return f"{count:,} parameter{'s' if count > 1 else ''}" if count else ""


def to_mermaid(model: CNN) -> str:
    """A model's layers as a Mermaid flow chart, which GitHub and Jupyter draw; the arrows carry the shapes.

    (:func:`tensorgrad.to_mermaid` draws the graph behind one value, operation by operation.)

    Examples
    --------
    >>> from tensorgrad import CNN
    >>> from tensorgrad.layers import FFL
    >>> model = CNN(seed=0)
    >>> model.add(FFL(input_shape=2, neurons=3, activation="relu"))
    >>> print(to_mermaid(model))
    graph TD
        n0(["input"])
        n1["Input Layer<br/>FFL: 3 neurons, relu<br/>9 parameters"]
        n2(["output"])
        n0 -->|2| n1
        n1 -->|3| n2

    """
    if not model.layers:
        raise ValueError("to_mermaid: the model has no layers yet; add them first")
    chart = _Chart()
    ends = [(chart.node('(["input"])'), describe_shape(model.layers[0].input_shape))]
    for name, layer in top_layers(model):
        ends = chart.layer(name, layer, ends)
    chart.arrows(ends, chart.node('(["output"])'))
    return "\n".join(["graph TD", *chart.nodes, *chart.edges])


class _Chart:
    """The lines of a chart. An end is a node that still needs an arrow, and the shape that this carries."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.edges: list[str] = []

    def node(self, text: str) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(f"    {name}{text}")
        return name

    def arrows(self, ends: list[tuple[str, str]], node: str) -> None:
        self.edges.extend(f"    {end} -->|{shape}| {node}" for end, shape in ends)

    def layer(self, name: str, layer: Layer, ends: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Draw a layer after the ends; the ends that it leaves."""
        if isinstance(layer, Sequential):
            for inner in layer.layers:
                ends = self.layer("", inner, ends)
            return ends
        if isinstance(layer, Add):
            parts = [end for branch in layer.branches for end in self.layer("", branch, ends)]
            node = self.node('(("+"))')
            self.arrows(parts, node)
        else:
            words = describe(layer)
            title = type(layer).__name__ + (f": {words}" if words else "")
            lines = [line.replace('"', "#quot;") for line in (name, title, parameters_of(layer)) if line]
            node = self.node(f'["{"<br/>".join(lines)}"]')
            self.arrows(ends, node)
        return [(node, describe_shape(layer.output_shape))]
