"""Strategies for hypothesis: arrays, shapes that broadcast, convolutions and poolings that have an output.

Shapes and options are drawn one by one, and so they shrink. The values of an array come from one seed: what
matters for a gradient is that they are in general position, and drawing each would take most of the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tensorgrad.tensor import Array

Shape = tuple[int, ...]


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> st.SearchStrategy[Shape]:
    """Shapes of arrays; with ``min_side=0`` also of empty ones."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def broadcastable_shapes(
    count: int = 2, max_dims: int = 3, min_side: int = 1, max_side: int = 3
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """Shapes, `count` of them, that broadcast with one another."""
    drawn = hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=max_dims, min_side=min_side, max_side=max_side)
    return drawn.map(lambda shapes: shapes.input_shapes)


def arrays(
    shape: Shape | st.SearchStrategy[Shape] | None = None,
    *,
    low: float = -2.0,
    high: float = 2.0,
    dtype: npt.DTypeLike = np.float64,
) -> st.SearchStrategy[Array]:
    """Arrays of values between `low` and `high`."""
    return _seeded(shape, lambda rng, s: rng.uniform(low, high, s).astype(dtype))


def distinct(
    shape: Shape | st.SearchStrategy[Shape] | None = None, *, gap: float = 0.1, dtype: npt.DTypeLike = np.float64
) -> st.SearchStrategy[Array]:
    """Arrays of values that differ by at least half of `gap` from one another and from 0: no ties, and no kink at 0."""
    return _seeded(shape, lambda rng, s: distinct_values(rng, s, gap).astype(dtype))


def distinct_values(rng: np.random.Generator, shape: Shape, gap: float = 0.1) -> Array:
    """What :func:`distinct` draws."""
    size = int(np.prod(shape, dtype=int))
    places = rng.permutation(size) - size // 2 + 0.5  # halves of whole numbers: 0 is in the middle between two
    return ((places + rng.uniform(-0.25, 0.25, size)) * gap).reshape(shape)


def _seeded(shape: Any, make: Any) -> st.SearchStrategy[Array]:
    drawn = shape if isinstance(shape, st.SearchStrategy) else shapes() if shape is None else st.just(shape)
    return st.builds(lambda s, seed: make(np.random.default_rng(seed), s), drawn, st.integers(0, 2**16))


@dataclass(frozen=True)
class Convolution:
    """A convolution that has an output: ``conv2d(x, w, b, **options)``."""

    x: Array  # (N, H, W, C)
    w: Array  # (KH, KW, C / groups, F)
    b: Array  # (F,)
    options: dict[str, Any] = field(default_factory=dict)  # stride, padding, dilation, groups

    def __repr__(self) -> str:
        return f"Convolution(x={self.x.shape}, w={self.w.shape}, {self.options})"


@dataclass(frozen=True)
class Pooling:
    """A pooling that has an output: ``max_pool2d(x, **options)``; the values of x are distinct."""

    x: Array  # (N, H, W, C)
    options: dict[str, Any] = field(default_factory=dict)  # kernel_size, stride, padding

    def __repr__(self) -> str:
        return f"Pooling(x={self.x.shape}, {self.options})"


def _pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def convolutions(draw: st.DrawFn, dtype: npt.DTypeLike = np.float64, max_side: int = 4) -> Convolution:
    """Convolutions of small images, with any stride, padding, dilation and groups; each has an output."""
    size, stride, padding, dilation = (draw(_pairs(*r)) for r in ((1, 3), (1, 3), (0, 2), (1, 2)))
    groups, per_group, filters = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    least = tuple(max(1, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(size, padding, dilation, strict=True))
    height, width = (n + draw(st.integers(0, max_side)) for n in least)
    n = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return Convolution(
        x=rng.uniform(-1, 1, (n, height, width, groups * per_group)).astype(dtype),
        w=rng.uniform(-1, 1, (*size, per_group, groups * filters)).astype(dtype),
        b=rng.uniform(-1, 1, groups * filters).astype(dtype),
        options={"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
    )


@st.composite
def poolings(draw: st.DrawFn, dtype: npt.DTypeLike = np.float64, max_side: int = 4) -> Pooling:
    """Poolings of small images, with any window, stride (overlapping or not) and padding; each has an output."""
    size, stride = draw(_pairs(1, 3)), draw(_pairs(1, 4))
    padding = tuple(draw(st.integers(0, k // 2)) for k in size)
    least = tuple(max(1, k - 2 * p) for k, p in zip(size, padding, strict=True))
    height, width = (n + draw(st.integers(0, max_side)) for n in least)
    shape = (draw(st.integers(1, 2)), height, width, draw(st.integers(1, 2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    return Pooling(
        x=distinct_values(rng, shape).astype(dtype),
        options={"kernel_size": size, "stride": stride, "padding": padding},
    )
