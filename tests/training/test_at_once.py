"""Two models that two threads of a program train at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorgrad import CNN, Tensor, no_grad, override_rule
from tensorgrad.kernels import memory, threads
from tensorgrad.layers import FFL, BatchNorm, Conv2d, Dropout, Flatten, Pool2d
from tensorgrad.ops import relu
from tensorgrad.writes import tick

X = np.random.default_rng(0).random((40, 20, 20, 3), dtype=np.float32)
Y = np.random.default_rng(1).integers(0, 4, 40)


def network(seed: int, filters: int) -> CNN:
    """One of each kind of layer that has kernels, buffers or random numbers of its own."""
    model = CNN(seed=seed)
    model.add(Conv2d(input_shape=X.shape[1:], filters=filters, kernel_size=3, activation="relu"))
    model.add(BatchNorm())
    model.add(Conv2d(filters=filters, kernel_size=3, activation="relu"))
    for layer in (Pool2d(), Dropout(0.2), Flatten(), FFL(neurons=4, activation="softmax")):
        model.add(layer)
    model.compile_model(lr=0.01, opt="adam", loss="cse")
    return model


def trained(seed: int, filters: int) -> list[Any]:
    """The weights, figures and outputs of one."""
    model = network(seed, filters)
    model.train(X, Y, epochs=3, batch_size=20, verbose=0)
    return [*model.get_weights(), *model.history["loss"], model.predict(X), model.predictor(8)(X[:8])]


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """What functions return that run in threads at the same time."""
    found: list[Any] = [None] * len(functions)
    ready = threading.Barrier(len(functions))

    def run(place: int) -> None:
        ready.wait()
        found[place] = functions[place]()

    workers = [threading.Thread(target=run, args=(place,)) for place in range(len(functions))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


@pytest.mark.parametrize("cores", [1, 2])
def test_each_gives_what_it_gives_alone(cores: int) -> None:
    """To the bit, whatever the other one does with memory, threads and random numbers meanwhile."""
    before = threads.get_num_threads()
    threads.set_num_threads(cores)
    try:
        alone = [trained(0, 8), trained(1, 12)]
        both = at_once(lambda: trained(0, 8), lambda: trained(1, 12), memory.release_memory)
    finally:
        threads.set_num_threads(before)
    for expected, found in zip(alone, both[:2], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


def test_the_clock_of_writes_never_goes_back() -> None:
    """Neither for one thread nor between two; otherwise writes would be missed, or seen where there are none."""
    ticks = at_once(*[lambda: [tick() for _ in range(20_000)]] * 4)
    assert all(list(each) == sorted(each) for each in ticks)
    assert len(set().union(*ticks)) == 80_000


def test_what_one_switches_does_not_hold_for_the_other() -> None:
    """Recording, overridden rules, and how many threads its kernels may use."""
    inside, done = threading.Event(), threading.Event()

    def switch() -> int:
        with no_grad(), override_rule(relu, 0, lambda g, y, _x: 7 * g), threads.limited(1), np.errstate(all="ignore"):
            inside.set()
            done.wait(10)
            return threads.get_num_threads()

    def watch() -> tuple[int, float]:
        inside.wait(10)
        x = Tensor(np.ones(3), requires_grad=True)
        relu(x).sum().backward()
        done.set()
        assert x.grad is not None
        return threads.get_num_threads(), float(x.grad.array.sum())

    before = threads.get_num_threads()
    threads.set_num_threads(3)
    try:
        assert at_once(switch, watch) == [1, (3, 3.0)]
    finally:
        threads.set_num_threads(before)
