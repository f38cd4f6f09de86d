"""The state of an optimizer: to go on from, to copy, and to be refused where it does not fit."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.optim import Adam, by_name
from tests.optim.problems import NAMES, State, leaves, problems, run, small, some_gradients, values


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
