"""A training step against MyGrad, the NumPy library that is nearest to this one. Its images are channels first."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks import nets, training
from benchmarks.case import Case, Group, agree
from benchmarks.nets import Array, Net
from tensorgrad import CNN


class MyGradTrainer:
    """The network of a model of ours, without dropout; Adam in NumPy, since MyGrad has no optimizers."""

    def __init__(self, model: CNN, x: Array, labels: Array, lr: float) -> None:
        mygrad: Any = importlib.import_module("mygrad")
        self.nnet: Any = importlib.import_module("mygrad.nnet")
        self.x, self.labels, self.lr = np.ascontiguousarray(x.transpose(0, 3, 1, 2)), labels, lr
        self.weights: list[Any] = []
        self.layers: list[Callable[[Any], Any]] = []
        layers: list[Any] = model.layers
        for previous, layer in zip([None, *layers], layers, strict=False):
            kind = type(layer).__name__
            if kind == "Pool2d":
                self.layers.append(lambda t: self.nnet.max_pool(t, (2, 2), (2, 2)))
            elif kind == "Flatten":
                self.layers.append(lambda t: t.reshape(len(t), -1))
            else:
                if kind == "Conv2d":
                    w = mygrad.tensor(layer.weights.numpy().transpose(3, 2, 0, 1).copy())
                    b = mygrad.tensor(layer.biases.numpy().reshape(1, -1, 1, 1).copy())
                    self.layers.append(partial(self._convolve, w, b))
                else:
                    w = mygrad.tensor(nets.dense_weights(layer, previous).copy())
                    b = mygrad.tensor(layer.biases.numpy().copy())
                    self.layers.append(partial(_multiply, w, b))
                self.weights += [w, b]
                if layer.activation == "relu":
                    self.layers.append(self.nnet.relu)
        self.means, self.squares = ([np.zeros_like(w.data) for w in self.weights] for _ in range(2))
        self.steps = 0

    def _convolve(self, w: Any, b: Any, images: Any) -> Any:
        return self.nnet.conv_nd(images, w, stride=1) + b

    def step(self) -> float:
        """A step on all of the data; the loss before it."""
        scores: Any = self.x
        for layer in self.layers:
            scores = layer(scores)
        loss = self.nnet.softmax_crossentropy(scores, self.labels)
        loss.backward()
        self.steps += 1
        rate = self.lr * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for w, m, v in zip(self.weights, self.means, self.squares, strict=True):
            m += 0.1 * (w.grad - m)
            v += 0.001 * (w.grad**2 - v)
            w.data -= np.float32(rate) * m / (np.sqrt(v) + np.float32(1e-8))
        return float(loss.data)


def _multiply(w: Any, b: Any, x: Any) -> Any:
    return x @ w + b


def case(net: Net) -> Case:
    """A step on 32 images."""
    net = net.without_dropout()
    x, labels = net.data(32)
    ours = training.OurTrainer(net, x, labels)
    theirs = MyGradTrainer(ours.model, x, labels, net.lr)

    def check() -> None:
        agree(f"{net.name}, MyGrad", ours.epochs(32, 2, shuffle=False), [theirs.step() for _ in range(2)])

    return Case(f"{net.name}, a step of 32", lambda: ours.epochs(32), [theirs.step], check, peer="MyGrad")


def cases(quick: bool) -> Iterator[Case]:
    """The experiments that are measured against MyGrad."""
    for net in (nets.EXPERIMENTS[1], nets.EXPERIMENTS[3]):
        yield case(net)


GROUP = Group("Training, against MyGrad", cases)
