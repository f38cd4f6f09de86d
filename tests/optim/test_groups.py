"""Groups of parameters with settings of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, Tensor, load_model, optim, tensor
from tensorgrad.layers import FFL
from tensorgrad.optim import Adam, Cosine
from tests.optim.problems import give, leaves, run, small, some_gradients, values


def in_groups(params: list[Tensor]) -> list[dict[str, Any]]:
    return [
        {"params": params[:3]},
        {"params": params[3:], "name": "last", "lr": 0.2, "beta1": 0.5, "weight_decay": 0.1},
    ]


def test_groups_are_as_optimizers_of_their_own() -> None:
    one, two = small(), small()
    together = Adam(in_groups(one), lr=0.02)
    apart = [Adam(two[:3], lr=0.02), Adam(two[3:], lr=0.2, beta1=0.5, weight_decay=0.1)]
    for step, gradients in enumerate(some_gradients(one, 6)):
        if step == 3:
            together.lr, apart[0].lr, apart[1].lr = 0.01, 0.01, 0.1  # in proportion
        give(one, gradients)
        give(two, gradients)
        together.step()
        for optimizer in apart:
            optimizer.step()
    for a, b in zip(values(one), values(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert (together.lr, together.weight_decay, together.beta1) == (0.01, 0.0, 0.9)
    assert [group.name for group in together.groups] == [None, "last"]
    assert repr(together.groups[1]) == "Group('last', 1 parameters, factor=10.0, beta1=0.5, weight_decay=0.1)"


def test_a_factor_of_zero_leaves_the_group_alone() -> None:
    params = small()
    before = values(params)
    optimizer = optim.AdamW(in_groups(params))
    optimizer.groups[0].factor = 0
    run(optimizer, some_gradients(params, 2))
    assert [np.array_equal(a, b) for a, b in zip(before, values(params), strict=True)] == [True, True, True, False]


def test_groups_in_a_model_and_its_file(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(64, 4)), np.arange(64) % 3
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=5, activation="relu"))
    model.add(FFL(neurons=3, activation="softmax"))
    head = {"params": model.layers[1].parameters(), "name": "head", "lr": 0.1}
    model.compile_model(opt=Adam([{"params": model.layers[0].parameters()}, head], lr=0.01), lr=Cosine(0.01, 20))
    model.train(x, y, verbose=0)
    model.save_model(tmp_path / "model.tgrad")
    again = load_model(tmp_path / "model.tgrad")
    for m in (model, again):
        m.train(x, y, verbose=0)
    assert repr(again.optimizer.groups[1]) == "Group('head', 2 parameters, factor=10.0)"
    assert np.array_equal(again.predict(x), model.predict(x))


W = tensor([1.0], requires_grad=True)
GROUPS: list[tuple[Any, type[Exception], str]] = [
    ([{"lr": 0.1}], ValueError, r"Adam: group 0 must have 'params', its Tensors; received the keys \['lr'\]"),
    ([{"params": []}], ValueError, "Adam: group 0: params is empty"),
    ([{"params": [W], "betas": (0, 0)}], ValueError, "group 0: unknown setting 'betas'; did you mean 'beta.'. Known"),
    ([{"params": [W], "beta1": 1.0}], ValueError, "group 0: beta1 must be a finite number, at least 0 and"),
    ([{"params": [W], "name": 3}], TypeError, "Adam: group 0: name must be a str, received 3"),
    ([{"params": [W]}, {"params": [W]}], ValueError, "Adam: parameter 1 is there a second time"),
    ([{"params": [W]}, W], TypeError, "Adam: parameter 0 must be a Tensor, received dict"),
]  # fmt: skip


@pytest.mark.parametrize(("params", "error", "text"), GROUPS)
def test_groups_that_are_refused(params: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Adam(params)


def test_a_rate_of_its_own_needs_one_to_be_a_multiple_of() -> None:
    with pytest.raises(
        ValueError, match=r"group 0 has a learning rate of its own, .* but that is 0; pass Adam\(..., lr="
    ):
        Adam([{"params": [W], "lr": 0.1}], lr=0)


@pytest.mark.parametrize("into", [in_groups, list])
def test_groups_are_part_of_the_state(into: Callable[[list[Tensor]], Any]) -> None:
    params = small()
    first = Adam(in_groups(params), lr=0.02)
    run(first, some_gradients(params, 3))
    second = Adam(into(leaves(values(params))))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer in (first, second):
        run(optimizer, some_gradients(params, 3, seed=1))
    assert repr(second.groups) == repr(first.groups)
    for a, b in zip(values(first.params), values(second.params), strict=True):
        assert np.array_equal(a, b)


GROUP_STATES: list[tuple[Any, type[Exception], str]] = [
    (3, TypeError, "groups must be a list of dicts, received int"),
    ([], TypeError, "groups must be a list of dicts"),
    ([{"parameters": 3, "factor": 1.0, "settings": {}}], ValueError, "groups have 3 parameters, the optimizer has 4"),
    ([{"parameters": 0, "factor": 1.0, "settings": {}}], ValueError, "group 0: parameters must be at least 1"),
    ([{"parameters": 4, "factor": -1.0, "settings": {}}], ValueError, "group 0: factor must be a finite number"),
    ([{"parameters": 4, "factor": 1.0, "settings": 3}], TypeError, "group 0: settings must be a dict, received int"),
    ([{"parameters": 4, "factor": 1.0, "settings": {"mr": 0.1}}], ValueError, "group 0: unknown setting 'mr'"),
    ([{"parameters": 4, "factor": 1.0, "settings": {"eps": 0.0}}], ValueError, "group 0: eps must be a finite"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "error", "text"), GROUP_STATES)
def test_groups_of_a_state_that_are_refused(state: Any, error: type[Exception], text: str) -> None:
    optimizer = Adam(in_groups(small()))
    before = repr(optimizer.state_dict())
    with pytest.raises(error, match=text):
        optimizer.load_state_dict({**Adam(small(), lr=0.5).state_dict(), "groups": state})
    assert repr(optimizer.state_dict()) == before
