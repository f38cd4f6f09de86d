"""A graph as plain layers, as far as there are such: nodes one after the other, and branches that are joined again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tensorgrad.engine import no_grad, value
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.layers import Activation, Add, Concatenate, Layer, Standardize
from tensorgrad.layers.weighted import Weighted
from tensorgrad.onnx.contents import Node
from tensorgrad.onnx.operators import OPERATORS, Placed
from tensorgrad.onnx.operators.elementwise import NUMBER_BY_NUMBER
from tensorgrad.saving.channel_order import in_our_order
from tensorgrad.tensor import Array, Tensor

DEEPEST = 20  # branches inside of branches
STANDARDIZE = ["ReduceMean", "Sub", "ReduceMean", "Sub", "Mul", "ReduceMean", "Sqrt", "Equal", "Where", "Div"]
"""How the layer is written."""


class Unlike(Exception):
    """A node is not what a layer here computes."""


def require(condition: bool) -> None:
    """Give up unless something holds."""
    if not condition:
        raise Unlike


def longest_end(flow: Flow) -> tuple[int, list[Layer]]:
    """The largest part of a graph, up to its end, that plain layers compute.

    Returns
    -------
    start : int
        Before which node the part begins; the number of nodes if there is none.
    layers : list of Layer
    """
    cuts, count, start = sorted(flow.cuts), len(flow.nodes), 0
    while start < count:
        state = Chain(flow, start, flow.images_first or start > 0)
        try:
            state.take_all()
        except Unlike:
            start = next(iter(cuts[bisect_right(cuts, state.begun) :]), count)
            continue
        in_place = state.first == (flow.images_first and len(state.shape) == 4)
        if not in_place or state.order is not None or state.edge:
            break
        if not state.layers and start == 0:
            return 0, [Activation("linear")]
        return (start, state.layers) if state.layers else (count, [])
    return count, []


def places(nodes: list[Node], source: str, result: str) -> set[int]:
    """Before which nodes one value is all that what follows takes from what came before; at the end, the result."""
    last = {name: i for i, node in enumerate(nodes) for name in node.inputs} | {result: len(nodes)}
    made = [(-1, source), *((i, name) for i, node in enumerate(nodes) for name in node.outputs)]
    change = np.zeros(len(nodes) + 2, int)  # in the number of values that are held
    for i, name in made:
        if last.get(name, i) > i:
            change[i + 1] += 1
            change[last[name] + 1] -= 1
    held = np.cumsum(change)
    return {0} | {i for i in range(1, len(nodes) + 1) if held[i] == 1 and last.get(nodes[i - 1].outputs[0], i - 1) >= i}


@dataclass
class Flow:
    """A graph, or a branch of one.

    Attributes
    ----------
    nodes : list of Node
        In order, and all needed.
    arrays, shapes : dict
        Of the file, by name, in its order; shapes are those of a batch of two.
    source, result : str
        What goes in, and what comes out.
    images_first : bool
        Whether images have their channels first in the file, where they go in and come out. In the model they are last.
    depth : int
        How many branches it is inside of.
    cuts : set of int
        See :func:`places`.
    """

    nodes: list[Node]
    arrays: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]
    source: str
    result: str
    images_first: bool
    depth: int = 0

    def __post_init__(self) -> None:
        self.cuts = places(self.nodes, self.source, self.result)


class Chain:
    """The layers so far, from a node on, and how what they give stands in the file."""

    def __init__(self, flow: Flow, start: int, first: bool) -> None:
        self.flow, self.nodes, self.arrays, self.shapes, self.cuts = (
            flow, flow.nodes, flow.arrays, flow.shapes, flow.cuts,
        )  # fmt: skip
        self.at = self.begun = start
        self.name = flow.nodes[start - 1].outputs[0] if start else flow.source
        self.first = first and (flow.depth > 0 or len(self.shape) == 4)  # whether the channels are axis 1
        self.order: Array | None = None  # of a flat vector: the file's number j is our number order[j]
        self.edge = False  # whether a frame of repeated edges is around the image
        self.layers: list[Layer] = []
        self.with_biases: Callable[[Array | None], Layer] | None = None  # makes the last layer with weights
        self.takes_samples = start == flow.depth == 0  # whether what goes in is what goes into the network

    @property
    def shape(self) -> tuple[int, ...]:
        """In the file, of a batch of two."""
        return self.shapes[self.name]

    def take_all(self) -> None:
        """Take all nodes; raise Unlike at the first, `begun`, that no layer computes."""
        while self.at < len(self.nodes):
            self.begun = self.at
            end = next(cut for cut in range(self.at + 1, len(self.nodes) + 1) if cut in self.cuts)
            node = self.nodes[self.at]
            require(not self.edge or node.op == "Conv")
            if end == self.at + 1 and node.inputs.count(self.name) == 1:
                self.at = end
                require(node.op in HANDLERS)
                HANDLERS[node.op](self, node)
            else:
                self._fork(end)
            self.name = self.nodes[self.at - 1].outputs[0]
            if len(self.shape) == 2:
                self.first = False

    @property
    def coming(self) -> Node | None:
        """The next node, if it alone goes on with what there is."""
        alone = self.at < len(self.nodes) and {self.at, self.at + 1} <= self.cuts
        return self.nodes[self.at] if alone else None

    def next(self, *ops: str) -> Node | None:
        """Take the next node too, if it has one of these operators."""
        node = self.coming
        if node is None or node.op not in ops:
            return None
        self.at += 1
        return node

    def array(self, node: Node, place: int) -> Array | None:
        """An input that must be an array of the file; None if it is left out."""
        if place >= len(node.inputs) or not node.inputs[place]:
            return None
        require(node.inputs[place] in self.arrays)
        return self.arrays[node.inputs[place]]

    def ours(self, numbers: Array) -> Array:
        """Numbers for each number of a flat vector, along the first axis, in our order."""
        return in_our_order(numbers, self.order)

    def add_weighted(self, make: Callable[[Array | None], Layer], biases: Array | None) -> None:
        """Add a layer with weights. Where it has no biases, they may follow by themselves."""
        self.layers.append(make(biases))
        self.with_biases = make

    def activate(self, name: str) -> None:
        """Give the last layer an activation, or add one."""
        last = self.layers[-1] if self.layers else None
        if isinstance(last, Weighted) and last.activation is None:
            last.activation = name
        else:
            self.layers.append(Activation(name))

    # -- where what there is goes several ways -------------------------------------------------------------

    def _fork(self, end: int) -> None:
        """Take the nodes up to where one value is left again: an activation of several nodes, or branches."""
        segment = self.nodes[self.at : self.at + len(STANDARDIZE)]
        if [node.op for node in segment] == STANDARDIZE:
            self._standardize(segment)
        elif not self._activation(end):
            self._join(self.nodes[self.at : end])
            self.at = end

    def _activation(self, end: int) -> bool:
        """Take an activation: of nodes that work number by number, tried on numbers.

        PyTorch writes GELU as ``x (1 + erf(x / sqrt 2))`` and half of it: what scales may come after.
        """
        x = np.linspace(-9, 9, 181)
        while True:
            segment = self.nodes[self.at : end]
            others = {name for node in segment for name in node.inputs if name in self.arrays}
            simple = all(node.op in NUMBER_BY_NUMBER for node in segment)
            if not simple or any(self.arrays[name].size != 1 for name in others):
                return False
            require(self.shapes[segment[-1].outputs[0]] == self.shape)
            y = self._evaluated(segment, x).ravel()
            for name, activation in ACTIVATIONS.items():
                if activation.outputs != "classes" and np.allclose(y, value(activation(x)), rtol=0, atol=1e-6):
                    self.at = end
                    self.activate(name)
                    return True
            if end == len(self.nodes) or end + 1 not in self.cuts or self.nodes[end].op not in ("Mul", "Div"):
                return False
            end += 1

    def _evaluated(self, segment: list[Node], x: Array) -> Array:
        """What nodes make of an array."""
        values: dict[str, Any] = {self.name: Placed(x), "": None}
        for node in segment:
            inputs = [values[name] if name in values else Placed(self.arrays[name]) for name in node.inputs]
            try:
                with no_grad(), np.errstate(all="ignore"):
                    values[node.outputs[0]] = OPERATORS[node.op](node.attributes, *inputs)
            except (ValueError, TypeError):  # an operator that does not take float64
                raise Unlike from None
        return np.asarray(value(values[segment[-1].outputs[0]].logical))

    def _standardize(self, segment: list[Node]) -> None:
        """Take what Standardize is written as, tried on numbers."""
        x = np.random.default_rng(0).normal(size=self.shape)
        layer = Standardize()
        y = self._evaluated(segment, x)
        require(y.shape == x.shape and np.allclose(y, value(layer.forward(Tensor(x), False)), atol=1e-6))
        self.layers.append(layer)
        self.at += len(segment)

    def _join(self, segment: list[Node]) -> None:
        """Take branches, and what joins them."""
        *inside, join = segment
        require(join.op in ("Add", "Sum", "Concat") and self.flow.depth < DEEPEST)
        ends = [self._branch(nodes, name) for nodes, name in self._split(inside, join)]
        same = ends[0]
        require(all(not end.edge and end.first == same.first and len(end.shape) == len(same.shape) for end in ends))
        branches = [end.layers for end in ends]
        if join.op == "Concat":
            require(join.attributes["axis"] % len(same.shape) == (1 if same.first else len(same.shape) - 1))
            require(all(end.order is None for end in ends))
            self.layers.append(Concatenate(branches))
        else:
            require(all(end.shape == same.shape for end in ends))
            orders = [end.order for end in ends if end.order is not None]
            require(len(orders) in (0, len(ends)) and all(np.array_equal(order, orders[0]) for order in orders))
            self.layers.append(Add(branches))
        self.first, self.order = same.first, same.order

    def _split(self, inside: list[Node], join: Node) -> list[tuple[list[Node], str]]:
        """The nodes of each branch, and what it gives; Unlike if a node is in several, or in none."""
        makers = {name: i for i, node in enumerate(inside) for name in node.outputs}
        taken: set[int] = set()
        branches = []
        for name in join.inputs:
            require(name == self.name or name in makers)
            mine, open_ends = set(), [name]
            while open_ends:
                made_by = makers.get(open_ends.pop())
                if made_by is not None and made_by not in mine:
                    require(made_by not in taken)
                    mine.add(made_by)
                    open_ends += inside[made_by].inputs
            taken |= mine
            branches.append(([inside[i] for i in sorted(mine)], name))
        require(len(taken) == len(inside))
        return branches

    def _branch(self, nodes: list[Node], name: str) -> Chain:
        """One branch, taken to its end."""
        flow = Flow(nodes, self.arrays, self.shapes, self.name, name, True, self.flow.depth + 1)
        state = Chain(flow, 0, self.first)
        state.order = self.order
        state.take_all()
        require(state.name == name)
        return state


Handler = Callable[[Chain, Node], None]
Handled = TypeVar("Handled", bound=Handler)
HANDLERS: dict[str, Handler] = {}


def handles(*ops: str) -> Callable[[Handled], Handled]:
    """Keep a function as what makes layers of nodes of some operators."""

    def keep(handler: Handled) -> Handled:
        HANDLERS.update(dict.fromkeys(ops, handler))
        return handler

    return keep
