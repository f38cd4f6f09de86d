"""Networks that PyTorch's two exporters write: values, gradients and training steps are theirs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tensorgrad
from tensorgrad import CNN, Tensor
from tests.oracles.recipes import recipes
from tests.oracles.torch_networks import NETWORKS, PLAIN, network

pytestmark = pytest.mark.filterwarnings("ignore")  # the exporters warn of themselves
X = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
NOT_FOLDED = ("trace, not folded", "dynamo, not folded")
EXPORTERS = ("trace", "trace, not folded", "trace, fixed batch", "dynamo", "dynamo, fixed batch")


def written(module: nn.Module, path: Path, exporter: str) -> None:
    """Let PyTorch write a network."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        if exporter.startswith("dynamo"):
            shapes = None if "fixed" in exporter else ({0: torch.export.Dim("n")},)
            options: dict[str, Any] = {"optimize": "not folded" not in exporter, "dynamic_shapes": shapes}
            torch.onnx.export(module, (X[:2],), path, dynamo=True, verbose=False, **options)
        else:
            axes = None if "fixed" in exporter else {"input": {0: "n"}}
            kept = "not folded" in exporter
            mode = torch.onnx.TrainingMode.PRESERVE if kept else torch.onnx.TrainingMode.EVAL
            options = {"training": mode, "do_constant_folding": not kept}
            torch.onnx.export(module, (X[:1],), path, dynamo=False, input_names=["input"], dynamic_axes=axes, **options)


def last(y: torch.Tensor) -> np.ndarray[Any, Any]:
    array = y.detach().numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def images() -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(last(X))


@pytest.mark.parametrize("exporter", EXPORTERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_values(tmp_path: Path, name: str, exporter: str) -> None:
    module = network(name).eval()
    written(module, tmp_path / "net.onnx", exporter)
    model = tensorgrad.onnx.load(tmp_path / "net.onnx")
    want = last(module(X))
    np.testing.assert_allclose(model.predict(images()), want, atol=1e-5 * max(1, np.abs(want).max()), rtol=0)
    assert (name in PLAIN) == all(not isinstance(layer, tensorgrad.onnx.Graph) for layer in model.layers)


def theirs_in_order(model: CNN, parameters: Iterable[Any]) -> list[tuple[Tensor, Any]]:
    """Each parameter of a model beside the one that it was made of: the one of the same numbers."""
    left = list(parameters)
    pairs = []
    for parameter in model.parameters():
        values = np.sort(parameter.array.ravel())
        found = next(
            p for p in left if p.numel() == values.size and np.array_equal(np.sort(p.detach().numpy().ravel()), values)
        )
        left = [p for p in left if p is not found]
        pairs.append((parameter, found))
    assert not left
    return pairs


def assert_gradients(pairs: list[tuple[Tensor, Any]]) -> None:
    """Those of all weights, but for the order of their numbers."""
    for ours, theirs in pairs:
        assert ours.grad is not None
        assert theirs.grad is not None
        found, want = np.sort(ours.grad.array.ravel()), np.sort(theirs.grad.numpy().ravel())
        np.testing.assert_allclose(found, want, atol=1e-4 * max(1e-2, np.abs(want).max()), rtol=0)


@pytest.mark.parametrize("exporter", NOT_FOLDED)
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_ten_steps(tmp_path: Path, name: str, exporter: str) -> None:
    """Of a network whose weights were not folded: the same gradients, then ten steps of the same optimizer."""
    module = network(name).eval()
    for i, p in enumerate(module.parameters()):  # no two alike, so that each is found again
        p.data += 1e-3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i))
    written(module, tmp_path / "net.onnx", exporter)
    model = tensorgrad.onnx.load(tmp_path / "net.onnx")
    pairs = theirs_in_order(model, module.parameters())
    target = torch.randn(module(X).shape, generator=torch.Generator().manual_seed(1))

    nn.functional.mse_loss(module(X), target).backward()
    tensorgrad.mse(model(images()), last(target)).backward()
    assert_gradients(pairs)

    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    step = tensorgrad.optim.SGD(model.parameters(), lr=0.01, mr=0.0)
    for _ in range(10):
        optimizer.zero_grad()
        nn.functional.mse_loss(module(X), target).backward()
        optimizer.step()
        step.zero_grad()
        tensorgrad.mse(model(images(), training=True), last(target)).backward()
        step.step()
    want = last(module.eval()(X))
    np.testing.assert_allclose(model.predict(images()), want, atol=1e-3 * max(1, np.abs(want).max()), rtol=0)


@pytest.mark.parametrize("line", [0, 1])
def test_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int) -> None:
    """As the page has it: each of its two exports, and a Sequential there and back."""
    from safetensors.torch import save_file

    export, exchange = recipes("From PyTorch")
    exports = [text for text in export.splitlines() if text.startswith("torch.onnx.export")]
    assert len(exports) == 2
    module = network("LeNet")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"torch": torch, "tensorgrad": tensorgrad, "net": module, "images": X}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(export.replace(exports[line], ""), names)
    want = last(module(X))
    np.testing.assert_allclose(names["model"].predict(images()), want, atol=1e-5)
    save_file(module.state_dict(), "net.safetensors")
    exec(exchange.replace("(28, 28, 1)", "(16, 16, 3)"), names)
    np.testing.assert_allclose(names["model"].predict(images()), want, atol=1e-5)
    np.testing.assert_allclose(last(names["net"](X)), want, atol=1e-5)
