"""How weights and biases start: each way is a record, found by its name.

A layer's ``initializer=`` takes a name from ``INITIALIZERS``, or a function ``f(shape, rng)`` that returns the weights.
Weights have the shape ``(..., inputs, outputs)``: what comes before the last two axes are the taps of a kernel.
docs/initialization.md compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.checks import check_function, one_of
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.tensor import Array

__all__ = [
    "INITIALIZERS", "Draw", "Initializer", "fans", "find", "glorot", "he", "he_both", "in_groups", "lecun",
    "no_biases", "orthogonal", "torch", "torch_biases", "zeros",
]  # fmt: skip

Draw: TypeAlias = "Callable[[tuple[int, ...], np.random.Generator], Any]"  # the shape of the weights -> values


def no_biases(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Zeros, one for each output."""
    return np.zeros(shape[-1], np.float32)


@dataclass(frozen=True)
class Initializer:
    """One way to start: functions of the weights' shape and a random generator.

    Attributes
    ----------
    weights : callable
        ``weights(shape, rng)`` returns an array of that shape.
    biases : callable
        ``biases(shape, rng)`` returns one number for each output. Default: zeros.

    """

    weights: Draw
    biases: Draw = no_biases


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs feed an output, and how many outputs an input feeds; at least 1."""
    taps = prod(shape[:-2])
    return max(taps * shape[-2], 1), max(taps * shape[-1], 1)


def he(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal, of variance ``2 / fan_in``: relu-like activations keep the signal's size (He et al. 2015, eq. 10)."""
    return _normal(shape, sqrt(2 / fans(shape)[0]), rng)


def he_both(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal, of variance ``2 / max(fan_in, fan_out)``: neither signals nor gradients grow (He et al. 2015)."""
    return _normal(shape, sqrt(2 / max(fans(shape))), rng)


def glorot(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal, of variance ``2 / (fan_in + fan_out)``: signals and gradients alike (Glorot & Bengio 2010, eq. 12)."""
    return _normal(shape, sqrt(2 / sum(fans(shape))), rng)


def lecun(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Normal, of variance ``1 / fan_in``: the sums have the size of the inputs (LeCun et al. 1998, eq. 16)."""
    return _normal(shape, sqrt(1 / fans(shape)[0]), rng)


def torch(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Uniform between ``-1 / sqrt(fan_in)`` and ``1 / sqrt(fan_in)``: what PyTorch's Linear and Conv2d start with."""
    return _uniform(shape, sqrt(1 / fans(shape)[0]), rng)


def torch_biases(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Uniform between the same limits as the weights."""
    return _uniform(shape[-1:], sqrt(1 / fans(shape)[0]), rng)


def orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Orthonormal columns of ``(taps * inputs, outputs)``, or rows if those are fewer (Saxe et al. 2014, section 3)."""
    rows, columns = prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q *= np.where(np.diag(r) < 0, -1, 1)  # without this, the signs would not be as likely as one another
    return (q if rows >= columns else q.T).reshape(shape).astype(np.float32)


def zeros(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Zeros. Two such layers in a row learn nothing: each gets its gradient through the other's weights."""
    return np.zeros(shape, np.float32)


INITIALIZERS: dict[str, Initializer] = {
    "he": Initializer(he),
    "he_both": Initializer(he_both),
    "glorot": Initializer(glorot),
    "lecun": Initializer(lecun),
    "torch": Initializer(torch, torch_biases),
    "orthogonal": Initializer(orthogonal),
    "zeros": Initializer(zeros),
}


def find(initializer: str | Draw | None, activation: str | None, where: str) -> Initializer:
    """The record for a name or a function of the weights; for None, the default of the activation.

    By default, weights before relu-like activations start as "he_both" says; those of outputs that are probabilities
    as "torch" says, small, so that no class is preferred at first; all others as "glorot" says.
    """
    if callable(initializer):
        check_function(initializer, ("shape", "rng"), f"{where}: initializer")
        return Initializer(initializer)
    if initializer is None:
        record = ACTIVATIONS[activation or "linear"]
        others = "glorot" if record.outputs == "values" else "torch"
        return INITIALIZERS["he_both" if record.relu_like else others]
    one_of(initializer, INITIALIZERS, where, "initializer")
    return INITIALIZERS[initializer]


def in_groups(draw: Draw, groups: int) -> Draw:
    """The weights of so many convolutions side by side, each drawn by itself, as none feeds another's outputs."""

    def drawn(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        part = (*shape[:-1], shape[-1] // groups)
        return np.concatenate([draw(part, rng) for _ in range(groups)], axis=-1)

    return draw if groups == 1 else drawn


def _normal(shape: tuple[int, ...], scale: float, rng: np.random.Generator) -> Array:
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def _uniform(shape: tuple[int, ...], limit: float, rng: np.random.Generator) -> Array:
    return rng.uniform(-limit, limit, shape).astype(np.float32)
