"""Graph: a network that somebody else wrote, as one layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from tensorgrad.engine import no_grad, value
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.shapes import Shape, as_tuple
from tensorgrad.saving.registry import register
from tensorgrad.tensor import Array, Tensor

ACTIVE = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}  # what a product can do in place


@register(name="Graph")
class Graph(Layer):
    """ONNX's operators in order, on channels-last images, with the file's arrays as parameters.

    :func:`tensorgrad.onnx.load` makes it; the arguments are what it finds.

    Parameters
    ----------
    nodes : list of dict
        Each with "op", "inputs", "outputs" and "attributes".
    source : str
        What the nodes call the input.
    results : list of str
        What they call the outputs. Several are given as one flat vector, and :meth:`separated` takes it apart.
    source_axes, result_axes : tuples
        At each place of a batch, the file's axis that stands there: (0, 2, 3, 1) for images that the file has channels
        first.
    parameters, statistics : list of str
        The names of the arrays that are trained, and of those that training keeps.
    orders : dict
        Of parameters that are kept in another order than the file's: their axes.
    numbers : dict
        All other arrays: dtype, shape and values.
    sample : tuple of int
        The shape of one sample.
    """

    def __init__(
        self,
        nodes: Sequence[Mapping[str, Any]],
        source: str,
        results: Sequence[str],
        source_axes: tuple[int, ...],
        result_axes: Sequence[tuple[int, ...]],
        parameters: Sequence[str],
        statistics: Sequence[str],
        orders: Mapping[str, tuple[int, ...]],
        numbers: Mapping[str, Any],
        sample: tuple[int, ...],
    ) -> None:
        self.nodes, self.source, self.results = [dict(node) for node in nodes], source, list(results)
        self.source_axes, self.result_axes = tuple(source_axes), [tuple(axes) for axes in result_axes]
        self.parameter_names, self.statistics = list(parameters), list(statistics)
        self.orders, self.numbers, self.sample = dict(orders), dict(numbers), tuple(sample)
        if unfit := [
            name for name in (*parameters, *statistics) if attribute(name) in RESERVED or name[:1] in ("", "_")
        ]:
            raise ValueError(f"Graph: no array of it can be called {unfit[0]!r}")
        self.buffers = tuple(map(attribute, statistics))  # type: ignore[misc]
        self._constants = {
            name: np.array(values, np.dtype(kind)).reshape(shape)
            for name, (kind, shape, values) in self.numbers.items()
        }
        self._shapes: list[tuple[int, ...]] = []  # of the results, of one sample
        self._largest = 0
        self._steps = list(_steps(self.nodes, self.results))

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "nodes": self.nodes,
            "source": self.source,
            "results": self.results,
            "source_axes": self.source_axes,
            "result_axes": self.result_axes,
            "parameters": self.parameter_names,
            "statistics": self.statistics,
            "orders": self.orders,
            "numbers": self.numbers,
            "sample": self.sample,
        }

    def preset(self, values: Mapping[str, Array]) -> None:
        """Take the arrays, in the order in which they are kept."""
        for name in self.parameter_names:
            if name in values:
                vars(self)[attribute(name)] = Tensor(values[name], requires_grad=True)
        for name in self.statistics:
            if name in values:
                vars(self)[attribute(name)] = np.array(values[name])

    def array(self, name: str) -> Array:
        """One of the arrays, in the file's order."""
        if name in self._constants:
            return self._constants[name]
        kept = np.asarray(value(vars(self)[attribute(name)]))
        order = self.orders.get(name)
        return kept if order is None else kept.transpose(np.argsort(order))

    @property
    def outputs(self) -> int:  # type: ignore[override]
        """How many outputs the file has."""
        return len(self.results)

    @property
    def result_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the outputs, of one sample."""
        return self._shapes

    # -- running it ----------------------------------------------------------------------------------------

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The shape of the output; found by a trial with zeros."""
        if as_tuple(input_shape) != self.sample:
            raise ValueError(
                f"{self.title}: the file was loaded for samples of shape {self.sample}, received {input_shape}; "
                "load it again with input_shape=..."
            )
        if missing := [n for n in (*self.parameter_names, *self.statistics) if attribute(n) not in vars(self)]:
            raise ValueError(f"{self.title}: its array {missing[0]!r} is missing")
        self._largest = 0
        with no_grad():
            outputs = self._run(None, training=False)
        if any(y.shape[:1] != (2,) for y in outputs):
            raise ValueError(f"{self.title}: an output has no batch axis, or one of a fixed size")
        self._shapes = [y.shape[1:] for y in outputs]
        shape = self._shapes[0] if len(outputs) == 1 else (sum(map(prod, self._shapes)),)
        return shape[0] if len(shape) == 1 else shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Run the nodes; several outputs come as one flat vector."""
        outputs = self._run(x, training)
        if len(outputs) == 1:
            return outputs[0]
        from tensorgrad.functional import concatenate

        return concatenate([y.reshape((len(y), prod(y.shape[1:]))) for y in outputs], -1)

    def separated(self, outputs: Array) -> Any:
        """What :meth:`forward` gives, as the several outputs that the file has."""
        if len(self._shapes) < 2:
            return outputs
        ends = np.cumsum([prod(shape) for shape in self._shapes])[:-1]
        split = np.split(outputs, ends, axis=-1)
        return tuple(y.reshape((len(y), *shape)) for y, shape in zip(split, self._shapes, strict=True))

    def _run(self, x: Tensor | None, training: bool) -> list[Tensor]:
        """The outputs; without an input those of a trial with two samples, which measures what comes on the way."""
        from tensorgrad.onnx.operators import OPERATORS, Placed
        from tensorgrad.onnx.operators.trial import TRIALS, seeming

        operators = TRIALS if x is None else OPERATORS
        state = {"training": training, "rng": self.rng}
        held = vars(self)
        values: dict[str, Any] = {name: Placed(array) for name, array in self._constants.items()}
        for name in self.parameter_names:
            values[name] = Placed(held[attribute(name)], self.orders.get(name))
        for name in self.statistics:
            values[name] = Placed(Tensor.wrap(held[attribute(name)]))
        values[""] = None
        values[self.source] = seeming((2, *self.sample), self.source_axes) if x is None else Placed(x, self.source_axes)
        for op, attributes, inputs, outputs, done in self._steps:
            settings = attributes | state if op in STATEFUL else attributes
            made = operators[op](settings, *[values[name] for name in inputs])
            if isinstance(made, tuple):
                values.update((name, y) for name, y in zip(outputs, made, strict=False) if name)
            else:
                values[outputs[0]] = made
            if x is None:
                self._largest = max(self._largest, *(values[name].array.size // 2 for name in outputs if name))
            for name in done:
                del values[name]
        return [values[name].laid(axes) for name, axes in zip(self.results, self.result_axes, strict=True)]

    # -- what it is ----------------------------------------------------------------------------------------

    def named_inner_layers(self) -> Iterator[tuple[str, Layer]]:
        """None: its nodes are not layers, and need not be searched for them."""
        return iter(())

    def describe(self) -> str:
        """Such as ``"52 nodes: 20 Conv, 17 Relu, 8 Add, ..."``."""
        ops = [node["op"] for node in self.nodes]
        common = sorted(set(ops), key=lambda op: (-ops.count(op), op))
        listed = ", ".join(f"{ops.count(op)} {op}" for op in common[:4])
        return f"{len(ops)} nodes: {listed}{', ...' if len(common) > 4 else ''}"

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output, and of the largest value on the way."""
        return (*super().extents(), self._largest)


def attribute(name: str) -> str:
    """Under which name the layer keeps one of the file's arrays: none that it uses itself."""
    return f"_{name}"


RESERVED = {*dir(Graph), "_constants", "_shapes", "_largest", "_steps"}
STATEFUL = ("BatchNormalization", "Dropout")  # operators that do something else while training


def _steps(
    nodes: list[dict[str, Any]], results: list[str]
) -> Iterator[tuple[str, dict[str, Any], Any, Any, list[str]]]:
    """What to run: operator, settings, inputs, outputs, and which values are needed no more.

    A convolution or product with a bias does the activation that follows it in place.
    """
    uses: dict[str, int] = {}
    for node in nodes:
        for name in node["inputs"]:
            uses[name] = uses.get(name, 0) + 1
    left = uses | dict.fromkeys(results, -1)
    made = {name for node in nodes for name in node["outputs"]}
    skip = -1
    for i, node in enumerate(nodes):
        if i == skip:
            continue
        op, attributes, outputs = node["op"], dict(node["attributes"]), list(node["outputs"])
        follower = nodes[i + 1] if i + 1 < len(nodes) else None
        fusible = op in ("Conv", "Gemm") and len(node["inputs"]) == 3 and left.get(outputs[0]) == 1
        if fusible and follower and follower["inputs"] == outputs and follower["op"] in ACTIVE:
            attributes["activation"], outputs, skip = ACTIVE[follower["op"]], list(follower["outputs"]), i + 1
        done = []
        for name in node["inputs"]:
            left[name] -= 1
            if left[name] == 0 and name in made:
                done.append(name)
        done += [name for name in outputs if name and name not in left]
        yield op, attributes, list(node["inputs"]), outputs, done
