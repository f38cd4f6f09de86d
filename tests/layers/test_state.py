"""What layers and networks keep: state by name, layers that share their weights, freezing, modes."""

from __future__ import annotations

import re
from contextlib import nullcontext as no_error
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import tensorgrad
from tensorgrad import CNN, Tensor
from tensorgrad.layers import FFL, Activation, Add, BatchNorm, Conv2d, Dropout, Flatten, Layer, LayerNorm, Sequential
from tensorgrad.network import Network
from tensorgrad.optim import Iterative
from tensorgrad.saving import registry

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


# -- freezing --------------------------------------------------------------------------------------------------------


def mixed(seed: int = 0) -> CNN:
    model = CNN(seed=seed)
    model.add(Conv2d((6, 6, 1), filters=3))
    model.add(Add([[Conv2d(filters=3), BatchNorm()], Scale()]))
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    return model


FREEZE = {
    "a layer": (lambda m: m.layers[0], {"0.weights", "0.biases"}),
    "a nested layer": (
        lambda m: m.layers[1].branches[0].layers[1],
        {f"1.branches.0.layers.1.{name}" for name in ("weights", "biases", "running_mean", "running_var")},
    ),
    "layers of layers": (
        lambda m: m.layers[1],
        {f"1.branches.0.layers.1.{name}" for name in ("weights", "biases", "running_mean", "running_var")}
        | {"1.branches.0.layers.0.weights", "1.branches.0.layers.0.biases", "1.branches.1.factor", "1.branches.1.seen"},
    ),
    "a user's own layer": (lambda m: m.layers[1].branches[1], {"1.branches.1.factor", "1.branches.1.seen"}),
}  # fmt: skip


@pytest.mark.parametrize("when", ["before", "after", "loaded"])
@pytest.mark.parametrize("name", FREEZE)
def test_what_is_frozen_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, when: str) -> None:
    pick, names = FREEZE[name]
    model = mixed()
    if when == "before":
        pick(model).trainable = False
    model.compile_model(opt="adam", loss="cse", lr=0.01)
    model.train(X, Y, verbose=0)
    pick(model).trainable = False
    if when == "loaded":
        monkeypatch.setitem(registry._kinds, "Scale", Scale)
        model.save_model(tmp_path / "model.tgrad")
        model = tensorgrad.load_model(tmp_path / "model.tgrad")
    before = model.state_dict()
    model.train(X, Y, epochs=2, verbose=0)
    after = model.state_dict()
    assert {key for key in before if (before[key] == after[key]).all()} == names
    assert not pick(model).trainable
    assert not pick(model).parameters()
    pick(model).trainable = True
    with (
        pytest.raises(ValueError, match=r"train: .* compile_model\(\.\.\.\) again") if when == "before" else no_error()
    ):
        model.train(X, Y, verbose=0)
    model.compile_model(opt="adam", loss="cse", lr=0.01)
    model.train(X, Y, verbose=0)
    assert all((model.state_dict()[key] != after[key]).any() for key in names)


def test_a_whole_network_is_frozen(tmp_path: Path) -> None:
    model = CNN(seed=0)
    with pytest.raises(ValueError, match="trainable: the model has no layers yet"):
        model.trainable = False
    model = mixed()
    model.trainable = False
    assert not model.trainable
    assert not model.parameters()
    assert model.dtype == np.float32
    before = model.state_dict()
    head = FFL(neurons=2, activation="softmax")
    model.add(head)
    assert model.trainable
    model.compile_model(opt="iterative", loss="cse", lr=0.5)
    model.train(X, Y % 2, verbose=0)
    assert all((model.state_dict()[key] == before[key]).all() for key in before)
    assert len(model.parameters()) == 2
    wide = mixed()
    wide.astype("float64")
    wide.trainable = False
    assert wide.predict(X).dtype == np.float64


def test_a_frozen_batch_norm_uses_its_running_statistics_in_training() -> None:
    """As Keras's does."""
    layer = BatchNorm()
    x = RNG.standard_normal((8, 3)).astype(np.float32) * 3 + 1
    layer(x, training=True)
    expected = layer(x).numpy()
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True).numpy(), expected)
    np.testing.assert_array_equal(Sequential([layer])(x, training=True).numpy(), expected)
    layer.trainable = True
    assert np.abs(layer(x, training=True).numpy() - expected).max() > 0.1


def test_running_statistics_stay_where_each_parameter_is_frozen_by_itself() -> None:
    model = CNN(seed=0)
    for layer in (FFL(input_shape=4, neurons=8), BatchNorm(), FFL(neurons=3, activation="softmax")):
        model.add(layer)
    model.layers[0].trainable = False
    for parameter in model.layers[1].parameters():
        parameter.requires_grad = False
    model.compile_model(opt="adam", loss="cse")
    before = {name: np.array(item) for name, item in model.state_dict().items()}
    model.train(RNG.standard_normal((33, 4)), np.arange(33) % 3, val_split=0, verbose=0)  # the last batch has one
    changed = {name for name, item in model.state_dict().items() if (np.asarray(item) != before[name]).any()}
    assert changed == {"2.weights", "2.biases"}


def test_running_statistics_that_are_assigned_become_arrays_of_their_shape() -> None:
    layer = BatchNorm(eps=1e-12)
    layer(np.zeros((1, 2)))
    layer.running_mean, layer.running_var = [1.0, 2.0], (4.0, 1.0)  # type: ignore[assignment]
    np.testing.assert_allclose(layer(np.array([[3.0, 3.0]])).numpy(), [[1.0, 1.0]], rtol=1e-9)
    layer(np.ones((4, 2)), training=True)  # goes on from them
    with pytest.raises(ValueError, match=re.escape("expected running_mean of shape (2,), received shape (3,)")):
        layer.running_mean = np.zeros(3, np.float32)
    with pytest.raises(
        AttributeError, match=re.escape("FFL has no 'kernel_regularizer'; give the optimizer weight_decay=")
    ):
        FFL(neurons=2).kernel_regularizer = 0.01


def test_freezing_before_the_parameters_are_made_and_what_was_constant_before(tmp_path: Path) -> None:
    model = CNN(seed=0)
    first = Conv2d((6, 6, 1), filters=2)
    first.trainable = False
    model.add(first)
    model.add(Flatten())
    model.add(FFL(neurons=3, activation="softmax"))
    assert [name for name, _ in model.named_parameters()] == ["2.weights", "2.biases"]
    first.trainable = True
    first.biases.requires_grad = False  # alone
    for _ in range(2):
        first.trainable = False
    model.save_model(tmp_path / "model.tgrad")
    for m in (model, tensorgrad.load_model(tmp_path / "model.tgrad")):
        assert not m.layers[0].trainable
        m.layers[0].trainable = True
        assert [name for name, _ in m.layers[0].named_parameters()] == ["weights"]


def test_freezing_forgets_the_gradient_that_an_optimizer_would_step_along() -> None:
    layer = FFL(2, neurons=1)
    optimizer = Iterative(layer.parameters(), lr=1.0)
    layer(np.ones((1, 2))).sum().backward()
    before = layer.weights.numpy().copy()
    layer.trainable = False
    optimizer.step()
    np.testing.assert_array_equal(layer.weights.numpy(), before)


def test_frozen_layers_in_the_summary_and_in_the_tutorials_json(tmp_path: Path) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=2))
    model.add(FFL(neurons=3))
    total = model.summary().total
    model.layers[0].trainable = False
    table = model.summary()
    assert table.total == total == 10 + 9
    assert "Input Layer (frozen)" in str(table)
    assert "Trained: 9 (36 bytes), not trained: 10 (40 bytes)" in str(table)
    model.save_model(tmp_path / "model.json")
    again = tensorgrad.load_model(tmp_path / "model.json")
    assert [layer.trainable for layer in again.layers] == [False, True]
    assert again.layers[0].parameter_count == 10


@pytest.mark.parametrize("value", [None, "no", 0, np.array(True)])
def test_trainable_is_true_or_false(value: Any) -> None:
    with pytest.raises(TypeError, match="FFL: trainable must be True or False, received"):
        FFL(2).trainable = value


# -- what is assigned ------------------------------------------------------------------------------------------------


class Own(Layer):
    def __init__(self) -> None:
        self.factor = Tensor(np.ones(3, np.float32), requires_grad=True)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        return x * self.factor


ASSIGNED: dict[str, tuple[Any, str, Any]] = {
    "batch norm": (BatchNorm, "weights", [5, 1, 1]),
    "layer norm": (LayerNorm, "biases", np.array([5.0, 1, 1])),
    "dense": (lambda: FFL(neurons=3), "biases", np.array([[5.0], [1], [1]])),
    "a user's own": (Own, "factor", np.array([5, 1, 1], np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("name", ASSIGNED)
def test_what_is_assigned_is_written_into_the_tensor(tmp_path: Path, name: str) -> None:
    make, attribute, values = ASSIGNED[name]
    layer = make()
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=3))
    model.add(layer)
    model.compile_model(opt="iterative", loss="mse", lr=0.1)
    tensor = getattr(layer, attribute)
    setattr(layer, attribute, values)
    assert getattr(layer, attribute) is tensor
    assert tensor.numpy().tolist() == [5, 1, 1]
    assert tensor.dtype == np.float32
    model.train(RNG.standard_normal((8, 4)), RNG.standard_normal((8, 3)), val_split=0, verbose=0)
    assert tensor.numpy()[0] != 5
    with pytest.raises(ValueError, match=rf"expected {attribute} of shape \(3,\), received shape \(2,\)"):
        setattr(layer, attribute, np.ones(2))


def test_weights_can_be_assigned_before_the_input_is_known(tmp_path: Path) -> None:
    layer = BatchNorm()
    layer.weights = np.array([5, 1, 1])
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=3))
    model.add(layer)
    assert len(model.parameters()) == 4
    model.save_model(tmp_path / "model.tgrad")
    again = tensorgrad.load_model(tmp_path / "model.tgrad")
    assert again.layers[1].weights.numpy().tolist() == [5, 1, 1]


def test_a_tensor_replaces_a_users_own_parameter_and_train_says_that_it_is_new() -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=4, neurons=3))
    model.add(own := Own())
    model.compile_model(opt="iterative", loss="mse")
    own.factor = Tensor(np.ones(3, np.float32), requires_grad=True)
    with pytest.raises(
        ValueError, match=r"train: 1\.factor is trained now, but was .* another tensor when the model was"
    ):
        model.train(np.ones((4, 4)), np.ones((4, 3)))


FOREIGN = [
    (lambda: FFL(2), "requires_grad", "set layer.trainable = False to freeze it"),
    (lambda: FFL(2), "weight", "set its weights"),
    (lambda: Conv2d(), "kernel", "set its weights"),
    (lambda: Conv2d(), "bias", "set its biases"),
    (BatchNorm, "gamma", "set its weights"),
    (BatchNorm, "beta", "set its biases"),
    (BatchNorm, "moving_mean", "set its running_mean"),
    (BatchNorm, "moving_variance", "set its running_var"),
    (Dropout, "rate", "set its prob"),
    (Dropout, "p", "set its prob"),
    (mixed, "requires_grad", "set model.trainable = False to freeze it"),
    (mixed, "training", "pass training= to the call"),
    (mixed, "learning_rate", "set model.optimizer.lr"),
    (mixed, "lr", "set model.optimizer.lr"),
    (lambda: Iterative(mixed().parameters()), "learning_rate", "set its lr"),
    (lambda: Tensor([1.0]), "trainable", "trainable"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name", "says"), FOREIGN)
def test_attributes_of_other_libraries_never_pass_in_silence(make: Any, name: str, says: str) -> None:
    thing = make()
    with pytest.raises(AttributeError, match=re.escape(says)):
        setattr(thing, name, 0.5)
    assert not hasattr(thing, name)


# -- modes -----------------------------------------------------------------------------------------------------------


def test_the_mode_counts_where_training_is_not_said() -> None:
    layer = Sequential([Dropout(0.5), Add([Dropout(0.5), []])])
    x = np.ones((4, 5), np.float32)
    network = Network(seed=0)
    network.add(FFL(5, neurons=5))
    network.add(layer)
    assert (layer(x).numpy() == 2).all(), "a new layer predicts"
    assert layer.train() is layer
    assert layer.layers[1].branches[0].training  # type: ignore[attr-defined]
    assert (layer(x).numpy() != 2).any()
    assert (layer(x, training=False).numpy() == 2).all()
    assert (network(x).numpy() != network(x, training=False).numpy()).any()
    np.testing.assert_array_equal(network.predict(x), network(x, training=False).numpy())
    assert layer.eval() is layer
    np.testing.assert_array_equal(network(x).numpy(), network(x, training=False).numpy())
    assert (layer(x, training=True).numpy() != 2).any()


# -- what is put together wrongly ------------------------------------------------------------------------------------


def test_layers_are_added() -> None:
    with pytest.raises(ValueError, match=r"CNN: seed must be .*; layers are added with model\.add\(layer\)"):
        CNN([FFL(2)])
    model = mixed()
    model.compile_model(opt="adam", loss="cse")
    model.layers[3] = FFL(neurons=4, activation="softmax")
    for call in (lambda: model.predict(X), lambda: model.train(X, Y), lambda: model.evaluate(X, Y)):
        with pytest.raises(ValueError, match=r"FFL was put into model\.layers, where it .* call its add\(layer\)"):
            call()
