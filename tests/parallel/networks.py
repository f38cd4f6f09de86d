"""Networks and layers for tests with several ranks; they stand here so that other processes find them by name."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from tensorgrad import CNN, Tensor
from tensorgrad.layers import FFL, BatchNorm, Conv2d, Dropout, Flatten, Layer, Pool2d
from tensorgrad.layers.layer import Shape

X = np.random.default_rng(0).random((53, 6, 6, 1), dtype=np.float32)
Y = np.random.default_rng(1).integers(0, 4, 53)


def network(*extra: Layer, loss: str = "cse", opt: str = "adam", seed: int = 0, **options: object) -> CNN:
    """A small classifier of X, with further layers before the last one."""
    model = CNN(seed=seed)
    model.add(Conv2d(input_shape=(6, 6, 1), filters=4, kernel_size=3, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    for layer in extra:
        model.add(layer)
    model.add(FFL(neurons=4, activation="softmax"))
    model.compile_model(lr=0.02, opt=opt, loss=loss, **options)
    return model


def dropping() -> CNN:
    """One whose training is random."""
    return network(FFL(neurons=8, activation="tanh"), Dropout(0.3))


def normalized() -> CNN:
    """One with running statistics."""
    return network(FFL(neurons=8), BatchNorm())


def regression() -> CNN:
    """A network with two numbers as outputs."""
    model = CNN(seed=0)
    model.add(Flatten(input_shape=(6, 6, 1)))
    model.add(FFL(neurons=2))
    model.compile_model(lr=3.0, opt="adam", loss="mse")
    return model


def trained(model: CNN, processes: object = 1, **options: object) -> CNN:
    """Train it for some epochs, with batches that do not come out even."""
    arguments = {"epochs": 3, "batch_size": 16, "verbose": 0, **options}
    x, y = arguments.pop("x", X), arguments.pop("y", Y)
    model.train(x, y, processes=processes, **arguments)
    return model


def difference(a: CNN, b: CNN) -> float:
    """The largest of two models' weights."""
    return max(float(np.abs(v - w).max()) for v, w in zip(a.get_weights(), b.get_weights(), strict=True))


class Faulty(Layer):
    """Does something bad in one process, which a file tells by its number, once a step has been reached."""

    def __init__(self, what: str = "", rank: int = 1, step: int = 2, folder: str = "") -> None:
        self.what, self.rank, self.step, self.folder, self.count = what, rank, step, folder, 0
        self.lead = os.getpid()

    def infer_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def forward(self, x: Tensor, training: bool) -> Tensor:
        import multiprocessing

        rank = 0 if os.getpid() == self.lead else int(multiprocessing.current_process().name.split()[-1])
        self.count += training
        if training and rank == self.rank and self.count == self.step:
            if self.what == "raise":
                raise ArithmeticError("no luck today")
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.what == "hang":
                time.sleep(1000)
            if self.what == "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            if self.what == "nan":
                return x * float("nan")
        return x
