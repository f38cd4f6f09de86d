"""Networks that go to PyTorch and come from it compute the same, train the same, and keep their order of numbers."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from torch import nn

import tensorgrad
import tensorgrad.torch
from tensorgrad import CNN
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.layers import FFL, Activation, Add, Conv2d, Flatten, Layer, Pool1d, Pool2d
from tensorgrad.saving import ModelFileError
from tests.onnx.networks import networks, samples


def first(x: np.ndarray[Any, Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def last(y: torch.Tensor) -> np.ndarray[Any, Any]:
    return np.moveaxis(y.detach().numpy(), 1, -1)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    made = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Conv2d(6, 6, 3, groups=2, stride=2, padding="valid"),
        nn.LeakyReLU(),
        nn.Upsample(scale_factor=2),
        nn.Identity(),
        nn.Flatten(),
        nn.BatchNorm1d(6 * 4 * 4),
        nn.Dropout(0.0),
        nn.Linear(6 * 4 * 4, 5),
        nn.SiLU(),
        nn.Linear(5, 4),
    )
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -1, 1)
    return made


X = np.random.default_rng(0).normal(size=(6, 10, 10, 3)).astype(np.float32)


def test_values_from_torch() -> None:
    model = tensorgrad.torch.from_torch(net(), input_shape=(10, 10, 3))
    np.testing.assert_allclose(model.predict(X), last(net().eval()(first(X))), rtol=1e-5, atol=1e-5)


FURTHER: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...] | int | None]] = {
    "decoder": (
        lambda: nn.Sequential(
            nn.Linear(5, 24), nn.ELU(), nn.BatchNorm1d(24), nn.Dropout(0.0), nn.Unflatten(1, (6, 2, 2)),
            nn.ConvTranspose2d(6, 4, 3, 2, 1, output_padding=1, groups=2), nn.GELU(), nn.ZeroPad2d((1, 0, 2, 1)),
            nn.Conv2d(4, 2, 2, padding="same"), nn.Sigmoid(),
        ),
        None,
    ),
    "sequences": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 8, 5, 2, "valid"), nn.BatchNorm1d(8), nn.Softplus(), nn.MaxPool1d(3, 2, 1, ceil_mode=True),
            nn.Conv1d(8, 4, 2, padding="same", groups=2), nn.AvgPool1d(2, 1), nn.Flatten(), nn.Linear(28, 3),
            nn.Softmax(-1),
        ),
        (32, 3),
    ),
    "synchronized": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.SyncBatchNorm(4, momentum=0.3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 8),
            nn.SyncBatchNorm(8, eps=1e-3), nn.Linear(8, 3),
        ),
        (10, 10, 3),
    ),
    "windows that hang over": (
        lambda: nn.Sequential(
            nn.AvgPool2d(3, 2, ceil_mode=True), nn.MaxPool2d(2, 2, ceil_mode=True), nn.AvgPool2d(2),
        ),
        (16, 12, 3),
    ),
    "global pools": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 8, 1), nn.ReLU(), nn.AdaptiveMaxPool2d((1, 1)),
            nn.Flatten(), nn.LayerNorm(8), nn.Linear(8, 2),
        ),
        (8, 8, 3),
    ),
    "parametrized": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Tanh()), (6, 6, 3),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", FURTHER)
def test_further_modules(name: str) -> None:
    """Values from PyTorch, and again when the model goes back."""
    torch.manual_seed(0)
    make, shape = FURTHER[name]
    module = make().eval()
    model = tensorgrad.torch.from_torch(module, input_shape=shape)
    x = samples(model)
    want = last(module(first(x)))
    np.testing.assert_allclose(model.predict(x), want, rtol=1e-5, atol=1e-5)
    there = tensorgrad.torch.to_torch(model).eval()
    np.testing.assert_allclose(last(there(first(x))), want, rtol=1e-5, atol=1e-5)


def test_it_trains_as_pytorch_does() -> None:
    module = net()
    model = tensorgrad.torch.from_torch(module, input_shape=(10, 10, 3))
    labels = np.arange(6) % 4
    model.add(tensorgrad.layers.Activation("softmax"))
    model.compile_model(loss="cse", opt="iterative", lr=0.05)
    model.train(X, labels, epochs=10, batch_size=6, shuffle=False, val_split=0, verbose=0)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    for _ in range(10):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(first(X)), torch.from_numpy(labels)).backward()
        optimizer.step()
    theirs = torch.softmax(module.eval()(first(X)), 1)
    np.testing.assert_allclose(model.predict(X), last(theirs), rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@given(model=networks())
def test_there_and_back(model: CNN) -> None:
    """Whatever PyTorch has a module of: same values there, the same to the bit when it comes back."""
    try:
        module = tensorgrad.torch.to_torch(model)
    except ValueError as error:
        assert "to_torch: " in str(error)  # noqa: PT017 - many networks have layers that PyTorch has not
        return
    if not len(module):
        return
    x = samples(model)
    want = model.predict(x)
    np.testing.assert_allclose(last(module.eval()(first(x))), want, rtol=1e-5, atol=1e-5 * max(1, np.abs(want).max()))
    back = tensorgrad.torch.from_torch(module, input_shape=model.layers[0].input_shape)
    np.testing.assert_array_equal(back.predict(x), want)


def test_a_state_dict_in_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    module = net()
    model = tensorgrad.torch.from_torch(module, input_shape=(10, 10, 3))
    want = model.predict(X)
    save_file(module.state_dict(), tmp_path / "net.safetensors")
    for _, parameter in model.named_parameters():
        parameter.data = np.zeros(parameter.shape)
    model.load_weights(tmp_path / "net.safetensors", layout="torch")
    np.testing.assert_array_equal(model.predict(X), want)

    named = {"conv1.weight": torch.ones(2, 1, 3, 3), "fc.weight": torch.ones(3, 2), "fc.bias": torch.ones(3)}
    other = CNN(seed=0)
    other.add(Conv2d(input_shape=(3, 3, 1), filters=2, padding=None, isbias=False))
    other.add(Flatten())
    other.add(FFL(neurons=3))
    save_file(named, tmp_path / "named.safetensors")
    other.load_weights(tmp_path / "named.safetensors", layout="torch")
    np.testing.assert_array_equal(other.predict(np.ones((1, 3, 3, 1))), [[19, 19, 19]])
    before = other.get_weights()
    with pytest.raises(ModelFileError, match=r"net.safetensors: .* needs arrays of the shapes .*, as no module has"):
        other.load_weights(tmp_path / "net.safetensors", layout="torch")
    with pytest.raises(ValueError, match="load_weights: unknown layout 'tf'"):
        other.load_weights(tmp_path / "net.safetensors", layout="tf")
    for kept, now in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(now, kept)


@pytest.mark.parametrize(
    ("module", "shape", "error"),
    [
        (nn.Sequential(nn.Conv2d(1, 1, 3)), None, "Conv2d does not say how large its images are; give input_shape="),
        (nn.AvgPool2d(3, padding=1), (4, 4, 1), "has no layer of its kind here"),
        (nn.Sequential(), 3, "the module has no layers"),
        (nn.Unflatten(1, (3, 2, 2)), 12, r"from_torch: module, Unflatten.*, needs a Linear before it, whose units"),
        (nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2)), None, "expected weights|features|shape"),
    ],
)
def test_modules_that_are_not_here(module: nn.Module, shape: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        tensorgrad.torch.from_torch(module, input_shape=shape)


class Twice(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 3)


@pytest.mark.parametrize(
    "module",
    [
        nn.PReLU(), nn.ReLU6(), nn.Hardswish(), nn.Mish(), nn.SELU(), nn.LeakyReLU(0.2), nn.ELU(0.5), nn.GELU("tanh"),
        nn.LogSoftmax(1), nn.Softmax(2), nn.Softmax(-1), nn.Dropout2d(), nn.AdaptiveAvgPool2d(2), nn.Flatten(2),
        nn.Unflatten(2, (2, 2)), nn.GroupNorm(1, 3), nn.InstanceNorm2d(3), nn.LayerNorm(4), nn.LayerNorm([3, 4, 4]),
        nn.BatchNorm2d(3, affine=False), nn.Upsample(size=8), nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ReflectionPad2d(1), nn.PixelShuffle(1), nn.Conv2d(3, 3, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(3, 3, 3, padding=2, padding_mode="replicate"), nn.MaxPool2d(2, dilation=2),
        nn.AvgPool2d(3, padding=1), Twice(4, 4), Net(),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_not_here_is_named(module: nn.Module) -> None:
    """In one line that says where it stands, and the way that there is."""
    whole = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU(), module))
    name = type(module).__name__
    with pytest.raises(ValueError, match=rf"^from_torch: module.1.1, {name}.*; export it with torch.onnx.export.*$"):
        tensorgrad.torch.from_torch(whole, input_shape=(4, 4, 3))


def test_layers_that_are_not_there() -> None:
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(4, 4, 1)))
    model.add(Add([Conv2d(), []]))
    with pytest.raises(ValueError, match=r"to_torch: Add 'Out Layer.Add.' has no module of its kind"):
        tensorgrad.torch.to_torch(model)
    with pytest.raises(ValueError, match="to_torch: the model has no layers yet"):
        tensorgrad.torch.to_torch(CNN())
    with pytest.raises(TypeError, match=r"from_torch: expected a torch.nn.Module, received CNN"):
        tensorgrad.torch.from_torch(CNN())
    with pytest.raises(TypeError, match="to_torch: expected a model, received Linear"):
        tensorgrad.torch.to_torch(nn.Linear(1, 1))


def model_of(shape: tuple[int, ...], *layers: Layer) -> CNN:
    model = CNN(seed=0)
    layers[0].input_shape = shape
    for layer in layers:
        model.add(layer)
    return model


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_frames_of_pools(kind: str, ceil_mode: bool, size: int, stride: int) -> None:
    """Whatever is around the image: the same values in PyTorch, or an error that says what PyTorch cannot do."""
    refusal = r"to_torch: Pool[12]d 'Input Layer' has (another padding on each side, \(|\d.* no more than half of the)"
    for before, after, pixels in itertools.product(range(size), range(size), (7, 8)):
        sides = (before, after), (after, before)
        for model in (
            model_of((pixels, 9, 2), Pool2d(size, stride, kind, sides, ceil_mode)),
            model_of((pixels, 2), Pool1d(size, stride, kind, (before, after), ceil_mode)),
        ):
            if before == after and 2 * before <= size:
                module = tensorgrad.torch.to_torch(model)
            else:
                try:
                    module = tensorgrad.torch.to_torch(model)
                except ValueError as error:
                    assert re.match(refusal, str(error))  # noqa: PT017 - some have a module, some have none
                    continue
            x = samples(model)
            np.testing.assert_allclose(last(module(first(x))), model.predict(x), rtol=1e-5, atol=1e-6)


def test_settings_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ACTIVATIONS, "own", ACTIVATIONS["relu"])
    uneven = ((0, 2), (1, 1))
    for model, error in (
        (model_of((4, 4, 2), Conv2d(filters=2), Flatten()), r"is the last layer, and PyTorch would flatten images in"),
        (model_of((4, 4, 1), Conv2d(padding=uneven)), r"has another padding on each side, \(\(0, 2\), \(1, 1"),
        (
            model_of((4, 4, 1), Pool2d(3, 1, "max", uneven, True)),
            r"has another padding on each side, \(\(0, 2\), \(1, 1",
        ),
        (model_of((4, 4, 1), Pool2d(3, 1, padding=2)), r"has 2 x 2 pixels of padding, and PyTorch takes no more than"),
        (model_of((4,), Activation("own")), r"has the activation 'own', which PyTorch has no module of"),
    ):
        with pytest.raises(ValueError, match=rf"^to_torch: \w+ '[^']+' {error}"):
            tensorgrad.torch.to_torch(model)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="from_torch needs the package torch, which the extra 'torch' installs"):
        tensorgrad.torch.from_torch(None)
