"""The networks, each described once and built on both sides with the same weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from tensorgrad import CNN
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Layer, Pool2d

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
    activation: str = "relu"


@dataclass(frozen=True)
class Pool:
    """2 x 2 pixels into one."""

    kind: str = "max"


@dataclass(frozen=True)
class Drop:
    """Dropout."""

    prob: float


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, after flattening where it is the first."""

    units: int
    activation: str = "relu"


Description = Conv | Pool | Drop | Dense


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


def ours(net: Net) -> CNN:
    """The network in tensorgrad, compiled for training with Adam."""
    layers: list[Layer] = []

    def dense(units: int, activation: str) -> FFL:
        return FFL(neurons=units, activation=activation, initializer=net.initializer)

    for layer in net.layers:
        match layer:
            case Conv():
                layers.append(
                    Conv2d(
                        filters=layer.filters,
                        kernel_size=layer.kernel,
                        stride=layer.stride,
                        padding=layer.padding,
                        groups=layer.groups,
                        activation=layer.activation,
                        initializer=net.initializer,
                    )
                )
            case Pool():
                layers.append(Pool2d(kind=layer.kind))
            case Drop():
                layers.append(Dropout(layer.prob))
            case Dense():
                layers += [Flatten()] * _first_dense(layers) + [dense(layer.units, layer.activation)]
    layers += [Flatten()] * _first_dense(layers) + [dense(10, "softmax")]
    layers[0].input_shape = net.shape
    model = CNN(seed=net.seed)
    for layer_of_ours in layers:
        model.add(layer_of_ours)
    model.compile_model(lr=net.lr, opt="adam", loss="cse")
    return model


def _first_dense(layers: list[Layer]) -> bool:
    return not any(isinstance(layer, Flatten) for layer in layers)


_ACTIVATIONS: dict[str | None, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def theirs(model: CNN, layout: torch.memory_format = torch.contiguous_format) -> nn.Sequential:
    """The same network in PyTorch, with the same weights; it ends with the logits."""
    modules: list[nn.Module] = []
    previous: Layer | None = None
    for layer in model.layers:
        modules.append(_module(layer, previous))
        if layer.activation in _ACTIVATIONS:
            modules.append(_ACTIVATIONS[layer.activation]())
        previous = layer
    return nn.Sequential(*modules).to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


def _module(layer: Any, previous: Any) -> nn.Module:
    """The counterpart of a layer, without its activation."""
    match type(layer).__name__:
        case "Conv2d":
            channels, filters = layer.weights.shape[2:]
            geometry = layer.kernel_size, layer.stride, layer.padding
            convolution = nn.Conv2d(channels * layer.groups, filters, *geometry, groups=layer.groups)
            return _set(convolution, layer.weights.numpy().transpose(3, 2, 0, 1), layer.biases.numpy())
        case "Pool2d":
            return nn.MaxPool2d(2) if layer.kind == "max" else nn.AvgPool2d(2)
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
