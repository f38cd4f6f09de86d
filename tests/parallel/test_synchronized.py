"""Batch normalization over the batches of all ranks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.callbacks import LambdaCallback
from tensorgrad.layers import FFL, BatchNorm
from tensorgrad.parallel import RankError, processes
from tensorgrad.recording import set_summing
from tensorgrad.training.loop import NonFiniteLossError
from tests.parallel.networks import (
    Faulty,
    Spoiled,
    X,
    Y,
    assert_alike,
    difference,
    network,
    synchronized,
    trained,
)
from tests.parallel.test_processes import together


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cuts", [(5,), (1, 2), (1, 11, 12)])
def test_parts_give_what_the_whole_batch_gives(dtype: str, cuts: tuple[int, ...]) -> None:
    """Outputs, all gradients and the running statistics, for a batch far from 0 that is cut into uneven parts."""
    drawn = np.random.default_rng(0)
    x = drawn.normal(50, 2, (13, 3, 2, 4)).astype(dtype)
    g = drawn.normal(size=x.shape).astype(dtype)
    w, b = (drawn.normal(size=4).astype(dtype) for _ in range(2))

    def normalized(x: Any, g: Any, **options: Any) -> list[Any]:
        running = [np.zeros(4), np.ones(4)]
        inputs = [tg.tensor(a, requires_grad=True) for a in (x, w, b)]
        y = tg.batch_norm(*inputs, running_mean=running[0], running_var=running[1], **options)
        y.backward(g)
        return [y.numpy(), *(t.grad.numpy() for t in inputs if t.grad is not None), *running]

    def part(rank: Any) -> list[Any]:
        with set_summing(rank):
            return normalized(np.split(x, cuts)[rank.rank], np.split(g, cuts)[rank.rank], synchronized=True)

    whole = normalized(x, g)
    parts = together(len(cuts) + 1, 1, part)
    tolerance: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-9}
    for place in range(4):
        found = [each[place] for each in parts]
        joined = np.concatenate(found) if place < 2 else sum(found)
        np.testing.assert_allclose(joined, whole[place], **tolerance)
    for found in parts:
        assert np.array_equal(found[4:], parts[0][4:])
        np.testing.assert_allclose(found[4:], whole[4:], **tolerance)


def test_alone_it_is_ordinary_batch_normalization() -> None:
    """Also between the steps of several processes, as for a callback that calls the layer."""
    assert difference(trained(network(BatchNorm())), trained(network(BatchNorm(synchronized=True)))) == 0
    outputs: list[Any] = []
    call = LambdaCallback(
        on_train_batch_end=lambda batch, logs: outputs.append(call.model.layers[3](np.ones((2, 36)), training=True))
    )
    two = trained(network(BatchNorm(synchronized=True), opt="sgd"), 2, callbacks=[call])
    assert len(outputs) == 9
    assert len(two.history) == 3


def test_a_part_may_be_one_sample() -> None:
    """Of which batch normalization by parts would know no variance."""
    options: dict[str, Any] = {"batch_size": 4, "x": X[:20], "y": Y[:20], "val_split": 0, "epochs": 1}
    with pytest.raises(ValueError, match="1 in each of 4 parts"):
        trained(network(BatchNorm()), 4, **options)
    one, four = (trained(network(BatchNorm(synchronized=True), opt="sgd"), n, **options) for n in (1, 4))
    assert_alike(four, one)
    with pytest.raises(ValueError, match=r"the last of 20 samples in batches of 19 has 1; give drop_last"):
        trained(network(BatchNorm(synchronized=True)), 2, **{**options, "batch_size": 19})


def test_one_value_per_channel_among_all_ranks_is_refused_by_all() -> None:
    """In a batch of an iterable, whose length nobody knows before."""
    batches = [(X[:20], Y[:20]), (X[:1], Y[:1])]
    with pytest.raises(ValueError, match="batch_norm: training needs at least two values per channel"):
        trained(network(BatchNorm(synchronized=True)), 2, x=batches, y=None)


def test_it_may_be_frozen_or_stop_in_the_midst_of_an_epoch() -> None:
    def stop(batch: int, logs: Any) -> None:
        callback.model.stop_training = batch == 1 and len(callback.model.history) == 1

    for frozen in (False, True):
        models = []
        for ranks in (1, 3):
            model = synchronized()
            if frozen:
                model.layers[4].trainable = False
                model.compile_model(lr=0.02, opt="sgd", loss="cse")
            callback = LambdaCallback(on_train_batch_end=stop)
            models.append(trained(model, ranks, callbacks=[callback]))
        assert_alike(*reversed(models))
        assert models[0].optimizer.steps == 5


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("raise", "rank 2 of 3 failed: ArithmeticError: no luck today"),
        ("kill", "rank 2 of 3 was ended by the signal SIGKILL"),
        ("stop", "rank 2 of 3 hangs: it has not finished its part of a step"),
    ],
)
def test_a_process_that_fails_between_two_exchanges_is_named(
    what: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 0.5)
    since = time.monotonic()
    with pytest.raises(RankError, match=f"^train: {text}"):
        trained(synchronized(Faulty(what, rank=2)), 3)
    assert time.monotonic() - since < 10


def test_a_loss_that_is_not_finite_ends_all_alike() -> None:
    model = network(FFL(neurons=4), BatchNorm(synchronized=True))
    model.set_weights([10 * w for w in model.get_weights()])
    with pytest.raises(NonFiniteLossError, match=r"^train: the loss became .* in epoch 0, batch 3"):
        trained(model, 2, x=Spoiled(), shuffle=False, val_split=0)


def test_a_layer_costs_one_exchange_forward_and_one_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one for all of them, in which the ranks agree on whether there is a step."""
    count = 0
    add = processes.SharedMemory.sum

    def counted(self: processes.SharedMemory, *arrays: Any) -> None:
        nonlocal count
        count += self.rank == 0
        add(self, *arrays)

    monkeypatch.setattr(processes.SharedMemory, "sum", counted)
    found = {}
    for make in (lambda: network(BatchNorm(), BatchNorm(), opt="sgd"), synchronized):  # with three layers
        for batch_size in (53, 27):  # one step and two
            count = 0
            trained(make(), 2, epochs=1, batch_size=batch_size, val_split=0)
            found[make, batch_size] = count
    ordinary, three = (found[make, 27] - found[make, 53] for make in dict.fromkeys(make for make, _ in found))
    assert (ordinary, three) == (1, 1 + 1 + 2 * 3)


def test_second_derivatives_are_refused_while_it_is_synchronized() -> None:
    x = tg.tensor(np.random.default_rng(0).normal(size=(6, 2)), requires_grad=True)

    class Two:
        def sum(self, *arrays: Any) -> None:
            for array in arrays:
                array *= 2

    w = tg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    for inputs in ((x, 2.0), (x.detach(), w)):
        for ranks in (None, Two()):
            with set_summing(ranks):
                y = (tg.batch_norm(*inputs, synchronized=True) ** 3).sum()
                wanted = [t for t in inputs if isinstance(t, tg.Tensor) and t.requires_grad]
                (g,) = tg.grad(y, wanted, create_graph=True)
            if ranks is None:
                tg.grad((g**2).sum(), wanted)
                continue
            with pytest.raises(NotImplementedError, match="no second derivatives while it is synchronized"):
                tg.grad((g**2).sum(), wanted)
