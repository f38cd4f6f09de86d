"""The layers of a model in words and as a Mermaid flow chart."""

from __future__ import annotations

from tensorgrad.debug import mermaid_text
from tensorgrad.inspection.tracing import top_layers
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import Shape, as_tuple
from tensorgrad.network import Network


def heading(layer: Layer) -> str:
    """A layer's type and what it is, in a few words: ``"Conv2d: 8 filters of 3 x 3, relu"``."""
    words = layer.describe()
    return type(layer).__name__ + (f": {words}" if words else "")


def describe_shape(shape: Shape | None) -> str:
    """A sample's shape: ``"28 x 28 x 1"``."""
    return " x ".join(map(str, as_tuple(shape or ())))


def parameters_of(layer: Layer) -> str:
    """The number of parameters in words: ``"296 parameters"``, or nothing if there are none."""
    count = layer.parameter_count
    return f"{count:,} parameter{'s' if count > 1 else ''}" if count else ""


def to_mermaid(model: Network) -> str:
    """A model's layers as a Mermaid flow chart, which GitHub and Jupyter draw; the arrows carry the shapes.

    (:func:`tensorgrad.to_mermaid` draws the graph behind one value, operation by operation.)

    Examples
    --------
    >>> from tensorgrad.network import Network
    >>> from tensorgrad.layers import FFL
    >>> model = Network(seed=0)
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
    """The lines of a chart. An end is a node whose arrow is still to be drawn, and the shape on that arrow."""

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
        """Draw a layer after these ends, and return its own."""
        if layer.is_chain:
            for inner in layer.inner_layers():
                ends = self.layer("", inner, ends)
            return ends
        if layer.joined_by:
            parts = [end for branch in layer.inner_layers() for end in self.layer("", branch, ends)]
            node = self.node(f'(("{mermaid_text(layer.joined_by)}"))')
            self.arrows(parts, node)
        else:
            lines = [mermaid_text(line) for line in (name, heading(layer), parameters_of(layer)) if line]
            node = self.node(f'["{"<br/>".join(lines)}"]')
            self.arrows(ends, node)
        return [(node, describe_shape(layer.output_shape))]
