"""Clipping by norm and by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorgrad import Tensor, optim, tensor
from tests.optim.problems import f4, give, leaves, small


def test_clipping_by_value() -> None:
    params = small()[:2]
    give(params, [np.full((3, 3, 1, 2), -7, "f4"), None])
    optim.clip_grad_value(params, 0.5)
    assert params[0].grad is not None
    assert params[0].grad.dtype == np.float32
    assert np.all(params[0].grad.numpy() == -0.5)


def test_clipping_by_norm() -> None:
    params = leaves([np.zeros(1, "f4"), np.zeros(1, "f4"), np.zeros(2, "f4")])
    give(params, [f4(3), f4(4), None])
    kept = params[0].grad
    assert optim.clip_grad_norm(params, 1.0) == pytest.approx(5)
    assert params[0].grad is kept
    assert kept is not None
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept.numpy(), [0.6], rtol=1e-6)
    assert optim.clip_grad_norm(params, 2.0) == pytest.approx(1)
    np.testing.assert_allclose(kept.numpy(), [0.6], rtol=1e-6)


def test_the_norm_of_gradients_whose_squares_overflow() -> None:
    w = tensor([0.0, 0.0], requires_grad=True)
    w.grad = Tensor(f4(3e30, 4e30))
    assert optim.clip_grad_norm([w], 1.0) == pytest.approx(5e30)
    np.testing.assert_allclose(w.grad.numpy(), [0.6, 0.8], rtol=1e-6)


def test_the_norm_of_float16() -> None:
    """In float16 the squares of these are 0, and the factor is one of few numbers."""
    w = leaves([np.zeros(3, "f2")])
    give(w, [np.array([1e-4, 1e-4, 1e-4], "f2")])
    assert optim.clip_grad_norm(w, 1.0) == pytest.approx(3**0.5 * 1e-4, rel=1e-3)
    give(w, [np.array([6e4, 6e4, 3e4], "f2")])
    assert optim.clip_grad_norm(w, 0.9) == pytest.approx(9e4, rel=1e-3)
    assert w[0].grad is not None
    assert w[0].grad.dtype == np.float16
    np.testing.assert_allclose(w[0].grad.numpy(), [0.6, 0.6, 0.3], rtol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_that_are_not_finite_are_not_scaled(bad: float) -> None:
    w = tensor([0.0, 0.0], requires_grad=True)
    w.grad = Tensor(f4(bad, 4))
    with pytest.raises(FloatingPointError, match="clip_grad_norm: the gradients must be finite, but their norm is"):
        optim.clip_grad_norm([w], 1.0)
    assert w.grad.numpy()[1] == 4


@pytest.mark.parametrize("clip", [optim.clip_grad_value, optim.clip_grad_norm])
def test_clipping_is_noticed_by_the_engine(clip: Callable[[list[Tensor], float], Any]) -> None:
    w = tensor([3.0, 4.0], requires_grad=True)
    (w**3).sum().backward(create_graph=True)
    assert w.grad is not None
    penalty = (w.grad * w.grad).sum()
    clip([w], 1.0)
    with pytest.raises(RuntimeError, match="was written to between the forward and the backward pass"):
        penalty.backward()
