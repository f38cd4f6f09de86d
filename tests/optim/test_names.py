"""Optimizers by their names, also those that a user defines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, load_model, optim, tensor
from tensorgrad.layers import FFL
from tensorgrad.optim import OPTIMIZERS, by_name
from tensorgrad.optim.arguments import share
from tensorgrad.tensor import Array


def test_by_name() -> None:
    made = by_name("sgd", [tensor([1.0], requires_grad=True)], lr=0.3, mr=0.4)
    assert isinstance(made, optim.SGD)
    assert (made.lr, made.mr) == (0.3, 0.4)
    assert by_name("adam", [tensor([1.0], requires_grad=True)], mr=0.4).lr == 0.001
    assert repr(made) == "SGD(1 parameters, lr=0.3, weight_decay=0.0, mr=0.4)"


class Lion(optim.Optimizer):
    """Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2."""

    name = "lion"
    slots = ("m",)
    decoupled = True
    beta1 = optim.Setting(share)
    beta2 = optim.Setting(share)

    def __init__(
        self, params: Any, lr: float = 1e-4, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr, weight_decay, beta1=beta1, beta2=beta2)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        (m,) = slots
        scratch[:] = g
        g *= 1 - self.beta1
        g += self.beta1 * m
        np.sign(g, out=g)
        g *= self.lr
        m *= self.beta2
        m += (1 - self.beta2) * scratch


def test_an_optimizer_from_outside_is_found_by_name_and_in_files(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(64, 4)), np.arange(64) % 3
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=3, activation="softmax"))
    model.compile_model(opt="lion", lr=0.01)
    model.train(x, y, verbose=0)
    model.save_model(tmp_path / "model.tgrad")
    again = load_model(tmp_path / "model.tgrad")
    for m in (model, again):
        m.train(x, y, verbose=0)
    assert type(again.optimizer) is Lion
    assert np.array_equal(again.predict(x), model.predict(x))


def test_a_name_is_taken_once() -> None:
    body = {"name": "lion", "__module__": __name__}
    with pytest.raises(
        ValueError, match=r"Other: the name 'lion' is taken by .*test_names\.Lion; give the class another"
    ):
        type("Other", (optim.Optimizer,), body)
    assert OPTIMIZERS["lion"] is Lion
    again = type("Lion", (Lion,), body)  # a notebook's cell that is run a second time
    assert OPTIMIZERS.pop("lion") is again
    OPTIMIZERS["lion"] = Lion
    assert type("Unnamed", (Lion,), {}) not in OPTIMIZERS.values()
