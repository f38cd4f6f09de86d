"""Networks and layers for tests with several ranks; they stand here so that other processes find them by name."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, Tensor
from tensorgrad.callbacks import LearningRateScheduler
from tensorgrad.data import Dataset
from tensorgrad.layers import FFL, Activation, BatchNorm, Conv2d, Dropout, Flatten, Layer, Pool2d, Reshape, Sequential
from tensorgrad.layers.shapes import Shape

X = np.random.default_rng(0).random((53, 6, 6, 1), dtype=np.float32)
Y = np.random.default_rng(1).integers(0, 4, 53)


both_forms = pytest.mark.parametrize("form", ["processes", "threads"], indirect=True)
as_threads = pytest.mark.parametrize("form", ["threads"], indirect=True)
AWAKE = threading.Event()  # that a layer which sleeps waits for


def network(
    *extra: Layer, loss: str = "cse", opt: str = "adam", lr: Any = 0.02, seed: int = 0, **options: object
) -> CNN:
    """A small classifier of X, with further layers before the last one."""
    model = CNN(seed=seed)
    model.add(Conv2d(input_shape=(6, 6, 1), filters=4, kernel_size=3, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    for layer in extra:
        model.add(layer)
    model.add(FFL(neurons=4, activation="softmax"))
    model.compile_model(lr=lr, opt=opt, loss=loss, **options)
    return model


def dropping() -> CNN:
    """One whose training is random."""
    return network(FFL(neurons=8, activation="tanh"), Dropout(0.3))


def normalized() -> CNN:
    """One with running statistics."""
    return network(FFL(neurons=8), BatchNorm())


def synchronized(*extra: Layer, **options: object) -> CNN:
    """One whose normalization, of pixels and of numbers, takes in the batches of all."""
    return network(
        Reshape((2, 2, 9)), BatchNorm(synchronized=True), Sequential([Conv2d(filters=3), BatchNorm(synchronized=True)]),
        *extra, Activation("relu"), Flatten(), FFL(neurons=8), BatchNorm(synchronized=True), opt="sgd", **options,
    )  # fmt: skip


def regression() -> CNN:
    """A network with two numbers as outputs."""
    model = CNN(seed=0)
    model.add(Flatten(input_shape=(6, 6, 1)))
    model.add(FFL(neurons=2))
    model.compile_model(lr=3.0, opt="adam", loss="mse")
    return model


def trained(model: CNN, processes: object = None, **options: object) -> CNN:
    """Train it for some epochs, with batches that do not come out even."""
    arguments = {"epochs": 3, "batch_size": 16, "verbose": 0, **options}
    x, y = arguments.pop("x", X), arguments.pop("y", Y)
    model.train(x, y, processes=processes, **arguments)
    return model


def difference(a: CNN, b: CNN) -> float:
    """The largest of two models' weights."""
    return max(float(np.abs(v - w).max()) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))


def assert_alike(several: CNN, one: CNN) -> None:
    """Fail unless several ranks have trained as one does, but for rounding."""
    assert difference(one, several) < 2e-5
    assert list(one.history) == list(several.history)
    for figure in set(one.history) - {"time"}:
        assert several.history[figure] == pytest.approx(one.history[figure], rel=1e-4, abs=1e-6), figure
    if "accuracy" in one.history:
        assert several.history["accuracy"] == one.history["accuracy"]
    assert several.optimizer.steps == one.optimizer.steps
    assert several.rng.bit_generator.state == one.rng.bit_generator.state
    assert several.train_loss == pytest.approx(one.train_loss, rel=1e-5, abs=2e-4)
    assert all(p.grad is None for p in several.parameters())


class Faulty(Layer):
    """Does something bad in one rank, in one of its steps."""

    def __init__(self, what: str = "", rank: int = 1, step: int = 2) -> None:
        self.what, self.rank, self.step, self.count = what, rank, step, 0

    def infer_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        self.count += training
        if not training or self.count != self.step or rank() != self.rank:
            return x
        if self.what == "raise":
            raise ArithmeticError("no luck today")
        if self.what == "sleep":
            AWAKE.wait(1000)
        os.kill(os.getpid(), {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[self.what])
        return x


class Spoiled:
    """Samples of which the last, in the second part of its batch, is not finite; nobody reads it before."""

    shape, dtype = X.shape, X.dtype

    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: Any) -> Any:
        x = X[index]
        x[np.asarray(index) == 52] = 3e38
        return x


def rank() -> int:
    """Of the process that asks, whether MPI or multiprocessing has started it, or of the thread."""
    for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK"):  # of MPICH, of Open MPI
        if name in os.environ:
            return int(os.environ[name])
    names = threading.current_thread().name, multiprocessing.current_process().name
    return max(int(name.removeprefix("tensorgrad rank ")) if "rank " in name else 0 for name in names)


VALUES = np.random.default_rng(2).normal(1000, 3, (53, 2))  # far from 0, so that sums of squares lose digits

# by name: a network, and how to train it, without anything random
SAME: dict[str, tuple[Callable[[], CNN], dict[str, Any]]] = {
    "adam": (network, {}),
    "sgd": (lambda: network(opt="sgd"), {"callbacks": [LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch))]}),
    "a last batch of 1": (network, {"batch_size": 26, "val_split": 0}),
    "clipped": (lambda: network(clip_norm=0.05), {"shuffle": False}),
    "weights": (network, {"sample_weight": np.linspace(0, 2, 53), "class_weight": {0: 3.0}}),
    "ignored labels": (lambda: network(ignore_index=3), {}),
    "values": (regression, {"y": VALUES}),
    "a data set": (network, {"x": Dataset(X, Y), "y": None}),
    "synchronized": (synchronized, {}),
    "synchronized, a last batch of 2": (synchronized, {"batch_size": 17, "val_split": 0}),
    "synchronized, ignored labels": (lambda: synchronized(ignore_index=3), {}),
    "synchronized, batches": (synchronized, {"x": [(X[:20], Y[:20]), (X[20:22], Y[20:22])], "y": None}),
    "batches": (network, {"x": [(X[:20], Y[:20]), (X[20:21], Y[20:21])], "y": None}),
}  # fmt: skip
