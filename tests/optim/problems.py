"""Parameters and gradients for the tests of the optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tensorgrad import Tensor
from tensorgrad.optim import OPTIMIZERS

State = dict[str, Any]
NAMES = [
    name for name, kind in OPTIMIZERS.items() if kind.__module__.startswith("tensorgrad.")
]  # without the tests' own


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[np.ndarray], list[list[np.ndarray | None]]]:
    """Weights of several shapes and dtypes, and for each step the gradients, of which some are missing."""
    shapes = draw(st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), min_size=1, max_size=5))
    dtypes = draw(st.lists(st.sampled_from(["f4", "f8"]), min_size=len(shapes), max_size=len(shapes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([1e-3, 1.0, 30.0]))
    steps = draw(st.integers(1, 12))
    missing = draw(st.sampled_from([0.0, 0.0, 0.4]))
    weights = [rng.standard_normal(s).astype(d) for s, d in zip(shapes, dtypes, strict=True)]
    gradients = [
        [None if rng.random() < missing else (scale * rng.standard_normal(w.shape)).astype(w.dtype) for w in weights]
        for _ in range(steps)
    ]
    return weights, gradients


def f4(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def f8(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float64)


def leaves(weights: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(w, requires_grad=True) for w in weights]


def give(params: list[Tensor], gradients: list[Any]) -> None:
    for p, g in zip(params, gradients, strict=True):
        p.grad = None if g is None else Tensor(g)


def run(optimizer: Any, gradients: list[list[Any]]) -> None:
    for given_ in gradients:
        give(optimizer.params, given_)
        optimizer.step()


def values(params: list[Tensor]) -> list[np.ndarray]:
    return [p.numpy().copy() for p in params]


def some_gradients(params: list[Tensor], steps: int, seed: int = 0) -> list[list[Any]]:
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(p.shape).astype(p.dtype) for p in params] for _ in range(steps)]


def small() -> list[Tensor]:
    rng = np.random.default_rng(1)
    return leaves([rng.standard_normal(s).astype("f4") for s in [(3, 3, 1, 2), (2,), (5, 4), ()]])
