"""Moving averages, in place: how the adaptive optimizers remember gradients."""

from __future__ import annotations

import numpy as np

from tensorgrad.tensor import Array


def move_average(average: Array, x: Array, rate: float, scratch: Array) -> None:
    """Move an average toward `x`: ``average = rate * average + (1 - rate) * x``."""
    average *= rate
    average += np.multiply(x, 1 - rate, out=scratch)


def move_average_of_squares(average: Array, x: Array, rate: float, scratch: Array) -> None:
    """Move an average toward the square of `x`: ``average = rate * average + (1 - rate) * x**2``."""
    average *= rate
    np.multiply(x, x, out=scratch)
    scratch *= 1 - rate
    average += scratch
