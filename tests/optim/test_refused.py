"""What optimizers, schedules and clipping refuse, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorgrad import Tensor, optim, tensor
from tensorgrad.layers import FFL, BatchNorm, Sequential
from tensorgrad.optim import Adam, Constant
from tests.optim.problems import give, small, some_gradients, values


def frozen() -> Tensor:
    w = tensor([1.0], requires_grad=True)
    w.array.flags.writeable = False
    return w


W = tensor([1.0], requires_grad=True)
loose: Any = optim  # so that a type checker does not refuse them first
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: loose.Adam(Sequential([FFL(neurons=2)]).parameters()),
        ValueError,
        "Adam: params is empty: there is nothing to optimize; .* input_shape=, or call it once before this",
    ),
    (lambda: loose.Adam(W), TypeError, r"Adam: params must be a list of Tensors, received one Tensor; pass \[w\]"),
    (lambda: loose.Adam({"w": W}), TypeError, r"received one dict; .* list\(d\.values\(\)\)"),
    (lambda: loose.Adam(3), TypeError, "Adam: params must be a list of Tensors, received one int"),
    (lambda: loose.Adam([W, W]), ValueError, "Adam: parameter 1 is there a second time; pass each Tensor once"),
    (
        lambda: loose.Adam([np.ones(3)]),
        TypeError,
        r"Adam: parameter 0 must be a Tensor, received ndarray; .* tensor\(\)",
    ),
    (lambda: loose.Adam([W * 2]), ValueError, "Adam: parameter 0 is the result of an operation; optimize the leaves"),
    (
        lambda: loose.Adam([W, tensor([1.0])]),
        ValueError,
        "Adam: parameter 1 does not require a gradient; set requires_grad",
    ),
    (lambda: loose.Adam([frozen()]), ValueError, r"Adam: parameter 0 cannot be written to: .* pass a copy\(\)"),
    (lambda: loose.Adam([W], lr=-0.1), ValueError, r"Adam: lr must be a finite number, at least 0; received -0\.1"),
    (lambda: loose.Adam([W], lr=math.nan), ValueError, "Adam: lr must be a finite number, at least 0; received nan"),
    (lambda: loose.Adam([W], lr=math.inf), ValueError, "Adam: lr must be a finite number, at least 0; received inf"),
    (lambda: loose.Adam([W], lr="fast"), TypeError, "Adam: lr must be a number, received 'fast' of type str"),
    (lambda: loose.Adam([W], lr=True), TypeError, "Adam: lr must be a number, received True of type bool"),
    (
        lambda: setattr(loose.Adam([W]), "lr", -1),
        ValueError,
        "Adam: lr must be a finite number, at least 0; received -1",
    ),
    (lambda: loose.Adam([W], beta1=1.0), ValueError, r"beta1 must be a finite number, at least 0 and less than 1;"),
    (lambda: loose.Adam([W], eps=0.0), ValueError, r"Adam: eps must be a finite number of at least 1\.2e-38"),
    (lambda: loose.RMSprop([W], eps=1e-50), ValueError, r"\(in float32, less is 0\), received 1e-50"),
    (lambda: loose.Adam([W], weight_decay=-1.0), ValueError, "weight_decay must be a finite number, at least 0"),
    (lambda: loose.SGD([W], mr=1.5), ValueError, r"SGD: mr must be a finite number, at least 0 and less than 1"),
    (lambda: loose.Momentum([W], nesterov=1), TypeError, "Momentum: nesterov must be True or False, received 1"),
    (
        lambda: loose.by_name("adaam", [W]),
        ValueError,
        "unknown optimizer 'adaam'; did you mean 'adam'. Known are 'adam', 'adamw', .*'sgd'",
    ),
    (lambda: loose.StepDecay(0.1, every=0), ValueError, "StepDecay: every must be at least 1, received 0"),
    (lambda: loose.StepDecay(0.1, every=2.5), TypeError, r"StepDecay: every must be an int, received 2\.5"),
    (lambda: loose.StepDecay(0.1, 5)(-1), ValueError, "StepDecay: n must be at least 0, received -1"),
    (lambda: loose.Exponential(0.1, 0), ValueError, "Exponential: gamma must be greater than 0, received 0"),
    (lambda: loose.Exponential(-0.1, 0.9), ValueError, "Exponential: lr must be a finite number, at least 0"),
    (lambda: loose.Cosine(0.1, 0), ValueError, "Cosine: total must be at least 1, received 0"),
    (lambda: loose.Cosine(0.1, 5)(1.5), TypeError, r"Cosine: n must be an int, received 1\.5 of type float"),
    (lambda: loose.WarmUp(3, 0.1), TypeError, r"WarmUp: then must be a schedule, .* received 0\.1; .* Constant\(lr\)"),
    (lambda: loose.WarmUp(0, Constant(0.1)), ValueError, "WarmUp: steps must be at least 1, received 0"),
    (lambda: loose.clip_grad_norm([W], 0), ValueError, "clip_grad_norm: limit must be greater than 0, received 0"),
    (lambda: loose.clip_grad_value([W], -1), ValueError, "clip_grad_value: limit must be a finite number"),
    (lambda: loose.clip_grad_value([3], 1), TypeError, "clip_grad_value: parameter 0 must be a Tensor, received int"),
    (lambda: loose.minimize(lambda: W * W, []), ValueError, "minimize: params is empty"),
    (lambda: loose.minimize(lambda: 3.0, [W]), TypeError, "the loss as a Tensor of one element, received a float"),
    (lambda: loose.minimize(lambda: tensor([1.0, 2.0]) * W, [W]), TypeError, r"one element, received shape \(2,\)"),
    (
        lambda: loose.minimize(lambda: W * math.nan, [W]),
        FloatingPointError,
        "the loss must be finite, but evaluation 1 gave nan",
    ),
    (lambda: loose.minimize(lambda: W * W, [W], 0), ValueError, "max_iterations must be at least 1, received 0"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_refused(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        (Tensor(np.ones((5, 1), "f4")), r"float32 of shape \(5, 1\)"),
        (Tensor(np.ones((5, 4))), r"float64 of shape \(5, 4\)"),
        (np.ones((5, 4), "f4"), "a ndarray"),
    ],
)
def test_a_gradient_that_does_not_fit_changes_nothing(wrong: Any, received: str) -> None:
    params = small()
    optimizer, before = Adam(params), values(params)
    give(params, some_gradients(params, 1)[0])
    params[2].grad = wrong
    with pytest.raises(ValueError, match=r"Adam: the gradient of parameter 2 must be a Tensor of .*" + received):
        optimizer.step()
    assert all(np.array_equal(a, b) for a, b in zip(values(params), before, strict=True))
    assert optimizer.steps == 0


def test_an_optimizer_may_come_before_the_first_call() -> None:
    net = Sequential([FFL(input_shape=3, neurons=4, activation="tanh"), BatchNorm(), FFL(neurons=2)])
    optimizer = Adam(net.parameters(), lr=0.1)
    before = values(optimizer.params)
    net(np.ones((5, 3))).sum().backward()
    optimizer.step()
    assert len(before) == 6
    assert {id(p) for p in net.parameters()} == {id(p) for p in optimizer.params}
    assert all(p.grad is not None for p in optimizer.params)


def test_an_optimizer_without_a_formula() -> None:
    w = tensor([1.0], requires_grad=True)
    w.grad = tensor([1.0])
    with pytest.raises(NotImplementedError, match=r"must define update\(g, slots, scratch, t\)"):
        optim.Optimizer([w], lr=0.1).step()
