"""The summary: the text's columns, and totals, multiply-adds and receptive fields held against their definitions."""

from __future__ import annotations

import re
import sys
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad import CNN, Tensor, einsum, grad
from tensorgrad.inspection import receptive_fields
from tensorgrad.inspection.summary import summarize
from tensorgrad.layers import (
    FFL,
    Activation,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Upsample,
)
from tensorgrad.layers.shapes import as_tuple

pytestmark = pytest.mark.filterwarnings("ignore:.*padding='same'", "ignore:.*channels come last")  # shapes are drawn


def network(*layers: Layer) -> CNN:
    model = CNN(seed=0)
    for layer in layers:
        model.add(layer)
    return model


class Block(Layer):
    """A residual block of a user's own: layers inside of it, and a way through them that nobody else knows."""

    def __init__(self, channels: int, activation: bool = True) -> None:
        self.first = Conv2d(filters=channels)
        self.others = [Conv2d(filters=channels, kernel_size=(1, 3), padding=(0, 1))]
        self.relu = activation

    def forward(self, x: Tensor, training: bool) -> Tensor:
        y = self.first(x)
        return x + self.others[0](y.relu() if self.relu else y)


class Mix(Layer):
    """Weights without a layer, and a product by einsum."""

    def build(self, input_shape) -> None:
        if not hasattr(self, "mixing"):
            self.mixing = Tensor(np.ones((input_shape[-1], 5), np.float32), requires_grad=True)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return einsum("nijc,cf->nijf", x, self.mixing)


# -- the table -------------------------------------------------------------------------------------------------


def nested() -> CNN:
    return network(
        Conv2d((12, 12, 3), filters=4, activation="relu"),
        Add([[Conv2d(filters=4), BatchNorm(), Activation("relu")], []]),
        Block(4),
        Pool2d(),
        Flatten(),
        FFL(neurons=5, activation="softmax"),
    )


def test_layers_inside_of_layers_have_lines_of_their_own_and_are_counted_once(capsys) -> None:
    model = nested()
    table = model.summary()
    names = [line.split("  (")[0].rstrip() for line in str(table).splitlines()[2:-4]]
    assert [name[:12].rstrip() for name in names[:9]] == [
        "Input Layer", "Add1", "  Sequential", "    Conv2d", "    BatchNor", "    Activati", "  Sequential", "Block2",
        "  Conv2d",
    ]  # fmt: skip
    assert [row[0] for row in table.rows] == [layer.name for layer in model.layers]
    assert table.total == sum(p.size for p in model.parameters()) == sum(row[5] for row in table.rows)
    assert table.bytes == 4 * table.total
    assert table.buffers == 8  # BatchNorm's running mean and variance
    assert f"Trained: {table.total} ({4 * table.total} bytes), not trained: 8 (32 bytes)" in str(table)
    lines = str(table).splitlines()[:-3]
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) < 120
    assert capsys.readouterr().out == f"{table}\n"
    sys.displayhook(table)  # as the prompt does
    table._ipython_display_()  # and a notebook
    assert capsys.readouterr().out == "\n"
    with pytest.raises(NotImplementedError):
        summarize(model)._ipython_display_()
    assert repr(summarize(model)) == f"Summary({len(table.table)} layers, {table.total} parameters)"
    html = table._repr_html_()
    assert html.count("<tr>") == 1 + len(table.table)
    assert html.count("<th>") == 9
    assert "<td>&emsp;&emsp;Conv2d</td>" in html


def test_a_model_in_float64_takes_twice_the_bytes_and_frozen_weights_are_not_trained() -> None:
    layer = FFL(3, 2, weights=np.ones((3, 2)), bias=np.ones(2))
    table = network(layer).summary()
    assert (table.total, table.bytes, table.buffers) == (8, 64, 0)
    layer.weights.requires_grad = False
    table = network(layer).summary()
    assert (table.total, table.bytes, table.buffers) == (2, 16, 6)


def test_an_empty_model_and_flat_inputs(capsys) -> None:
    assert CNN().summary().rows == ()
    table = network(FFL(3, 4), LayerNorm(), FFL(neurons=2)).summary()
    assert table.macs == 12 + 8
    assert [row.field for row in table.table] == [None] * 3
    assert re.search(r"\nInput Layer +3 +4 +None +True +16 +12 +- +64\n", str(table))


def test_names_are_escaped_in_html() -> None:
    model = network(FFL(3, 4))
    model.layers[0].name = "<script>"
    assert "&lt;script&gt;" in model.summary()._repr_html_()


# -- random networks -------------------------------------------------------------------------------------------

sizes = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def layers(draw: st.DrawFn, channels: int, linear: bool = False) -> Layer:
    """A layer that keeps images images and leaves something of them. If linear, its gradient tells what it sees."""
    kind = draw(st.sampled_from(["conv", "pool", "up", "add"] if linear else ["conv", "pool", "up", "add", "norm"]))
    size, stride = draw(sizes), draw(sizes)
    if kind == "conv":
        frames: list[Any] = [None, "zero", "same", (1, 2)]
        padding = draw(st.sampled_from(frames))
        dilation = (1, 1) if padding == "same" else draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
        return Conv2d(None, draw(st.integers(1, 3)), size, draw(st.booleans()), None, stride, padding,
                      dilation=dilation)  # fmt: skip
    if kind == "pool":
        pool = "average" if linear else draw(st.sampled_from(["max", "min", "average"]))
        padding = draw(st.sampled_from([None, (size[0] // 2, size[1] // 2)]))
        return Pool2d(size, draw(st.sampled_from([None, stride])), pool, padding)
    if kind == "up":
        return Upsample(size)
    if kind == "norm":
        return draw(st.sampled_from([BatchNorm, LayerNorm]))()
    odd = draw(st.sampled_from([1, 3]))
    return Add([[Conv2d(None, channels, (odd, 1), padding=(odd // 2, 0))], []])


@st.composite
def stacks(draw: st.DrawFn, linear: bool = False) -> CNN:
    model = CNN(seed=draw(st.integers(0, 99)))
    shape = draw(st.integers(3, 11)), draw(st.integers(3, 11)), draw(st.integers(1, 2))
    model.add(Conv2d(shape, 2, (1, 1), padding=None))
    for _ in range(draw(st.integers(0, 4))):
        layer = draw(layers(as_tuple(model.layers[-1].output_shape or ())[2], linear))
        try:
            model.add(layer)
        except ValueError:  # a window that does not fit what is left of the image
            continue
    if draw(st.booleans()) and not linear:
        model.add(draw(st.sampled_from([Flatten, GlobalPool]))())
        model.add(FFL(neurons=3, is_bias=draw(st.booleans())))
    return model


@given(model=stacks())
def test_totals_are_the_sums_over_the_parameters(model: CNN) -> None:
    table = model.summary()
    assert table.total == sum(p.size for p in model.parameters())
    assert table.bytes == sum(p.numpy().nbytes for p in model.parameters())
    kept = [item for layer in model.layers for _, item in layer.named_state()]
    assert table.total + table.buffers == sum(np.size(k.numpy() if isinstance(k, Tensor) else k) for k in kept)
    assert all(type(cell) is str for row in table.table for cell in row.cells)


# -- multiply-adds ---------------------------------------------------------------------------------------------


def by_hand(layer: Layer) -> int:
    """Products by the definition, from shapes alone."""
    if isinstance(layer, Conv2d):
        kh, kw, channels, filters = layer.weights.shape  # channels per group
        rows, columns, _ = as_tuple(layer.output_shape or ())
        return rows * columns * kh * kw * channels * filters
    if isinstance(layer, FFL):
        return prod(layer.weights.shape)
    return sum(by_hand(inner) for inner in layer.inner_layers())


@given(model=stacks())
def test_multiply_adds_are_those_of_the_definition(model: CNN) -> None:
    table = model.summary()
    assert [row.macs for row in table.table if not row.depth] == [by_hand(layer) for layer in model.layers]
    assert table.macs == sum(by_hand(layer) for layer in model.layers)


def test_multiply_adds_of_experiment_4_by_hand() -> None:
    model = network(
        Conv2d((28, 28, 1), 4, padding=None, activation="relu"), Conv2d(None, 8, padding=None, activation="relu"),
        Pool2d(), Flatten(), FFL(None, 64, activation="relu"), Dropout(0.1), FFL(None, 10, activation="softmax"),
    )  # fmt: skip
    hand = 26 * 26 * 4 * 9 + 24 * 24 * 8 * 9 * 4 + 12 * 12 * 8 * 64 + 64 * 10
    assert model.summary().macs == hand == 264592


def test_multiply_adds_of_groups_of_layers_of_your_own_and_of_einsum() -> None:
    model = network(Conv2d((6, 6, 4), 4, groups=4), Block(4), Mix())
    assert [layer.multiply_adds() for layer in model.layers] == [
        36 * 4 * 9, 36 * 4 * 4 * (9 + 3), 36 * 4 * 5,
    ]  # fmt: skip


# -- receptive fields ------------------------------------------------------------------------------------------


def ones(layer: Layer) -> None:
    for parameter in layer.parameters():
        parameter.data = np.ones(parameter.shape)


def extents(model: CNN, axis: int) -> list[tuple[int, int]]:
    """Of each output row (axis 0) or column (axis 1): the first and last of the image where its gradient is not 0."""
    shape = as_tuple(model.layers[0].input_shape or ())
    x = Tensor(np.ones((1, *shape)), requires_grad=True)
    out = model(x)
    found = []
    for place in range(out.shape[1 + axis]):
        weights = np.zeros(out.shape)
        weights.swapaxes(1, 1 + axis)[:, place] = 1
        (g,) = grad(out, x, weights, retain_graph=True)
        there = np.flatnonzero(g.numpy().any(axis=tuple({0, 1, 2, 3} - {1 + axis})))
        found.append((int(there[0]), int(there[-1])) if len(there) else (1, 0))
    return found


@given(model=stacks(linear=True))
def test_receptive_fields_are_where_the_gradient_is_not_zero(model: CNN) -> None:
    for layer in model.layers:
        ones(layer)
    fields = receptive_fields(model)
    assert next(iter(fields)) == "Input Layer"
    last = fields[model.layers[-1].name]
    # Where a stride passes over all columns but those of the padding, no row has a pixel to see either.
    nothing = any((span.first > span.last).all() for span in (last.rows, last.columns))
    for axis, span in enumerate((last.rows, last.columns)):
        if nothing:
            assert extents(model, axis) == [(1, 0)] * len(span.first)
            continue
        got = [(int(a), int(b)) if a <= b else (1, 0) for a, b in zip(span.first, span.last, strict=True)]
        assert got == extents(model, axis)
        assert span.most == max(b - a + 1 for a, b in got)


def test_receptive_fields_of_a_stack_by_hand() -> None:
    model = network(
        Conv2d((28, 28, 1), 4, padding=None), Pool2d(), Conv2d(None, 8, padding=None), Dropout(0.2), Flatten(),
        LayerNorm(), FFL(neurons=10),
    )  # fmt: skip
    sizes = [field.size for field in receptive_fields(model).values()]
    assert sizes == [(3, 3), (4, 4), (8, 8), (8, 8), (8, 8), (28, 28), (28, 28)]  # 3; 3 + 1; 4 + 2 steps of 2
    strided = network(Conv2d((10, 9, 1), kernel_size=2, stride=3, padding=None), GlobalPool(), FFL(neurons=1))
    assert [f.size for f in receptive_fields(strided).values()] == [(2, 2), (8, 8), (8, 8)]  # the edge is not looked at
    assert receptive_fields(network(FFL(3, 4))) == {}
    assert receptive_fields(CNN()) == {}


def test_a_layer_of_your_own_is_measured() -> None:
    model = network(Conv2d((9, 9, 1), filters=2), Block(2), Mix(), Activation("relu"))
    assert [f.size for f in receptive_fields(model).values()] == [(3, 3), (5, 7), (5, 7), (5, 7)]
    rows = {row.name: row.field for row in model.summary().table if row.depth}
    assert rows == {"Conv2d": None}  # nobody knows how a layer of your own uses the layers inside of it


def test_a_layer_that_loses_the_gradient_may_look_at_everything() -> None:
    class Detached(Layer):
        def forward(self, x: Tensor, training: bool) -> Tensor:
            return x.detach() * 2

    assert receptive_fields(network(Conv2d((5, 5, 1)), Detached()))["Out Layer(Detached)"].size == (5, 5)


@pytest.mark.parametrize("kind", ["max", "min"])
def test_a_pool_that_selects_sees_the_whole_window(kind: str) -> None:
    model = network(Conv2d((9, 9, 1), padding=None), Pool2d(3, 2, kind=kind))
    assert receptive_fields(model)["Out Layer(Pool2d)"].size == (5, 5)
