"""L-BFGS."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tensorgrad import Tensor, optim
from tests.optim.problems import f8, leaves


def rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    return ((1 - x) ** 2 + 100 * (y - x**2) ** 2).sum()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_lbfgs_finds_the_end_of_the_valley(dtype: str) -> None:
    x, y = leaves([np.full((1, 1), -1.2, dtype), np.full((), 1.0, dtype)])
    result = optim.minimize(lambda: rosenbrock(x, y), [x, y])
    np.testing.assert_allclose([x.item(), y.item()], [1, 1], atol=1e-4 if dtype == "f8" else 2e-2)
    assert {x.dtype, y.dtype} == {np.dtype(dtype)}
    assert (x.shape, y.shape) == ((1, 1), ())
    assert x.grad is y.grad is None
    assert result.loss == rosenbrock(x, y).item()
    assert 0 < result.iterations <= result.evaluations
    assert result.converged
    assert result.message


def test_lbfgs_stops_at_the_limit() -> None:
    x, y = leaves([f8(-1.2), f8(1.0)])
    result = optim.minimize(lambda: rosenbrock(x, y), [x, y], max_iterations=2)
    assert result.iterations == 2
    assert not result.converged


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_lbfgs_keeps_the_best_when_it_is_interrupted(error: type[BaseException]) -> None:
    x, y = leaves([f8(-1.2), f8(1.0)])
    seen: list[float] = []

    def closure() -> Tensor:
        if len(seen) == 12:
            raise error
        loss = rosenbrock(x, y)
        seen.append(loss.item())
        return loss

    with pytest.raises(error):
        optim.minimize(closure, [x, y])
    assert rosenbrock(x, y).item() == min(seen)


def test_lbfgs_leaves_alone_what_the_loss_does_not_depend_on() -> None:
    x, y = leaves([f8(5.0), f8(7.0)])
    optim.minimize(lambda: (x * x).sum(), [x, y])
    assert abs(x.item()) < 1e-4
    assert y.item() == 7


def test_lbfgs_stops_where_the_loss_is_not_finite() -> None:
    x = Tensor(f8(5.0), requires_grad=True)
    seen: list[float] = []

    def closure() -> Tensor:
        seen.append(x.item())
        return (x * x + (math.inf if len(seen) == 3 else 0.0)).sum()

    with pytest.raises(FloatingPointError, match=r"evaluation 3 gave inf; the parameters are as they were at the low"):
        optim.minimize(closure, [x])
    assert x.item() == seen[1]


def test_lbfgs_is_noticed_by_the_engine() -> None:
    x = Tensor(f8(5.0), requires_grad=True)
    loss = (x * x).sum()
    optim.minimize(lambda: (x * x).sum(), [x])
    with pytest.raises(RuntimeError, match="was written to between the forward and the backward pass"):
        loss.backward()
