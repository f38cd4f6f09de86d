"""The networks, each described once and built on both sides with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tensorgrad import CNN
from tensorgrad import layers as library  # an older version lacks some layers, and is measured too
from tensorgrad.data import mnist, standardize

Array = np.ndarray[Any, Any]
LAYOUTS = torch.contiguous_format, torch.channels_last


@dataclass(frozen=True)
class Conv:
    """A convolution, square, with its activation."""

    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    groups: int = 1
    activation: str | None = "relu"


@dataclass(frozen=True)
class Norm:
    """Batch normalization."""


@dataclass(frozen=True)
class Act:
    """An activation as a layer of its own."""

    name: str = "relu"


@dataclass(frozen=True)
class Pool:
    """2 x 2 pixels into one."""

    kind: str = "max"


@dataclass(frozen=True)
class Average:
    """The average of each channel."""


@dataclass(frozen=True)
class Up:
    """A pixel into 2 x 2."""


@dataclass(frozen=True)
class Plus:
    """The sum of what layers give and of their input, or of what other layers make of that."""

    layers: tuple[Description, ...]
    others: tuple[Description, ...] = ()


@dataclass(frozen=True)
class Beside:
    """The channels that layers give, and after them those of their input."""

    layers: tuple[Description, ...]


@dataclass(frozen=True)
class Drop:
    """Dropout."""

    prob: float


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, after flattening images where it is the first."""

    units: int
    activation: str = "relu"


Description = Conv | Norm | Act | Pool | Average | Up | Plus | Beside | Drop | Dense


@dataclass(frozen=True)
class Net:
    """A network for classification into 10 classes; a softmax layer of 10 units follows what is listed."""

    name: str
    layers: tuple[Description, ...]
    samples: int
    shape: tuple[int, int, int] = (28, 28, 1)
    lr: float = 0.001
    initializer: str | None = None
    seed: int = 0

    def without_dropout(self) -> Net:
        """The same without what is random."""
        layers = tuple(layer for layer in self.layers if not isinstance(layer, Drop))
        return replace(self, layers=layers)

    def data(self, count: int) -> tuple[Array, Array]:
        """Images and integer labels: digits where they fit, otherwise noise."""
        if self.shape == (28, 28, 1) and count <= 10_000:
            images, labels = mnist().train
            return standardize(images[:count]), labels[:count].astype(np.int64)
        rng = np.random.default_rng(0)
        return rng.standard_normal((count, *self.shape), np.float32), rng.integers(0, 10, count)


EXPERIMENTS = (
    Net("experiment 1", (Conv(8),), 1000, lr=0.01),
    Net("experiment 2", (Conv(8), Conv(16)), 10_000, lr=0.01),
    Net("experiment 3", (Conv(4), Pool(), Conv(8), Drop(0.2)), 5000),
    Net("experiment 4", (Conv(4), Conv(8), Pool(), Dense(64), Drop(0.1)), 10_000, lr=0.01),
)
LENET = Net(
    "LeNet-5",
    (
        Conv(6, 5, padding=2, activation="tanh"),
        Pool("average"),
        Conv(16, 5, activation="tanh"),
        Pool("average"),
        Dense(120, "tanh"),
        Dense(84, "tanh"),
    ),
    5000,
)
VGG = Net(
    "VGG-like",
    (
        Conv(32, padding=1),
        Conv(32, padding=1),
        Pool(),
        Conv(64, padding=1),
        Conv(64, padding=1),
        Pool(),
        Dense(128),
    ),
    512,
    (32, 32, 3),
)
STRIDED = Net("strided", (Conv(16, stride=2, padding=1), Conv(32, stride=2, padding=1)), 5000)
POINTWISE = Net("1 x 1", (Conv(32, stride=2), Conv(16, 1), Conv(64, 1), Conv(16, 1)), 5000)
DEPTHWISE = Net(
    "depthwise",
    (
        Conv(32, padding=1, stride=2),
        Conv(32, padding=1, groups=32),
        Conv(64, 1),
        Conv(64, padding=1, groups=64),
        Conv(64, 1),
        Pool(),
    ),
    1000,
    (32, 32, 3),
)


def normed(filters: int, kernel: int = 3, relu: bool = True, **settings: int) -> tuple[Description, ...]:
    """A convolution that keeps the size, batch normalization, and a ReLU unless told otherwise."""
    convolution = Conv(filters, kernel, padding=kernel // 2, activation=None, **settings)
    return (convolution, Norm(), *([Act()] if relu else []))


def residual(filters: int, stride: int = 1) -> tuple[Description, ...]:
    """A block of a residual network; with a stride, its input goes through a convolution of 1 x 1."""
    inner = (*normed(filters, stride=stride), *normed(filters, relu=False))
    return Plus(inner, normed(filters, 1, relu=False, stride=stride) if stride > 1 else ()), Act()


def separable(channels: int, filters: int, stride: int = 1) -> tuple[Description, ...]:
    """A block of MobileNet: each channel with a kernel of its own, then a convolution of 1 x 1."""
    return *normed(channels, stride=stride, groups=channels), *normed(filters, 1)


def double(filters: int) -> tuple[Description, ...]:
    """Two convolutions, as U-Nets have them at each size."""
    return Conv(filters, padding=1), Conv(filters, padding=1)


NORMED = Net("batch norm", (*normed(16), *normed(16), Pool(), *normed(32), *normed(32), Average()), 512, (32, 32, 3))
RESNET = Net("ResNet", (*normed(16), *residual(16), *residual(32, 2), *residual(64, 2), Average()), 512, (32, 32, 3))
UNET = Net(
    "U-Net",
    (
        *double(8),
        Beside((Pool(), *double(16), Beside((Pool(), *double(32), Up())), *double(16), Up())),
        *double(8),
        Average(),
    ),
    512,
    (32, 32, 1),
)
MOBILENET = Net(
    "MobileNet",
    (*normed(16, stride=2), *separable(16, 32), *separable(32, 64, 2), *separable(64, 64), Average()),
    512,
    (32, 32, 3),
)
MODERN = (NORMED, RESNET, UNET, MOBILENET)
GREY = Net(
    "grey, 24 channels", (Conv(24, padding=1), Pool(), Conv(24, padding=1), Pool(), Dense(64)), 2048, (20, 24, 1)
)
EVERY = (*EXPERIMENTS, LENET, VGG, STRIDED, POINTWISE, DEPTHWISE, *MODERN, GREY)


def ours(net: Net) -> CNN:
    """The network in tensorgrad, compiled for training with Adam."""
    layers = [made for layer in (*net.layers, Dense(10, "softmax")) for made in _layers(layer, net.initializer)]
    if not any(isinstance(layer, Average) for layer in net.layers):
        first = next(i for i, layer in enumerate(layers) if isinstance(layer, library.FFL))
        layers.insert(first, library.Flatten())
    layers[0].input_shape = net.shape
    model = CNN(seed=net.seed)
    for layer in layers:
        model.add(layer)
    model.compile_model(lr=net.lr, opt="adam", loss="cse")
    return model


def _layers(description: Description, initializer: str | None) -> list[library.Layer]:
    """The layers that a description stands for."""

    start: dict[str, Any] = {} if initializer is None else {"initializer": initializer}

    def several(descriptions: tuple[Description, ...]) -> library.Sequential:
        return library.Sequential([made for each in descriptions for made in _layers(each, initializer)])

    match description:
        case Conv(filters, kernel, stride, padding, groups, activation):
            convolution = library.Conv2d(
                filters=filters,
                kernel_size=kernel,
                stride=stride,
                padding=padding,
                groups=groups,
                activation=activation,
                **start,
            )
            return [convolution]
        case Norm():
            return [library.BatchNorm()]
        case Act(name):
            return [library.Activation(name)]
        case Pool(kind):
            return [library.Pool2d(kind=kind)]
        case Average():
            return [library.GlobalPool()]
        case Up():
            return [library.Upsample()]
        case Plus(inner, others):
            return [library.Add([several(inner), several(others)])]
        case Beside(inner):
            return [library.Concatenate([several(inner), several(())])]
        case Drop(prob):
            return [library.Dropout(prob)]
        case Dense(units, activation):
            return [library.FFL(neurons=units, activation=activation, **start)]


class Joined(nn.Module):
    """Modules that get the same input, and what joins what they give."""

    def __init__(self, branches: list[nn.Module], join: Callable[[list[torch.Tensor]], torch.Tensor]) -> None:
        super().__init__()
        self.branches, self.join = nn.ModuleList(branches), join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Join what the branches make of x."""
        return self.join([branch(x) for branch in self.branches])


_ACTIVATIONS: dict[str | None, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def theirs(model: CNN, layout: torch.memory_format = torch.contiguous_format) -> nn.Sequential:
    """The same network in PyTorch, with the same weights; it ends with the logits."""
    return _modules(model.layers).to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def _modules(layers: Sequence[library.Layer]) -> nn.Sequential:
    modules: list[nn.Module] = []
    previous: library.Layer | None = None
    for layer in layers:
        if type(layer).__name__ != "Activation":
            modules.append(_module(layer, previous))
        if layer.activation in _ACTIVATIONS:
            modules.append(_ACTIVATIONS[layer.activation]())
        previous = layer
    return nn.Sequential(*modules)


def _module(layer: Any, previous: Any) -> nn.Module:
    """The counterpart of a layer, without its activation."""
    match type(layer).__name__:
        case "Conv2d":
            channels, filters = layer.weights.shape[2:]
            geometry = layer.kernel_size, layer.stride, layer.padding
            convolution = nn.Conv2d(channels * layer.groups, filters, *geometry, groups=layer.groups)
            return _set(convolution, layer.weights.numpy().transpose(3, 2, 0, 1), layer.biases.numpy())
        case "BatchNorm":
            return nn.BatchNorm2d(layer.input_shape[-1])
        case "Pool2d":
            return nn.MaxPool2d(2) if layer.kind == "max" else nn.AvgPool2d(2)
        case "GlobalPool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case "Upsample":
            return nn.Upsample(scale_factor=2)
        case "Sequential":
            return _modules(layer.layers)
        case "Add":
            return Joined([_modules([branch]) for branch in layer.branches], lambda parts: parts[0] + parts[1])
        case "Concatenate":
            return Joined([_modules([branch]) for branch in layer.branches], lambda parts: torch.cat(parts, 1))
        case "Dropout":
            return nn.Dropout(layer.prob)
        case "Flatten":
            return nn.Flatten()
        case "FFL":
            weights = dense_weights(layer, previous)
            return _set(nn.Linear(*weights.shape), weights.T, layer.biases.numpy())
    raise TypeError(f"no counterpart for {layer!r}")


def dense_weights(layer: Any, previous: Any) -> Array:
    """Weights ``(inputs, units)`` of a dense layer, for images that were flattened with the channels first."""
    weights: Array = layer.weights.numpy()
    if type(previous).__name__ != "Flatten":
        return weights
    h, w, c = previous.input_shape
    return weights.reshape(h, w, c, -1).transpose(2, 0, 1, 3).reshape(weights.shape)


def _set(module: nn.Module, weights: Array, biases: Array) -> nn.Module:
    state = {"weight": torch.tensor(np.ascontiguousarray(weights)), "bias": torch.tensor(biases)}
    module.load_state_dict(state)
    return module


def images_for_torch(x: Array, layout: torch.memory_format) -> torch.Tensor:
    """Images as PyTorch has them: channels first."""
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
