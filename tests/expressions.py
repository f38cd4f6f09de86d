"""Random expression graphs that hypothesis grows: programs that run on any library's tensors alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

# Steps of a program: (name, the values that it takes). Each is bounded and smooth, so that programs may be long.
UNARY = ["tanh", "sin", "exp of minus square", "sigmoid", "square of tanh", "scale", "transpose twice", "sum kept"]
BINARY = ["add", "sub", "mul", "div by 2 + square", "matmul of tanh"]
Program = list[tuple[str, tuple[int, ...]]]


@st.composite
def programs(draw: st.DrawFn, leaves: int = 2, longest: int = 8) -> Program:
    """A list of steps; each takes leaves and results of earlier steps, some of them several times."""
    steps: Program = []
    for _ in range(draw(st.integers(1, longest))):
        known = leaves + len(steps)
        value = st.integers(0, known - 1)
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(UNARY)), (draw(value),)))
        else:
            steps.append((draw(st.sampled_from(BINARY)), (draw(value), draw(value))))
    return steps


def run(program: Program, leaves: list[Any], library: Any) -> Any:
    """Run a program on square matrices of any library with tanh, sin, exp and sigmoid: the sum of all results."""
    values = list(leaves)
    for name, taken in program:
        values.append(step(name, library, *(values[i] for i in taken)))
    return sum(value.sum() for value in values[len(leaves) :])


def step(name: str, library: Any, x: Any, y: Any = None) -> Any:
    match name:
        case "tanh":
            return library.tanh(x)
        case "sin":
            return library.sin(x)
        case "sigmoid":
            return library.sigmoid(x)
        case "exp of minus square":
            return library.exp(-(x * x))
        case "square of tanh":
            return library.tanh(x) ** 2
        case "scale":
            return 1.5 - x * 0.5
        case "transpose twice":
            return x.T + x.T.T
        case "sum kept":
            return x - x.mean(0) + x[0]
        case "add":
            return x + y
        case "sub":
            return x - y
        case "mul":
            return x * y
        case "div by 2 + square":
            return x / (2 + y * y)
        case "matmul of tanh":
            return library.tanh(x) @ library.tanh(y)
    raise ValueError(name)


def leaf_values(seed: int, count: int = 2) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, (2, 2)) for _ in range(count)]
