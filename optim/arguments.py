"""Checks of the arguments of optimizers and schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from tensorgrad.checks import brief, epsilon
from tensorgrad.tensor import Tensor


def number(value: Any, where: str, argument: str, low: float = 0.0, below: float = inf) -> float:
    """A finite number of at least `low` and less than `below`, as a Python float.

    A Python float, because a NumPy one of float64 would make float32 arithmetic slower.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"{where}: {argument} must be a number, received {brief(value)} of type {type(value).__name__}")
    if not (isfinite(value) and low <= value < below):
        limits = f"at least {low:g}" + ("" if below == inf else f" and less than {below:g}")
        raise ValueError(f"{where}: {argument} must be a finite number, {limits}; received {brief(value)}")
    return float(value)


def positive(value: Any, where: str, argument: str) -> float:
    """A finite number greater than 0, as a Python float."""
    if number(value, where, argument) == 0:
        raise ValueError(f"{where}: {argument} must be greater than 0, received {brief(value)}")
    return float(value)


def divisor(value: Any, where: str, argument: str) -> float:
    """What is added to a divisor that may be 0, as a Python float."""
    return epsilon(value, where)


def count(value: Any, where: str, argument: str, low: int = 0) -> int:
    """An integer of at least `low`, as a Python int."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{where}: {argument} must be an int, received {brief(value)} of type {type(value).__name__}")
    if value < low:
        raise ValueError(f"{where}: {argument} must be at least {low}, received {value}")
    return int(value)


def share(value: Any, where: str, argument: str) -> float:
    """How much of the past is kept: a number of at least 0 and less than 1."""
    return number(value, where, argument, below=1.0)


def parameters(params: Iterable[Tensor], where: str) -> list[Tensor]:
    """The parameters as a list: each a leaf that can be optimized, and none of them twice."""
    if isinstance(params, Tensor | np.ndarray | Mapping | str) or not isinstance(params, Iterable):
        raise TypeError(
            f"{where}: params must be a list of Tensors, received one {type(params).__name__}; "
            "pass [w] for a single one, list(d.values()) for a dict"
        )
    found = list(params)
    if not found:
        raise ValueError(
            f"{where}: params is empty: there is nothing to optimize; a layer has parameters once it knows its input: "
            "give the first one its input_shape=, or call it once before this"
        )
    for i, p in enumerate(found):
        what = f"{where}: parameter {i}"
        if not isinstance(p, Tensor):
            raise TypeError(f"{what} must be a Tensor, received {type(p).__name__}; make it one with tensor()")
        if not p.is_leaf:
            raise ValueError(f"{what} is the result of an operation; optimize the leaves that it is computed from")
        if not p.requires_grad:
            raise ValueError(f"{what} does not require a gradient; set requires_grad=True, or leave it out")
        if isinstance(p.array, np.ndarray) and not p.array.flags.writeable:
            raise ValueError(f"{what} cannot be written to: its memory is read-only; pass a copy()")
    twice = [i for i, p in enumerate(found) if any(p is q for q in found[:i])]
    if twice:
        raise ValueError(f"{where}: parameter {twice[0]} is there a second time; pass each Tensor once")
    return found
