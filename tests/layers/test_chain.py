"""Chains of layers: what is computed together is what the layers compute one by one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import CNN
from tensorgrad.engine import watch
from tensorgrad.layers import FFL, Activation, BatchNorm, Conv2d, Flatten, Layer, Sequential
from tensorgrad.layers.chain import folded

Made = Callable[[], Sequence[Layer]]

FOLDED: list[tuple[Made, list[type[Layer]]]] = [
    (lambda: [Conv2d(filters=4, activation=None), BatchNorm()], [Conv2d]),
    (lambda: [Conv2d(filters=4, activation=None, isbias=False), BatchNorm(), Activation("relu")], [Conv2d]),
    (
        lambda: [Conv2d(filters=4, activation=None, groups=2, stride=2, padding=1), BatchNorm(), Activation("softmax")],
        [Conv2d],
    ),
    (lambda: [Conv2d(filters=4, activation=None, padding="same"), BatchNorm(), BatchNorm()], [Conv2d, BatchNorm]),
    (lambda: [Flatten(), FFL(neurons=3), BatchNorm(), Activation("tanh")], [Flatten, FFL]),
    (lambda: [Conv2d(filters=4, activation="relu"), BatchNorm()], [Conv2d, BatchNorm]),
    (lambda: [BatchNorm(), Conv2d(filters=4, activation=None)], [BatchNorm, Conv2d]),
]


def network(layers: Sequence[Layer], dtype: str = "float64") -> CNN:
    """A model whose batch normalizations have seen something."""
    model = CNN(seed=0)
    for i, layer in enumerate(layers):
        if i == 0:
            layer.input_shape = (6, 5, 2)
        model.add(layer)
    model.astype(dtype)
    rng = np.random.default_rng(1)
    for part in (part for layer in layers for part in layer.walk()):
        if isinstance(part, BatchNorm):
            part.weights, part.biases = rng.normal(1, 1, part.weights.shape), rng.normal(0, 1, part.biases.shape)
            part.running_mean = rng.normal(0, 1, part.running_mean.shape)
            part.running_var = rng.uniform(0.1, 2, part.running_var.shape)
    return model


def one_by_one(model: CNN, x: Any) -> Any:
    for layer in model.layers:
        x = layer(x, training=False)
    return x.numpy()


@pytest.mark.parametrize(("made", "kinds"), FOLDED)
@pytest.mark.parametrize("nested", [False, True])
def test_normalization_is_folded_into_the_layer_before_it(made: Made, kinds: list[type[Layer]], nested: bool) -> None:
    layers = made()
    assert [type(layer) for layer, _ in folded(network(layers).layers)] == kinds
    model = network([Sequential(made())] if nested else made())
    x = np.random.default_rng(0).standard_normal((3, 6, 5, 2))
    prepared = model.predictor(3)
    for factor in (1, 2):  # what changes is seen
        for part in (part for layer in model.layers for part in layer.walk()):
            if isinstance(part, BatchNorm):
                part.running_mean = part.running_mean * factor
                part.weights.data = part.weights.numpy() * factor
        expected = one_by_one(model, x)
        np.testing.assert_allclose(model.predict(x), expected, atol=1e-12)
        np.testing.assert_allclose(prepared(x), expected, atol=1e-12)


def test_what_computes_something_else_is_not_folded() -> None:
    class Twice(Conv2d):
        def affine(self, x: tg.Tensor, activation: str | None) -> tg.Tensor:
            return 2 * super().affine(x, activation)

    changed = Conv2d(filters=4, activation=None)
    usual = changed.forward
    mixed = network([Conv2d(filters=4, activation=None), BatchNorm()])
    mixed.layers[1].astype("float32")
    for model in (network([Twice(filters=4, activation=None), BatchNorm()]), network([changed, BatchNorm()]), mixed):
        if model.layers[0] is changed:
            changed.forward = lambda x, training: -usual(x, training)  # type: ignore[method-assign]
        assert [layer for layer, _ in folded(model.layers)] == model.layers
        x = np.random.default_rng(0).standard_normal((3, 6, 5, 2))
        np.testing.assert_allclose(model.predict(x), one_by_one(model, x), atol=1e-6)


def test_a_watcher_and_a_graph_see_every_layer() -> None:
    class Seen:
        def __init__(self) -> None:
            self.names: list[str] = []

        def computed(self, _y: Any, node: Any, _arrays: Any) -> None:
            self.names.append(node.primitive.name)

        def differentiated(self, *_: Any) -> None:
            raise NotImplementedError

    model, seen = network([Conv2d(filters=4, activation=None), BatchNorm()], "float32"), Seen()
    x = np.ones((2, 6, 5, 2), np.float32)
    with watch(seen):
        model.predict(x)
    assert len(seen.names) > 1
    y = model.forward(tg.tensor(x), training=False)
    y.sum().backward()
    assert all(p.grad is not None for layer in model.layers for p in layer.parameters())


def test_a_folded_network_keeps_its_own_parameters() -> None:
    model = network([Conv2d(filters=4, activation=None, isbias=False), BatchNorm(), Activation("relu")], "float32")
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    model.predict(np.ones((2, 6, 5, 2), np.float32))
    assert model.layers[0].activation is None
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
