"""detect_anomaly says where; the graph as text."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.debug import AnomalyError
from tensorgrad.layers import FFL

FORWARD: list[tuple[Callable[[Tensor], Tensor], list[float], str]] = [
    (lambda x: x.log(), [1.0, 0.0], r"log: .* 1 of 2 elements, at \(1,\), is -inf; all of its inputs are finite"),
    (lambda x: x.sqrt() * 2, [-1.0, -2.0], r"sqrt: .* 2 of 2 elements, the first at \(0,\), .* that one is nan"),
    (lambda x: x / (x - x), [1.0], "div: .* is inf"),
    (lambda x: (x * 1e30) * 1e30, [1.0], "mul: .* is inf"),
    (lambda x: x + 1, [np.nan], "add: .* its input 0 has them already"),
    (lambda x: x.mean().exp().log().exp().exp().exp(), [5.0], r"exp: .* at \(\), is inf"),
    (lambda x: tg.layer_norm(x.log()), [0.0, 1.0], "log: "),
]


@pytest.mark.parametrize(("f", "at", "text"), FORWARD)
def test_forward(f: Callable[[Tensor], Tensor], at: list[float], text: str) -> None:
    with pytest.raises(AnomalyError, match=text) as caught, tg.detect_anomaly():
        f(Tensor(at, requires_grad=True))
    where = str(caught.value).rpartition("(computed at ")[2]
    assert where.startswith(__file__)
    assert "lambda x" in where, "the line that called for the operation, with its source"


BACKWARD: list[tuple[Callable[[Tensor], Tensor], list[float], str]] = [
    (lambda x: x.sqrt().sum(), [0.0, 1.0],
     r"sqrt: .* on the way back .* by its input 0: 1 of 2 elements, at \(0,\), is inf"),
    (lambda x: (x**0.5).sum(), [0.0], "power: .* gradient by its input 0"),
    (lambda x: tg.where(x > 0, x.log1p(), x.sqrt()).sum(), [0.0], "sqrt: .* (nan|inf)"),
]  # fmt: skip


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(("f", "at", "text"), BACKWARD)
def test_backward(f: Callable[[Tensor], Tensor], at: list[float], text: str, create_graph: bool) -> None:
    """The line is that of the operation, not of backward()."""
    with tg.detect_anomaly():
        y = f(Tensor(at, requires_grad=True))
        with pytest.raises(AnomalyError) as caught:
            y.backward(create_graph=create_graph)
    if not create_graph:  # with it, the rule itself is made of operations, and one of those is the first
        caught.match(text)
        where = str(caught.value).rpartition("computed at ")[2]
        assert "lambda x" in where
        assert where.startswith(__file__)
    else:
        assert __file__ in str(caught.value)


def test_a_graph_from_before() -> None:
    y = Tensor([0.0], requires_grad=True).sqrt().sum()
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match=r"computed before detect_anomaly\(\)"):
        y.backward()


def test_infinities_may_be_allowed() -> None:
    mask = np.array([0.0, -np.inf], np.float32)
    with tg.detect_anomaly(infinities=False):
        y = tg.softmax(Tensor([1.0, 2.0], requires_grad=True) + mask)
        with pytest.raises(AnomalyError, match=r"sub: .* nan"):
            (y - np.inf) - (y - np.inf)
    with pytest.raises(AnomalyError, match=r"add: .* is -inf"), tg.detect_anomaly():
        Tensor([1.0, 2.0], requires_grad=True) + mask


def test_constants_are_watched_too_and_healthy_programs_pass() -> None:
    with tg.detect_anomaly():
        with pytest.raises(AnomalyError, match="log"):
            Tensor([0.0]).log()
        x = Tensor([1.0, 2.0], requires_grad=True)
        (x.log() * x.argmax()).sum().backward()
        tg.grad(tg.grad((x**3).sum(), x, create_graph=True)[0].sum(), x)
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        Tensor([0.0]).log()


def test_the_line_skips_this_library() -> None:
    """Through a layer, a loss, a composition: always the user's own line."""
    layer = FFL(input_shape=2, neurons=1)
    with tg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        layer(np.array([[np.nan, 1.0]], np.float32))  # here
    assert "# here" in str(caught.value)
    linecache.checkcache()


def net() -> tuple[Tensor, dict[str, Tensor]]:
    x, w, b = (
        Tensor(np.ones((5, 2))),
        Tensor(np.ones((2, 3)), requires_grad=True),
        Tensor(np.ones(3), requires_grad=True),
    )
    h = x @ w + b
    return (h * h).sum(), {'w "hidden"': w, "x": x, "h": h}


def test_mermaid() -> None:
    y, names = net()
    assert tg.to_mermaid(y, names).splitlines() == [
        "graph TD",
        '    n0(["x<br/>(5, 2)"])',
        '    n1(["w #quot;hidden#quot;<br/>(2, 3)"])',
        '    n2["matmul<br/>(5, 3)"]',
        '    n3(["leaf<br/>(3,)"])',
        '    n4["h = add<br/>(5, 3)"]',
        '    n5["mul<br/>(5, 3)"]',
        '    n6["total<br/>()"]',
        "    n0 --> n2", "    n1 --> n2", "    n2 --> n4", "    n3 --> n4", "    n4 --> n5", "    n4 --> n5",
        "    n5 --> n6",
    ]  # fmt: skip


def test_dot() -> None:
    y, names = net()
    text = tg.to_dot(y, names)
    assert text.startswith('digraph {\n    n0 [label="x\\n(5, 2)", shape=ellipse];\n')
    assert '    n1 [label="w \\"hidden\\"\\n(2, 3)", shape=ellipse];' in text
    assert text.endswith("    n5 -> n6;\n}")


def test_a_long_graph_and_a_freed_one() -> None:
    x = Tensor([1.0], requires_grad=True)
    y = x
    for _ in range(3000):
        y = y + x
    assert tg.to_dot(y).count("->") == 6000
    y.backward()
    assert tg.to_mermaid(y) == 'graph TD\n    n0["add<br/>(1,)<br/>its graph was freed"]'
    assert "its graph was freed" in tg.to_dot(y)


@pytest.mark.parametrize(
    ("name", "mermaid", "dot"),
    [
        ('a\\\\"]; x', r"a\\#quot;]; x", r"a\\\\\"]; x"),
        ("<script>alert(1)</script>", "#lt;script#gt;alert(1)#lt;/script#gt;", "<script>alert(1)</script>"),
        ("two\nlines", "two<br/>lines", r"two\nlines"),
        ("#quot; & so", "#35;quot; #38; so", "#quot; & so"),
    ],
)
def test_names_mean_themselves(name: str, mermaid: str, dot: str) -> None:
    v = Tensor(np.ones(2), requires_grad=True)
    assert f'n0(["{mermaid}<br/>(2,)"])' in tg.to_mermaid(v * 2, {name: v})
    assert f'n0 [label="{dot}\\n(2,)"' in tg.to_dot(v * 2, {name: v})
    unescaped = re.sub(r"\\.", "", tg.to_dot(v * 2, {name: v}))  # a quote without a backslash ends a string
    assert unescaped.count('"') == 2 * unescaped.count("label=")


def test_to_mermaid_of_a_model_draws_its_layers() -> None:
    model = tg.CNN(seed=0)
    model.add(FFL(input_shape=2, neurons=1))
    model.layers[0].name = 'first "<b>'
    assert tg.to_mermaid(model) == tg.inspection.to_mermaid(model)
    assert 'n1["first #quot;#lt;b#gt;<br/>FFL: 1 neurons<br/>3 parameters"]' in tg.to_mermaid(model)
    for draw in (tg.to_dot, tg.to_mermaid):
        with pytest.raises(TypeError, match=f"{draw.__name__}: expected a tensor whose graph was recorded, received"):
            draw([1.0])
