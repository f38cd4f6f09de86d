"""How weights start: the distributions, and what a layer makes of a name or a function."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tensorgrad import CNN, load_model
from tensorgrad.initializers import INITIALIZERS, Initializer, find
from tensorgrad.layers import FFL, Conv1d, Conv2d, ConvTranspose2d

SHAPES = [(3, 5, 4, 30), (60, 50), (50, 60)]
FANS = {(3, 5, 4, 30): (60, 450), (60, 50): (60, 50), (50, 60): (50, 60)}
# name -> the standard deviation, and the distribution function of values of standard deviation 1
UNIFORM = stats.uniform(-sqrt(3), 2 * sqrt(3))
DISTRIBUTIONS: dict[str, tuple[Any, Any]] = {
    "he": (lambda fan_in, fan_out: sqrt(2 / fan_in), stats.norm),
    "he_both": (lambda fan_in, fan_out: sqrt(2 / max(fan_in, fan_out)), stats.norm),
    "glorot": (lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)), stats.norm),
    "lecun": (lambda fan_in, fan_out: sqrt(1 / fan_in), stats.norm),
    "torch": (lambda fan_in, fan_out: sqrt(1 / (3 * fan_in)), UNIFORM),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distributions(name: str, shape: tuple[int, ...]) -> None:
    deviation, distribution = DISTRIBUTIONS[name]
    values = find(name, None, "here").weights(shape, np.random.default_rng(1))
    assert (values.shape, values.dtype) == (shape, np.float32)
    assert stats.kstest(values.ravel() / deviation(*FANS[shape]), distribution.cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("activation", "name"),
    [("relu", "he_both"), ("elu", "he_both"), ("tanh", "glorot"), (None, "glorot"), ("softmax", "torch"),
     ("sigmoid", "torch")],
)  # fmt: skip
def test_the_default_goes_by_the_activation(activation: str | None, name: str) -> None:
    default, named = (FFL(30, neurons=20, activation=activation, initializer=given) for given in (None, name))
    for layer in (default, named):
        layer.wire(30, 0)
    np.testing.assert_array_equal(default.weights.numpy(), named.weights.numpy())
    np.testing.assert_array_equal(default.biases.numpy(), named.biases.numpy())


@pytest.mark.parametrize("layer", [Conv1d, Conv2d, ConvTranspose2d])
def test_groups_start_as_convolutions_of_their_own(layer: Any) -> None:
    """A depthwise filter has as many inputs as taps, and each input as many outputs."""
    channels = (9, 400) if layer is Conv1d else (9, 9, 400)
    made = layer(input_shape=channels, filters=400, groups=400, activation="relu")
    taps = 3 if layer is Conv1d else 9
    assert made.weights.numpy().std() == pytest.approx(sqrt(2 / taps), rel=0.06)


def test_biases_beside_weights_that_were_given_are_zero() -> None:
    assert FFL(3, neurons=3, weights=np.eye(3), activation="softmax").biases.tolist() == [0, 0, 0]


def test_biases_of_torch() -> None:
    biases = find("torch", None, "here").biases((16, 5000), np.random.default_rng(0))
    assert (biases.shape, biases.dtype) == ((5000,), np.float32)
    assert stats.kstest(biases * 4, stats.uniform(-1, 2).cdf).pvalue > 0.01


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = find("orthogonal", None, "here").weights(shape, np.random.default_rng(0)).reshape(-1, shape[-1])
    small = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-6)


def test_orthogonal_matrices_are_equally_likely() -> None:
    """Of 2 x 2, half are rotations, and the first entry is the cosine of a uniform angle."""
    rng = np.random.default_rng(0)
    drawn = np.array([find("orthogonal", None, "here").weights((2, 2), rng) for _ in range(2000)])
    assert abs(np.linalg.det(drawn).mean()) < 0.1
    assert stats.kstest(np.arccos(np.clip(drawn[:, 0, 0], -1, 1)) / np.pi, stats.uniform.cdf).pvalue > 0.01


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 3, 0, 2), (1, 1), (3, 3, 1, 1)])
def test_extreme_shapes(name: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    assert find(name, None, "here").weights(shape, rng).shape == shape
    assert find(name, None, "here").biases(shape, rng).shape == shape[-1:]


def test_a_name_a_function_and_a_record_of_ones_own() -> None:
    named = FFL(input_shape=3, neurons=2, initializer="zeros")
    assert not named.weights.numpy().any()
    made = Conv2d(input_shape=(4, 4, 2), filters=3, initializer=lambda shape, rng: np.arange(54.0).reshape(shape))
    assert made.weights.numpy().ravel().tolist() == list(range(54))
    assert made.weights.dtype == np.float32
    assert made.weights.requires_grad
    assert not made.biases.numpy().any()
    INITIALIZERS["ones"] = Initializer(lambda shape, rng: np.ones(shape), lambda shape, rng: np.full(shape[-1], 0.5))
    try:
        layer = FFL(input_shape=3, neurons=2, initializer="ones")
        assert layer.weights.tolist() == [[1, 1]] * 3
        assert layer.biases.tolist() == [0.5, 0.5]
    finally:
        del INITIALIZERS["ones"]


@pytest.mark.parametrize("layer", [Conv1d, Conv2d, ConvTranspose2d])
def test_every_layer_with_weights_starts_as_told(layer: Any) -> None:
    channels = (9, 4) if layer is Conv1d else (9, 9, 4)
    made = layer(input_shape=channels, filters=6, groups=2, initializer="torch")
    taps = 3 if layer is Conv1d else 9
    limit = 1 / sqrt(taps * 2)  # the root of fan_in
    assert limit / 2 < np.abs(made.weights.numpy()).max() <= limit
    assert 0 < np.abs(made.biases.numpy()).max() <= limit
    assert made.biases.shape == (6,)


def test_the_model_seed_decides() -> None:
    def weights(seed: int) -> np.ndarray:
        model = CNN(seed=seed)
        model.add(FFL(input_shape=3, neurons=2, initializer="orthogonal"))
        return model.layers[0].weights.numpy()

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_a_file_has_the_weights_and_needs_no_initializer(tmp_path: Path) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=2, initializer=lambda shape, rng: rng.random(shape)))
    model.save_model(tmp_path / "model.tgrad")
    again = load_model(tmp_path / "model.tgrad")
    assert np.array_equal(again.layers[0].weights.numpy(), model.layers[0].weights.numpy())


def test_refused() -> None:
    with pytest.raises(ValueError, match="FFL: unknown initializer 'xavier'; known are 'he', 'he_both', 'glorot'"):
        FFL(neurons=2, initializer="xavier")
    layer = FFL(input_shape=3, neurons=2, initializer=lambda shape, rng: np.zeros(shape[::-1]))
    with pytest.raises(ValueError, match=r"expected weights of shape \(3, 2\), received shape \(2, 3\)"):
        layer.set_output_shape()
    layer = FFL(input_shape=3, neurons=2, initializer=lambda shape, rng: None)
    with pytest.raises(TypeError, match="FFL: the initializer's result must be an array of numbers, received NoneType"):
        layer.set_output_shape()
