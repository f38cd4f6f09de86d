"""SciPy's L-BFGS on the parameters of a model, for small models and all of the data at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import engine
from tensorgrad.checks import from_scipy
from tensorgrad.optim.arguments import count, number, parameters
from tensorgrad.tensor import Array, Tensor


class Result(NamedTuple):
    """How :func:`minimize` ended."""

    loss: float
    """The lowest loss that was found; the parameters have its values."""
    iterations: int
    """Steps taken."""
    evaluations: int
    """Evaluations of the loss and its gradient."""
    converged: bool
    """Whether the tolerance was reached."""
    message: str
    """Why it ended, in SciPy's words."""


def minimize(
    closure: Callable[[], Tensor],
    params: Iterable[Tensor],
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> Result:
    """Minimize a loss over parameters with L-BFGS, a quasi-Newton method.

    Parameters
    ----------
    closure : callable
        Returns the loss of the parameters as they are, a Tensor of one element. It is called often, and must return
        the same loss for the same parameters every time: no dropout, no random batches.
    params : iterable of Tensor
        What to change, in place. In the end they have the values of the lowest loss, and no gradient, also if `closure`
        raises or the user interrupts.
    max_iterations : int
        Steps after which it gives up.
    tolerance : float
        Stop when no element of the gradient is larger in absolute value.

    Returns
    -------
    Result
        The loss, iterations, evaluations, whether it converged, and SciPy's message.

    Raises
    ------
    TypeError, ValueError
        If a parameter cannot be optimized, or the loss is not a Tensor of one element.
    FloatingPointError
        If the loss is not finite.

    References
    ----------
    Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization", algorithm 2.1; Byrd et al.
    1995, the L-BFGS-B that SciPy has. The search is done in float64, whatever the parameters' dtype.

    Examples
    --------
    >>> w = Tensor([3.0, -1.0], requires_grad=True)
    >>> result = minimize(lambda: ((w - Tensor([1.0, 2.0])) ** 2).sum(), [w])
    >>> np.round(w.data, 4)
    array([1., 2.], dtype=float32)
    >>> result.converged
    True

    """
    optimize = from_scipy("optimize", "minimize")
    search = _Search(closure, parameters(params, "minimize"))
    options = {
        "maxiter": count(max_iterations, "minimize", "max_iterations", low=1),
        "gtol": number(tolerance, "minimize", "tolerance"),
        "ftol": max(float(np.finfo(p.dtype).eps) for p in search.params),  # the loss has no more digits
    }
    try:
        found: Any = optimize.minimize(search.loss, search.best, jac=True, method="L-BFGS-B", options=options)
    finally:
        search.write(search.best)
        for p in search.params:
            p.zero_grad()
    return Result(search.lowest, int(found.nit), search.evaluations, bool(found.success), str(found.message))


class _Search:
    """The loss as a function of one float64 vector of all the parameters, and where it was lowest."""

    def __init__(self, closure: Callable[[], Tensor], params: list[Tensor]) -> None:
        self.closure = closure
        self.params = params
        self.lowest = np.inf
        self.evaluations = 0
        self.best = np.concatenate([p.array.reshape(-1) for p in params], dtype=np.float64)

    def write(self, vector: Array) -> None:
        """Give the parameters the values in a vector."""
        start = 0
        for p in self.params:
            p.array = np.asarray(p.array)
            p.array[...] = vector[start : start + p.size].reshape(p.shape)
            engine.wrote(p)
            start += p.size

    def loss(self, vector: Array) -> tuple[float, Array]:
        """The loss at a vector, and its gradient."""
        self.write(vector)
        for p in self.params:
            p.zero_grad()
        loss = self.closure()
        if not isinstance(loss, Tensor) or loss.size != 1:
            what = f"shape {loss.shape}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise TypeError(f"minimize: the closure must return the loss as a Tensor of one element, received {what}")
        value = float(loss.item())
        self.evaluations += 1
        if not np.isfinite(value):
            raise FloatingPointError(
                f"minimize: the loss must be finite, but evaluation {self.evaluations} gave {value}; "
                "the parameters are as they were at the lowest loss before; start elsewhere, or scale the data"
            )
        loss.backward()
        if value < self.lowest:
            self.lowest, self.best = value, vector.copy()
        gradients = [np.zeros(p.size) if p.grad is None else p.grad.array.reshape(-1) for p in self.params]
        return value, np.concatenate(gradients, dtype=np.float64)
