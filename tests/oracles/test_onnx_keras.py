"""Networks that Keras 3 writes, with PyTorch behind it: values, gradients and training steps are its own."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import tensorgrad
from tests.oracles.keras_networks import NETWORKS, SHAPE, network
from tests.oracles.recipes import recipes
from tests.oracles.test_onnx_torch import assert_gradients, theirs_in_order

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporter warns of itself
X = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
NORMALIZED = {"VGG", "ResNet", "MobileNetV2", "MobileNetV3", "DenseNet"}
"""Those whose scales and running variances are one number in the file, so that their gradients are others."""


def loaded(net: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The network by way of a file, as the page's recipe has it."""
    (recipe,) = recipes("From Keras")
    names: dict[str, Any] = {"net": net, "tensorgrad": tensorgrad}
    monkeypatch.chdir(folder)
    net(X)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(recipe, names)
    return names["model"]


@pytest.mark.parametrize("name", NETWORKS)
def test_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    net = network(name)
    model = loaded(net, tmp_path, monkeypatch)
    np.testing.assert_allclose(model.predict(X), net.predict(X, verbose=0), atol=1e-5)
    if name in ("LeNet", "U-Net"):
        assert not any(isinstance(layer, tensorgrad.onnx.Graph) for layer in model.layers)


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - NORMALIZED))
def test_gradients_and_ten_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    net = network(name)
    model = loaded(net, tmp_path, monkeypatch)
    parameters = [weight.value for weight in net.trainable_weights]
    pairs = theirs_in_order(model, parameters)
    target = torch.randn(net(X).shape, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    step = tensorgrad.optim.SGD(model.parameters(), lr=0.01, mr=0.0)
    for i in range(10):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(X), target).backward()
        step.zero_grad()
        tensorgrad.mse(model(X), target.numpy()).backward()
        if i == 0:
            assert_gradients(pairs)
        optimizer.step()
        step.step()
    np.testing.assert_allclose(model.predict(X), net.predict(X, verbose=0), atol=1e-3)
