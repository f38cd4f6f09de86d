"""How weights start: random, with the variance that keeps signals from growing or fading through the layers."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
import numpy.typing as npt

from tensorgrad.functional import ACTIVATIONS
from tensorgrad.tensor import Array


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs feed a unit, and how many units an input feeds, for weights ``(..., inputs, outputs)``."""
    taps = prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def he_normal(shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Normal, with standard deviation sqrt(2 / fan_in), for relu-like activations (He et al. 2015)."""
    fan_in, _ = fans(shape)
    return _normal(shape, sqrt(2 / max(fan_in, 1)), rng, dtype)


def glorot_normal(shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32) -> Array:
    """Normal, with standard deviation sqrt(2 / (fan_in + fan_out)), for the others (Glorot & Bengio 2010)."""
    fan_in, fan_out = fans(shape)
    return _normal(shape, sqrt(2 / max(fan_in + fan_out, 1)), rng, dtype)


def for_activation(
    activation: str | None, shape: tuple[int, ...], rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
) -> Array:
    """He's for activations that cut off one side, Glorot's for the others."""
    relu_like = activation is not None and ACTIVATIONS[activation].relu_like
    return (he_normal if relu_like else glorot_normal)(shape, rng, dtype)


def _normal(shape: tuple[int, ...], scale: float, rng: np.random.Generator, dtype: npt.DTypeLike) -> Array:
    return (rng.standard_normal(shape) * scale).astype(dtype)
