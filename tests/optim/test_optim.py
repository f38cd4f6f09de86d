"""The optimizers against their formulas, written out; their state, their errors; schedules, clipping, L-BFGS."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad.optim.optimizer as base
from tensorgrad import Tensor, optim, tensor
from tensorgrad.optim import OPTIMIZERS, Adam, Constant, Cosine, Exponential, Momentum, StepDecay, WarmUp, by_name

State = dict[str, Any]
Formula = Callable[[Any, Any, State, int], Any]

# -- the formulas: (weights, gradient, state, t) -> the change of the weights, in plain float64 --------------------


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
NAMES = list(OPTIMIZERS)

# -- helpers -----------------------------------------------------------------------------------------------------


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[np.ndarray], list[list[np.ndarray | None]]]:
    """Weights of several shapes and dtypes, and for each step the gradients, of which some are missing."""
    shapes = draw(st.lists(st.lists(st.integers(0, 4), max_size=3).map(tuple), min_size=1, max_size=5))
    dtypes = draw(st.lists(st.sampled_from(["f4", "f8"]), min_size=len(shapes), max_size=len(shapes)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = draw(st.sampled_from([1e-3, 1.0, 30.0]))
    steps = draw(st.integers(1, 12))
    missing = draw(st.sampled_from([0.0, 0.0, 0.4]))
    weights = [rng.standard_normal(s).astype(d) for s, d in zip(shapes, dtypes, strict=True)]
    gradients = [
        [None if rng.random() < missing else (scale * rng.standard_normal(w.shape)).astype(w.dtype) for w in weights]
        for _ in range(steps)
    ]
    return weights, gradients


def f4(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def f8(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float64)


def leaves(weights: list[np.ndarray]) -> list[Tensor]:
    return [Tensor(w, requires_grad=True) for w in weights]


def give(params: list[Tensor], gradients: list[Any]) -> None:
    for p, g in zip(params, gradients, strict=True):
        p.grad = None if g is None else Tensor(g)


def run(optimizer: Any, gradients: list[list[Any]]) -> None:
    for given_ in gradients:
        give(optimizer.params, given_)
        optimizer.step()


def values(params: list[Tensor]) -> list[np.ndarray]:
    return [p.numpy().copy() for p in params]


def some_gradients(params: list[Tensor], steps: int, seed: int = 0) -> list[list[Any]]:
    rng = np.random.default_rng(seed)
    return [[rng.standard_normal(p.shape).astype(p.dtype) for p in params] for _ in range(steps)]


def small() -> list[Tensor]:
    rng = np.random.default_rng(1)
    return leaves([rng.standard_normal(s).astype("f4") for s in [(3, 3, 1, 2), (2,), (5, 4), ()]])


# -- the optimizers do what their formulas say -------------------------------------------------------------------


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


# -- state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(problem=problems(), cut=st.integers(0, 12))
def test_resuming_is_exact_to_the_bit(name: str, problem: Any, cut: int) -> None:
    weights, gradients = problem
    through = by_name(name, leaves(weights), lr=0.02)
    run(through, gradients)
    first = by_name(name, leaves(weights), lr=0.02)
    run(first, gradients[:cut])
    state = first.state_dict()
    second = by_name(name, leaves(values(first.params)), lr=0.5)
    run(first, gradients[:1])  # the state is a copy: what happens to the first has no influence
    second.load_state_dict(state)
    run(second, gradients[cut:])
    assert second.steps == through.steps
    for a, b in zip(through.params, second.params, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    for slots, others in zip(
        through.state_dict()["slots"].values(), second.state_dict()["slots"].values(), strict=True
    ):
        assert all(np.array_equal(a, b) for a, b in zip(slots, others, strict=True))


def pickled(optimizer: Any) -> Any:
    return pickle.loads(pickle.dumps(optimizer))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_goes_on_by_itself(name: str, duplicate: Callable[[Any], Any]) -> None:
    optimizer = by_name(name, small())
    gradients = some_gradients(optimizer.params, 6)
    run(optimizer, gradients[:3])
    twin = duplicate(optimizer)
    run(optimizer, gradients[3:])
    run(twin, gradients[3:])
    for a, b in zip(optimizer.params, twin.params, strict=True):
        assert a is not b
        assert np.array_equal(a.numpy(), b.numpy())


def test_the_state_is_plain() -> None:
    optimizer = Adam(small(), lr=np.float64(0.01))
    run(optimizer, some_gradients(optimizer.params, 2))
    state = optimizer.state_dict()
    assert {key: value for key, value in state.items() if key != "slots"} == {
        "name": "adam",
        "lr": 0.01,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "weight_decay": 0.0,
        "step": 2,
        "updates": [2, 2, 2, 2],
    }
    assert type(state["lr"]) is float
    assert list(state["slots"]) == ["m", "v"]
    for arrays in state["slots"].values():
        assert [(type(a), a.shape, a.dtype) for a in arrays] == [
            (np.ndarray, p.shape, p.dtype) for p in optimizer.params
        ]


def broken(**changes: Any) -> Callable[[State], None]:
    def change(state: State) -> None:
        for key, value in changes.items():
            if value is None:
                del state[key]
            else:
                state[key] = value

    return change


STATES: list[tuple[Callable[[State], None], type[Exception], str]] = [
    (broken(name="sgd"), ValueError, r"Adam\.load_state_dict: the state is of 'sgd', this optimizer is 'adam'"),
    (broken(beta1=None), ValueError, r"missing \['beta1'\], unexpected \[\]; load what state_dict\(\) of 'adam'"),
    (broken(mr=0.1), ValueError, r"missing \[\], unexpected \['mr'\]"),
    (broken(slots={"m": []}), ValueError, r"missing slot \['v'\], unexpected slot \[\]"),
    (broken(slots={"m": [], "v": [], "u": []}), ValueError, r"missing slot \[\], unexpected slot \['u'\]"),
    (broken(slots={"m": [], "v": []}), ValueError, r"slot 'm' must have 4 entries, one per parameter, received 0"),
    (broken(slots=3), TypeError, r"slots must be a dict of lists of arrays, received 3"),
    (broken(updates=7), ValueError, r"updates must have 4 entries, one per parameter, received 7"),
    (broken(updates=[1]), ValueError, r"updates must have 4 entries, one per parameter, received 1"),
    (broken(updates=[1, 1, 1, -1]), ValueError, r"updates must be at least 0, received -1"),
    (broken(step=1.5), TypeError, r"step must be an int, received 1\.5"),
    (broken(lr=-1.0), ValueError, r"lr must be a finite number, at least 0; received -1\.0"),
    (broken(beta2=1.0), ValueError, r"beta2 must be a finite number, at least 0 and less than 1; received 1\.0"),
    (
        lambda state: state["slots"]["v"].__setitem__(2, np.zeros((4, 5), "f4")),
        ValueError,
        r"slot 'v' of parameter 2 must be float32 of shape \(5, 4\), received float32 of shape \(4, 5\); load",
    ),
    (
        lambda state: state["slots"]["m"].__setitem__(0, np.zeros((3, 3, 1, 2))),
        ValueError,
        r"slot 'm' of parameter 0 must be float32 of shape \(3, 3, 1, 2\), received float64",
    ),
]


@pytest.mark.parametrize(("change", "error", "text"), STATES)
def test_a_state_that_does_not_fit_changes_nothing(
    change: Callable[[State], None], error: type[Exception], text: str
) -> None:
    source, optimizer = Adam(small(), lr=0.5), Adam(small(), beta1=0.8)
    run(source, some_gradients(source.params, 3))
    run(optimizer, some_gradients(source.params, 1))
    state = source.state_dict()
    change(state)
    before = repr(optimizer.state_dict())
    with pytest.raises(error, match=text):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


def test_a_state_must_be_a_dict() -> None:
    with pytest.raises(TypeError, match=r"expected a dict as state_dict\(\) returns it, received list"):
        Adam(small()).load_state_dict([])


# -- memory, dtypes, the engine ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_dtypes_are_kept(name: str, dtype: str) -> None:
    w = Tensor(np.ones(3, dtype), requires_grad=True)
    optimizer = by_name(name, [w], lr=np.float64(0.1))
    run(optimizer, [[np.ones(3, dtype)]] * 2)
    assert w.dtype == dtype
    assert all(slot.dtype == dtype for slots in optimizer.state_dict()["slots"].values() for slot in slots)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_takes_no_memory(name: str) -> None:
    params = leaves([np.ones((300, 100), "f4"), np.ones(100, "f4")])
    optimizer = OPTIMIZERS[name](params, weight_decay=0.01)
    give(params, some_gradients(params, 1)[0])
    optimizer.step()
    tracemalloc.start()
    optimizer.step()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(50):
        optimizer.step()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 1_000
    assert peak - before < 20_000  # one array of the weights would take 120,000 bytes


def test_no_reference_cycles() -> None:
    gc.disable()
    try:
        optimizer = Adam(small())
        run(optimizer, some_gradients(optimizer.params, 2))
        dies: list[Callable[[], Any]] = [weakref.ref(optimizer.params[0]), weakref.ref(optimizer)]
        del optimizer
        assert all(ref() is None for ref in dies)
    finally:
        gc.enable()


def test_a_step_between_forward_and_backward_is_found_out() -> None:
    w = tensor([2.0, 3.0], requires_grad=True)
    optimizer = Adam([w])
    (w * w).sum().backward()
    loss = (w * w).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="was written to between the forward and the backward pass"):
        loss.backward()


# -- what is refused -----------------------------------------------------------------------------------------------


def frozen() -> Tensor:
    w = tensor([1.0], requires_grad=True)
    w.array.flags.writeable = False
    return w


W = tensor([1.0], requires_grad=True)
loose: Any = optim  # so that a type checker does not refuse them first
REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: loose.Adam([]), ValueError, "Adam: params is empty: there is nothing to optimize"),
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
    (
        lambda: loose.Adam([Tensor(np.ones(1, "c8"), requires_grad=True)]),
        TypeError,
        "floating dtype, received complex64",
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
    (lambda: loose.Adam([W], eps=0.0), ValueError, r"Adam: eps must be greater than 0, received 0\.0"),
    (lambda: loose.Adam([W], weight_decay=-1.0), ValueError, "weight_decay must be a finite number, at least 0"),
    (lambda: loose.SGD([W], mr=1.5), ValueError, r"SGD: mr must be a finite number, at least 0 and less than 1"),
    (lambda: loose.Momentum([W], nesterov=1), TypeError, "Momentum: nesterov must be True or False, received 1"),
    (
        lambda: loose.by_name("adaam", [W]),
        ValueError,
        "unknown optimizer 'adaam'; known are 'sgd', 'iterative', .*'adamw'",
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


def test_an_optimizer_without_a_formula() -> None:
    w = tensor([1.0], requires_grad=True)
    w.grad = tensor([1.0])
    with pytest.raises(NotImplementedError, match=r"must define update\(g, slots, scratch, t\)"):
        optim.Optimizer([w], lr=0.1).step()


def test_by_name() -> None:
    made = by_name("sgd", [W], lr=0.3, mr=0.4)
    assert isinstance(made, optim.SGD)
    assert (made.lr, made.mr) == (0.3, 0.4)
    assert by_name("adam", [W], mr=0.4).lr == 0.001
    assert repr(made) == "SGD(1 parameters, lr=0.3, mr=0.4, weight_decay=0.0)"


# -- schedules -----------------------------------------------------------------------------------------------------

SCHEDULES = [
    Constant(0.1),
    StepDecay(0.1, every=3, gamma=0.5),
    Exponential(0.1, gamma=0.9),
    Cosine(0.1, total=10, final=0.01),
    WarmUp(4, then=StepDecay(np.float64(0.1), every=2)),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_repr_of_a_schedule_makes_it(schedule: Any) -> None:
    again = eval(repr(schedule), vars(optim).copy())
    assert again == schedule
    assert [again(n) for n in range(20)] == [schedule(np.int64(n)) for n in range(20)]
    assert all(type(schedule(n)) is float for n in range(20))


def test_what_the_schedules_are() -> None:
    assert [StepDecay(1.0, 2, 0.5)(n) for n in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert [Exponential(1.0, 0.5)(n) for n in range(3)] == [1, 0.5, 0.25]
    np.testing.assert_allclose([Cosine(2.0, 4, 1.0)(n) for n in (0, 2, 4, 9)], [2, 1.5, 1, 1])
    np.testing.assert_allclose([WarmUp(3, StepDecay(1.0, 1, 0.5))(n) for n in range(5)], [0.25, 0.5, 0.75, 1, 0.5])


# -- clipping ------------------------------------------------------------------------------------------------------


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


# -- L-BFGS --------------------------------------------------------------------------------------------------------


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
