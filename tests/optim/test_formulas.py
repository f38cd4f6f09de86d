"""The optimizers against their formulas, written out in plain float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad.optim.optimizer as base
from tensorgrad import Tensor, optim, tensor
from tensorgrad.optim import OPTIMIZERS, Adam, Momentum, by_name
from tests.optim.problems import NAMES, State, f4, give, leaves, problems, run, small, some_gradients, values

Formula = Callable[[Any, Any, State, int], Any]  # (weights, gradient, state, t) -> the change of the weights


def sgd(lr: float, rate: float, nesterov: bool = False) -> Formula:
    def formula(w: Any, g: Any, state: State, t: int) -> Any:
        state["v"] = rate * state.get("v", 0) + g
        return -lr * (g + rate * state["v"] if nesterov else state["v"])

    return formula


def adagrad(w: Any, g: Any, state: State, t: int) -> Any:
    state["s"] = state.get("s", 0) + g**2
    return -0.01 * g / (np.sqrt(state["s"]) + 1e-10)


def rmsprop(w: Any, g: Any, state: State, t: int) -> Any:
    state["v"] = 0.9 * state.get("v", 0) + 0.1 * g**2
    return -0.01 * g / (np.sqrt(state["v"]) + 1e-8)


def adadelta(w: Any, g: Any, state: State, t: int) -> Any:
    state["v"] = 0.9 * state.get("v", 0) + 0.1 * g**2
    d = np.sqrt(state.get("u", 0) + 1e-6) / np.sqrt(state["v"] + 1e-6) * g
    state["u"] = 0.9 * state.get("u", 0) + 0.1 * d**2
    return -d


def moments(g: Any, state: State) -> tuple[Any, Any]:
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0) + 0.001 * g**2
    return state["m"], state["v"]


def adam(w: Any, g: Any, state: State, t: int) -> Any:
    m, v = moments(g, state)
    return -0.001 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def adamw(w: Any, g: Any, state: State, t: int) -> Any:
    return adam(w, g, state, t) - 0.001 * 0.01 * w


def adamax(w: Any, g: Any, state: State, t: int) -> Any:
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    state["u"] = np.maximum(0.999 * state.get("u", 0), np.abs(g) + 1e-8)
    return -0.002 / (1 - 0.9**t) * state["m"] / state["u"]


def nadam(w: Any, g: Any, state: State, t: int) -> Any:
    m, v = moments(g, state)
    mu = [0.9 * (1 - 0.5 * 0.96 ** (0.004 * i)) for i in range(1, t + 2)]
    ahead = (1 - mu[t - 1]) / (1 - math.prod(mu[:t])) * g + mu[t] / (1 - math.prod(mu)) * m
    return -0.002 * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def decayed(formula: Formula, weight_decay: float) -> Formula:
    return lambda w, g, state, t: formula(w, g + weight_decay * w, state, t)


FORMULAS: dict[str, Formula] = {
    "sgd": sgd(0.01, 0.001),
    "iterative": sgd(0.01, 0),
    "momentum": decayed(sgd(0.01, 0.9), 0.0005),
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "adam": adam,
    "adamax": adamax,
    "adadelta": adadelta,
    "nadam": nadam,
    "adamw": adamw,
}


def test_every_optimizer_has_a_formula() -> None:
    assert set(NAMES) == FORMULAS.keys()


def check(optimizer: Any, formula: Formula, gradients: list[list[Any]]) -> None:
    expected = [p.numpy().astype("f8") for p in optimizer.params]
    states: list[State] = [{} for _ in expected]
    counts = [0] * len(expected)
    for given_ in gradients:
        for i, g in enumerate(given_):
            if g is not None:
                counts[i] += 1
                expected[i] = expected[i] + formula(expected[i], g.astype("f8"), states[i], counts[i])
    run(optimizer, gradients)
    for p, e in zip(optimizer.params, expected, strict=True):
        tight = p.dtype == np.float64
        np.testing.assert_allclose(p.numpy(), e, rtol=1e-11 if tight else 2e-5, atol=1e-12 if tight else 1e-5)


@pytest.mark.parametrize("name", NAMES)
@given(problem=problems())
def test_formula(name: str, problem: Any) -> None:
    weights, gradients = problem
    check(by_name(name, leaves(weights)), FORMULAS[name], gradients)


@given(problem=problems(), rate=st.floats(0, 0.99), nesterov=st.booleans(), decay=st.sampled_from([0.0, 0.1]))
def test_momentum_with_other_numbers(problem: Any, rate: float, nesterov: bool, decay: float) -> None:
    weights, gradients = problem
    optimizer = Momentum(leaves(weights), 0.02, beta=rate, weight_decay=decay, nesterov=nesterov)
    check(optimizer, decayed(sgd(0.02, rate, nesterov), decay), gradients)


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("momentum", "adamw")])
def test_weight_decay(name: str) -> None:
    optimizer = OPTIMIZERS[name](small(), weight_decay=0.1)
    check(optimizer, decayed(FORMULAS[name], 0.1), some_gradients(small(), 8))


@pytest.mark.parametrize("name", NAMES)
def test_parameters_of_float16(name: str) -> None:
    """Steps and slots are float32 there: in float16 an eps of 1e-8 is 0, and so is the square of 1e-4."""
    params = leaves([np.array([1, -2, 3, 0.5], "f2")])
    optimizer = by_name(name, params)
    gradients = [np.array(g, "f2") for g in ([1e-3, -2e-4, 0, 60_000], [1e-3, 1e-6, 0, -6e4])]
    narrow = [p.numpy().astype("f4") for p in params]
    wide = by_name(name, leaves(narrow))
    for g in gradients:
        run(optimizer, [[g]])
        run(wide, [[g.astype("f4")]])
        wide.params[0].data = params[0].numpy().astype("f4")  # both go on from the rounded weights
        assert np.isfinite(params[0].numpy()).all()
    state = optimizer.state_dict()
    assert params[0].dtype == np.float16
    for slot, expected in zip(state["slots"].values(), wide.state_dict()["slots"].values(), strict=True):
        np.testing.assert_allclose(slot, expected, rtol=1e-6)
    by_name(name, leaves([params[0].numpy()])).load_state_dict(state)


def test_first_steps_by_hand() -> None:
    w = tensor([1.0, -2.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5, mr=0.5)
    run(optimizer, [[f4(1, 1)], [f4(0, 2)]])
    assert w.tolist() == [1 - 0.5 - 0.25, -2 - 0.5 - 1.25]


def test_the_rate_can_be_changed_between_steps() -> None:
    w = tensor([1.0], requires_grad=True)
    optimizer = optim.Iterative([w], lr=1.0)
    run(optimizer, [[f4(0.5)]])
    optimizer.lr = 0.25
    run(optimizer, [[f4(1.0)]])
    assert w.item() == 0.25


@pytest.mark.parametrize("name", NAMES)
def test_finds_the_bottom_of_a_bowl(name: str) -> None:
    target = Tensor(f4(3.0, -1.0))
    w = tensor([0.0, 0.0], requires_grad=True)
    rate = {"adadelta": 30.0, "adagrad": 1.0, "sgd": 0.1, "iterative": 0.1, "momentum": 0.05}.get(name, 0.05)
    optimizer = by_name(name, [w], lr=rate)
    for step in range(600):
        optimizer.lr = rate * (1 - step / 600)
        optimizer.zero_grad()
        ((w - target) ** 2).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), target.numpy(), atol=2e-2)


@pytest.mark.parametrize("name", NAMES)
def test_the_size_of_the_blocks_does_not_change_a_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, blocks = by_name(name, small()), by_name(name, small())
    run(whole, some_gradients(small(), 5))
    monkeypatch.setattr(base, "BLOCK", 7)
    run(blocks, some_gradients(small(), 5))
    for a, b in zip(whole.params, blocks.params, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


def test_more_than_a_block() -> None:
    params = leaves([np.ones(140_000, "f4"), np.ones((300, 300), "f4")])
    check(Adam(params), adam, some_gradients(params, 2))


def test_arrays_in_any_order_of_memory() -> None:
    w = Tensor(np.asfortranarray(np.arange(6.0).reshape(2, 3)), requires_grad=True)
    w.grad = Tensor(np.arange(6.0).reshape(3, 2)).T
    optim.Iterative([w], lr=1.0).step()
    assert w.tolist() == [[0, -1, -2], [2, 1, 0]]


def test_a_missing_gradient_leaves_the_parameter_alone() -> None:
    params = small()
    before = values(params)
    optimizer = Adam(params, weight_decay=0.1)
    optimizer.step()
    give(params, [None, *some_gradients(params, 1)[0][1:]])
    optimizer.step()
    assert np.array_equal(params[0].numpy(), before[0])
    assert not np.array_equal(params[1].numpy(), before[1])
    assert optimizer.state_dict()["updates"] == [0, 1, 1, 1]


def test_zero_grad() -> None:
    params = small()
    give(params, some_gradients(params, 1)[0])
    Adam(params).zero_grad()
    assert all(p.grad is None for p in params)
