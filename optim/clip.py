"""Clipping: reduces gradients that are too large, in place, between ``backward()`` and ``step()``."""

from __future__ import annotations

from collections.abc import Iterable
from math import hypot, isfinite

import numpy as np

from tensorgrad import engine
from tensorgrad.optim.arguments import positive
from tensorgrad.optim.flat import computed_in
from tensorgrad.tensor import Array, Tensor


def clip_grad_value(params: Iterable[Tensor], limit: float) -> None:
    """Clip each element of the gradients: ``g = min(max(g, -limit), limit)``.

    Parameters
    ----------
    params : iterable of Tensor
        Their ``grad`` is changed in place; one that is None is left alone.
    limit : float
        The largest absolute value that is kept, greater than 0. NaN stays NaN.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a Tensor, or the limit is not a positive number.

    """
    limit = positive(limit, "clip_grad_value", "limit")
    for grad in _gradients(params, "clip_grad_value"):
        np.clip(_writable(grad), -limit, limit, out=grad.array)
        engine.wrote(grad)


def clip_grad_norm(params: Iterable[Tensor], limit: float) -> float:
    """Scale all gradients by one factor so that their global norm is at most `limit`.

    ``norm = sqrt(sum(g**2))`` over all elements of all gradients, and ``g = g * min(1, limit / (norm + 1e-6))``.

    Parameters
    ----------
    params : iterable of Tensor
        Their ``grad`` is changed in place; one that is None is left alone.
    limit : float
        The largest norm that is kept, greater than 0.

    Returns
    -------
    norm : float
        The norm before the clipping.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not a Tensor, or the limit is not a positive number.
    FloatingPointError
        If the norm is not finite, since no factor can then help. The gradients stay unchanged.

    References
    ----------
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1.

    """
    limit = positive(limit, "clip_grad_norm", "limit")
    gradients = _gradients(params, "clip_grad_norm")
    norm = hypot(*(_norm(grad.array) for grad in gradients))
    if not isfinite(norm):
        raise FloatingPointError(
            f"clip_grad_norm: the gradients must be finite, but their norm is {norm}; "
            "look for the operation that made them so, or lower the learning rate"
        )
    factor = limit / (norm + 1e-6)
    if factor < 1:
        for grad in gradients:
            array = _writable(grad)
            array *= computed_in(array.dtype).type(factor)
            engine.wrote(grad)
    return norm


def _gradients(params: Iterable[Tensor], where: str) -> list[Tensor]:
    found = [params] if isinstance(params, Tensor) else list(params)
    for i, p in enumerate(found):
        if not isinstance(p, Tensor):
            raise TypeError(f"{where}: parameter {i} must be a Tensor, received {type(p).__name__}")
    return [p.grad for p in found if p.grad is not None]


def _writable(grad: Tensor) -> Array:
    """The array of a gradient; a NumPy scalar, as reductions make them, becomes a 0-d array."""
    grad.array = np.asarray(grad.array)
    return grad.array


def _norm(g: Array) -> float:
    """The norm, in the dtype of an optimizer's steps unless its squares overflow there."""
    with np.errstate(over="ignore"):
        norm = float(np.linalg.norm(g.astype(computed_in(g.dtype), copy=False)))
    return norm if isfinite(norm) else float(np.linalg.norm(np.asarray(g, np.float64)))
