"""What is exported gives in onnxruntime what it gives here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tensorgrad
from examples.experiments import EXPERIMENTS
from examples.experiments import run as experiment
from tensorgrad import CNN
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import (
    FFL,
    Add,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    Layer,
    Pool2d,
    Rescale,
)
from tests.onnx.networks import networks, samples

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "ci"
pytestmark = pytest.mark.filterwarnings("ignore:.*'same' is the tutorial's")  # of kernels that are drawn


def first(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


def last(y: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


def run(path: Path, x: np.ndarray[Any, Any], layout: str = "NCHW") -> np.ndarray[Any, Any]:
    """What onnxruntime makes of samples of ours."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"input": first(x) if layout == "NCHW" else x})
    return last(y) if layout == "NCHW" else y


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


@settings(max_examples=2 * settings().max_examples)
@given(model=networks(), layout=st.sampled_from(["NCHW", "NHWC"]), opset=st.sampled_from([17, 18, 20, 21]))
def test_onnxruntime_agrees(path: Path, model: CNN, layout: str, opset: int) -> None:
    x = samples(model)
    tensorgrad.onnx.export(model, path, layout=layout, opset=opset)
    ours, theirs = model.predict(x), run(path, x, layout)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(theirs, ours, atol=1e-5 * max(1, np.abs(ours).max()), rtol=1e-5)


@pytest.mark.parametrize("number", EXPERIMENTS)
def test_the_experiments_are_as_accurate_in_onnxruntime(path: Path, number: int) -> None:
    """Trained, whole in the thorough profile, exported, and evaluated on the digits that were kept."""
    model, _ = experiment(number, seed=0, quick=not THOROUGH, verbose=0)
    images, labels = mnist().test
    x = standardize(images)
    accuracy = model.evaluate(x, labels)["accuracy"]
    assert accuracy > (EXPERIMENTS[number].target - 0.05 if THOROUGH else 0.3)
    for layout in ("NCHW", "NHWC"):
        tensorgrad.onnx.export(model, path, layout=layout)
        scores = run(path, x.reshape(-1, 28, 28, 1), layout)
        assert (scores.argmax(1) == labels).mean() == pytest.approx(accuracy, abs=1e-9)


def lenet(seed: int = 0) -> CNN:
    model = CNN(seed=seed)
    model.add(Rescale(1 / 255, input_shape=(12, 12, 2)))
    model.add(Conv2d(filters=4, activation="relu"))
    model.add(BatchNorm())
    model.add(Pool2d())
    model.add(Flatten())
    model.add(Dropout(0.3))
    model.add(FFL(neurons=3, activation="softmax"))
    return model


def test_one_node_for_each_layer_and_its_activation_called_like_it(path: Path) -> None:
    model = lenet()
    tensorgrad.onnx.export(model, path)
    graph = onnx.load(path).graph
    assert [(node.name, node.op_type) for node in graph.node] == [
        ("Input Layer", "Mul"), ("Conv2d1", "Conv"), ("Conv2d1/Relu", "Relu"), ("BatchNorm2", "BatchNormalization"),
        ("Pool2d3", "MaxPool"), ("Flatten4", "Flatten"), ("Out Layer(FFL)", "Gemm"),
        ("Out Layer(FFL)/Softmax", "Softmax"),
    ]  # fmt: skip
    state = {f"{i}.{name}" for i, layer in enumerate(model.layers) for name, _ in layer.named_state()}
    assert {array.name for array in graph.initializer} == state | {"0.scale"}
    assert [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == ["N", 2, 12, 12]
    assert (graph.input[0].name, graph.output[0].name) == ("input", "output")


def test_versions_that_runtimes_of_2024_read(path: Path) -> None:
    tensorgrad.onnx.export(lenet(), path)
    model = onnx.load(path)
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    tensorgrad.onnx.export(lenet(), path, opset=21)
    model = onnx.load(path)
    assert (model.ir_version, model.opset_import[0].version) == (10, 21)  # the newest of onnxruntime 1.20


def test_float64_stays(path: Path) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=2, weights=np.arange(6.0).reshape(3, 2), bias=np.array([0.1, 0.2])))
    tensorgrad.onnx.export(model, path)
    x = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_allclose(run(path, x), model.predict(x), rtol=1e-14)


class Double(Layer):
    def forward(self, x: Any, training: bool) -> Any:
        return 2 * x


def test_a_layer_of_ones_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = CNN(seed=0)
    model.add(FFL(input_shape=3, neurons=2))
    model.add(Add([Double(), []]))
    model.add(Double())
    path.write_bytes(b"as it was")
    with pytest.raises(ValueError, match=r"no ONNX form is known of Double, Double 'Out Layer.Double.'; .*onnx.form"):
        tensorgrad.onnx.export(model, path)
    assert path.read_bytes() == b"as it was"
    monkeypatch.setattr("tensorgrad.onnx.forms.FORMS", dict(tensorgrad.onnx.forms.FORMS))
    tensorgrad.onnx.form(Double)(lambda layer, x, graph: graph.add("Mul", x, graph.constant("two", 2.0)))
    tensorgrad.onnx.export(model, path)
    np.testing.assert_allclose(run(path, samples(model)), model.predict(samples(model)), rtol=1e-5)


class Tripled(Conv2d):
    def forward(self, x: Any, training: bool) -> Any:
        return 3 * super().forward(x, training)


@pytest.mark.parametrize(
    ("make", "arguments", "error"),
    [
        (lenet, {"layout": "CHWN"}, "onnx.export: unknown layout 'CHWN'"),
        (lenet, {"opset": 12}, "onnx.export: opset must be an int from 17 to [0-9]+, received 12"),
        (lenet, {"opset": "17"}, "opset must be an int"),
        (CNN, {}, "onnx.export: the model has no layers yet; add them first"),
    ],
)
def test_bad_arguments(path: Path, make: Any, arguments: dict[str, Any], error: str) -> None:
    path.write_bytes(b"as it was")
    with pytest.raises(ValueError, match=error):
        tensorgrad.onnx.export(make(), path, **arguments)
    assert path.read_bytes() == b"as it was"
    assert [other.name for other in path.parent.iterdir()] == [path.name]


def test_what_is_derived_from_a_layer_is_not_taken_for_it(path: Path) -> None:
    model = CNN(seed=0)
    model.add(Tripled(input_shape=(4, 4, 1), filters=2))
    with pytest.raises(ValueError, match="no ONNX form is known of Tripled 'Input Layer'"):
        tensorgrad.onnx.export(model, path)


def test_no_model(path: Path) -> None:
    with pytest.raises(TypeError, match="expected a model, received Conv2d"):
        tensorgrad.onnx.export(Conv2d(input_shape=(4, 4, 1)), path)
    with pytest.raises(TypeError, match="expected a class of layers, received 3"):
        tensorgrad.onnx.form(3)


def test_without_the_package(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx.export needs the package onnx, which the extra 'onnx' installs"):
        tensorgrad.onnx.export(lenet(), path)
