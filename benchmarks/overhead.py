"""What the engine itself costs: long chains of operations on a single number."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import torch

import tensorgrad as tg
from benchmarks.case import Case, Group, agree

LENGTH = 2000


def chain(x: Any) -> Any:
    """Multiply a number by another, again and again."""
    y = x
    for _ in range(LENGTH):
        y = y * 1.0001
    return y


def powers(x: Any) -> Any:
    """Multiply a number by itself, again and again: both factors have a gradient."""
    y = x
    for _ in range(LENGTH):
        y = y * x
    return y


def cases(quick: bool) -> Iterator[Case]:
    """Forward and backward, without and with a graph of the gradient."""
    x = tg.tensor(1.0, requires_grad=True)
    t = torch.tensor(1.0, requires_grad=True)
    mygrad: Any = importlib.import_module("mygrad")
    m = mygrad.tensor(1.0, dtype="float32")

    def ours(function: Any, create_graph: bool) -> float:
        return float(tg.grad(function(x), x, create_graph=create_graph)[0].item())

    def theirs(function: Any, create_graph: bool) -> float:
        return float(torch.autograd.grad(function(t), t, create_graph=create_graph)[0].item())

    def mygrads(function: Any) -> float:
        function(m).backward()
        return float(m.grad)

    for name, function in (("y = y * 1.0001", chain), ("y = y * x", powers)):
        for create_graph in (False, True):
            title = f"{LENGTH} times {name}" + ", create_graph" * create_graph

            def one(f: Any = function, c: bool = create_graph) -> float:
                return ours(f, c)

            def other(f: Any = function, c: bool = create_graph) -> float:
                return theirs(f, c)

            def check(a: Any = one, b: Any = other, title: str = title) -> None:
                agree(title, a(), b())

            yield Case(title, one, [other], check, threads=[1])
    yield Case(
        f"{LENGTH} times y = y * 1.0001",
        lambda: ours(chain, False),
        [lambda: mygrads(chain)],
        lambda: agree("MyGrad's chain", ours(chain, False), mygrads(chain)),
        peer="MyGrad",
        threads=[1],
    )


GROUP = Group("The engine's own cost", cases)
