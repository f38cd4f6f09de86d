"""Derivatives of any order, on top of the engine's one walk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad import engine
from tensorgrad.functional.shaping import stack
from tensorgrad.tensor import Tensor, TensorLike, as_tensor

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp"]


def grad(
    output: Tensor,
    inputs: Tensor | Sequence[Tensor],
    gradient: TensorLike | None = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The gradient of an output by each of the inputs; no tensor's ``grad`` changes.

    Parameters
    ----------
    output : Tensor
    inputs : Tensor or sequence of Tensor
        Leaves or results; each must require a gradient.
    gradient : array_like, shape=output.shape, optional
        Weights for the output's elements; 1 for a single element.
    retain_graph : bool, optional
        Keep the graph for another walk over it. Default: as `create_graph`.
    create_graph : bool
        Record the gradients themselves, so that they can be differentiated in turn, to any order.
    allow_unused : bool
        Return zeros for an input that the output does not depend on, instead of raising.

    Returns
    -------
    tuple of Tensor, one per input, each of that input's shape

    Examples
    --------
    >>> x = Tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> grad(slope, x)
    (Tensor(18., dtype=float32),)

    """
    if not isinstance(output, Tensor):
        raise TypeError(f"grad: expected a Tensor to differentiate, received {type(output).__name__}")
    wanted = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    for position, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise ValueError(f"grad: input {position} does not require a gradient; make it with requires_grad=True")
    retain = create_graph if retain_graph is None else retain_graph
    seed = output.starting_gradient(gradient, create_graph, "grad")
    found = {id(x): (g, fresh) for x, g, fresh in engine.gradients(output, seed, wanted, retain, create_graph)}
    result: list[Tensor] = []
    for position, x in enumerate(wanted):
        if id(x) not in found and not allow_unused:
            raise ValueError(
                f"grad: the output does not depend on input {position} (shape {x.shape}); "
                "pass allow_unused=True to get zeros for it"
            )
        g, fresh = found.get(id(x), (np.zeros(x.shape, x.dtype), True))
        found[id(x)] = g, False  # an input that is listed twice gets a gradient of its own each time
        result.append(g if isinstance(g, Tensor) else Tensor.wrap(np.asarray(g) if fresh else np.array(g)))
    return tuple(result)


def jacobian(f: Callable[[Tensor], Tensor], x: TensorLike) -> Tensor:
    """All derivatives of a function's outputs by its inputs.

    Parameters
    ----------
    f : callable
        From a tensor to a tensor.
    x : array_like
        The point. If it requires a gradient, the derivatives are recorded and can be differentiated by it in turn, so
        this and the functions below can be nested. Under ``no_grad()`` they work too, but record nothing.

    Returns
    -------
    Tensor, shape=(*f(x).shape, *x.shape)

    """
    at = _variable(x)
    y = _output(f, at, "jacobian")
    rows = [_gradient(y, at, unit, _is_recorded(at)) for unit in _units(y)]
    return stack(rows).reshape(y.shape + at.shape) if rows else Tensor(np.zeros(y.shape + at.shape, y.dtype))


def hessian(f: Callable[[Tensor], Tensor], x: TensorLike) -> Tensor:
    """All second derivatives of a scalar function: ``(*x.shape, *x.shape)``."""
    return jacobian(lambda at: _slope(f, at, "hessian"), x)


def hvp(f: Callable[[Tensor], Tensor], x: TensorLike, v: TensorLike) -> Tensor:
    """The Hessian of a scalar function times a vector, without the Hessian: two walks, whatever the size of x."""
    at = _variable(x)
    direction = _direction(v, at, "hvp")
    return _gradient(_slope(f, at, "hvp"), at, direction, _is_recorded(at, direction))


def jvp(f: Callable[[Tensor], Tensor], x: TensorLike, v: TensorLike) -> Tensor:
    """The Jacobian of a function times a vector: how f(x) changes along v.

    The gradient ``J^T u`` is linear in u; its own gradient by u, weighted with v, is ``J v``.
    """
    at = _variable(x)
    y = _output(f, at, "jvp")
    u = Tensor(np.zeros(y.shape, y.dtype), requires_grad=True)
    if not y.requires_grad:
        return u.detach()
    (pulled,) = grad(y, at, u, create_graph=True, allow_unused=True)
    direction = _direction(v, at, "jvp")
    return _gradient(pulled, u, direction, _is_recorded(at, direction))


def _variable(x: TensorLike) -> Tensor:
    """A leaf with the values of x; or, if x is in a graph, a copy of it in the same graph."""
    given = as_tensor(x).floating()
    return given.copy() if given.requires_grad and engine.recording() else Tensor(given, requires_grad=True)


def _is_recorded(at: Tensor, *others: Tensor) -> bool:
    """Whether the derivatives at a variable are recorded in turn."""
    return engine.recording() and (not at.is_leaf or any(t.requires_grad for t in others))


def _output(f: Callable[[Tensor], Tensor], at: Tensor, name: str) -> Tensor:
    with engine.set_recording(True):
        y = f(at)
    if not isinstance(y, Tensor):
        raise TypeError(f"{name}: expected a function from a tensor to a tensor; it returned {type(y).__name__}")
    return y


def _slope(f: Callable[[Tensor], Tensor], at: Tensor, name: str) -> Tensor:
    """The gradient of a function of one output, recorded."""
    y = _output(f, at, name)
    if y.size != 1:
        raise ValueError(f"{name}: expected a function of one output, received outputs of shape {y.shape}")
    return grad(y, at, create_graph=True, allow_unused=True)[0] if y.requires_grad else at * 0


def _gradient(y: Tensor, x: Tensor, weights: Any, create_graph: bool) -> Tensor:
    """The gradient of y by x; zero where y is constant."""
    if not y.requires_grad:
        return Tensor(np.zeros(x.shape, x.dtype))
    return grad(y, x, weights.reshape(y.shape), retain_graph=True, create_graph=create_graph, allow_unused=True)[0]


def _units(y: Tensor) -> Any:
    return np.eye(y.size, dtype=y.dtype)


def _direction(v: TensorLike, at: Tensor, name: str) -> Tensor:
    direction = as_tensor(v).astype(at.dtype)
    if direction.shape != at.shape:
        raise ValueError(f"{name}: expected v of the shape of x, {at.shape}; received shape {direction.shape}")
    return direction
