"""What layers and networks keep: state by name, layers that share their weights, freezing, modes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tensorgrad
from tensorgrad import CNN, Tensor
from tensorgrad.layers import FFL, Activation, Add, BatchNorm, Conv2d, Dropout, Flatten, Layer, Sequential
from tensorgrad.network import Network
from tensorgrad.optim import Iterative

Array = npt.NDArray[Any]
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((24, 6, 6, 1)).astype(np.float32), np.arange(24) % 3


class Scale(Layer):
    """A user's layer with a parameter and a running statistic."""

    buffers = ("seen",)

    def __init__(self) -> None:
        self.factor = Tensor(np.full(3, 2, np.float32), requires_grad=True)
        self.seen = np.zeros(1, np.int64)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        if training:
            self.seen += 1
        return x * self.factor


# -- state_dict ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [
    lambda: FFL(3, neurons=3),
    lambda: Sequential([FFL(neurons=3), BatchNorm(), Scale()]),
], ids=["knows its input", "wired"])  # fmt: skip
def test_a_layer_has_a_state(make: Any) -> None:
    x = RNG.standard_normal((5, 3)).astype(np.float32)
    one, other = Network(seed=0), Network(seed=1)
    a, b = make(), make()
    if isinstance(a, Sequential):
        for network, layer in ((one, a), (other, b)):
            layer.input_shape = 3
            network.add(layer)
        a(x, training=True)
    state = a.state_dict()
    assert not b.load_state_dict(state)
    np.testing.assert_array_equal(a(x).numpy(), b(x).numpy())
    assert b.get_weights()[0].tolist() == state[next(iter(state))].tolist()
    state[next(iter(state))][...] = 0  # a copy
    assert a.get_weights()[0].any()


def test_an_optimizer_can_be_made_before_the_first_call() -> None:
    layer = FFL(3, neurons=2)
    optimizer = Iterative(layer.parameters(), lr=0.5)
    assert len(optimizer.params) == 2
    layer(np.ones((4, 3))).sum().backward()
    before = layer.weights.numpy().copy()
    optimizer.step()
    np.testing.assert_allclose(layer.weights.numpy(), before - 2)


def test_integers_are_not_made_of_fractions() -> None:
    layer = Scale()
    with pytest.raises(TypeError, match=re.escape("seen must be integers (int64), received dtype float64")):
        layer.load_state_dict({"seen": np.array([0.5])}, strict=False)


# -- layers that stand in several places ---------------------------------------------------------------------------


def shared() -> CNN:
    model = CNN(seed=0)
    convolution = Conv2d(filters=2)
    model.add(Conv2d((6, 6, 1), filters=2))
    model.add(Add([convolution, [convolution, Activation("relu")], convolution]))
    model.add(Sequential([twice := Conv2d(filters=2), Dropout(0.5), twice]))
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    return model


def test_a_layer_in_several_places_is_one_set_of_weights() -> None:
    model = shared()
    kernels = 3 * 3 * 2 * 2 + 2
    assert model.layers[1].parameter_count == model.layers[2].parameter_count == kernels
    assert model.summary().total == sum(p.size for p in model.parameters()) == 20 + 2 * kernels + 72 * 3 + 3
    assert len(model.state_dict()) == 8
    model.compile_model(opt="iterative", loss="cse", lr=0.1)
    c = model.layers[1].branches[0]  # type: ignore[attr-defined]
    before = c.weights.numpy().copy()
    model.train(X, Y, verbose=0)
    assert (c.weights.numpy() != before).any()


def test_shared_weights_get_the_sum_of_the_gradients() -> None:
    c = FFL(2, neurons=2, weights=np.eye(2), is_bias=False)
    both, twice = Add([c, c]), Sequential([c, c])
    x = np.array([[1.0, 2.0]], np.float32)
    both(x).sum().backward()
    np.testing.assert_array_equal(c.weights.grad.numpy(), [[2, 2], [4, 4]])
    both.zero_grad()
    twice(x).sum().backward()  # d/dW of sum(x W W) at W = 1: x outer (1, 1), twice
    np.testing.assert_array_equal(c.weights.grad.numpy(), [[2, 2], [4, 4]])


def test_shared_layers_are_saved_once_and_stay_shared(tmp_path: Path) -> None:
    model = shared()
    model.compile_model(opt="adam", loss="cse")
    model.train(X, Y, verbose=0)
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad")
    assert list(again.state_dict()) == list(model.state_dict())
    add, sequence = again.layers[1], again.layers[2]
    assert add.branches[0] is add.branches[1].layers[0] is add.branches[2]  # type: ignore[attr-defined]
    assert sequence.layers[0] is sequence.layers[2]  # type: ignore[attr-defined]
    for m in (model, again):
        m.resume(X, Y, epochs=3, verbose=0)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, again.state_dict()[name])


def test_places_need_one_shape() -> None:
    c = Conv2d(filters=1)
    message = "it stands in several places, which need one shape of samples, but it gets (6, 6, 1) in one and "
    with pytest.raises(ValueError, match=re.escape(message)):
        Sequential([c, Conv2d(filters=1, padding=None), c])(X)
    assert c.input_shape is None
    model = shared()
    with pytest.raises(ValueError, match="is in this model already; make another one"):
        model.add(Sequential([model.layers[1].branches[0]]))  # type: ignore[attr-defined]


# -- weights of files, in part ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.tgrad", "w.safetensors"])
def test_loading_what_fits(tmp_path: Path, name: str) -> None:
    def made(classes: int, seed: int, first: int = 8) -> CNN:
        model = CNN(seed=seed)
        model.add(FFL(input_shape=4, neurons=first))
        model.add(BatchNorm())
        model.add(FFL(neurons=classes, activation="softmax"))
        return model

    old, new = made(3, 0), made(5, 1)
    old(RNG.standard_normal((9, 4)), training=True)
    old.save_weights(tmp_path / name)
    before = new.state_dict()
    with pytest.raises(ValueError, match=r"different: 2\.weights"):
        new.load_weights(tmp_path / name)
    found = new.load_weights(tmp_path / name, strict=False)
    assert (found.missing, found.unexpected, found.reshaped) == ((), (), ("2.weights", "2.biases"))
    for key, array in new.state_dict().items():
        np.testing.assert_array_equal(array, (before if key in found.reshaped else old.state_dict())[key])
    short = CNN(seed=2)
    short.add(FFL(input_shape=4, neurons=8))
    found = short.load_weights(tmp_path / name, strict=False)
    assert not found.missing
    assert "1.running_mean" in found.unexpected
    assert not old.load_weights(tmp_path / name, strict=False)
