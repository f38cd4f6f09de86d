"""What a step allocates, keeps alive, and tells the engine."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tensorgrad import Tensor, tensor
from tensorgrad.optim import OPTIMIZERS, Adam, by_name
from tests.optim.problems import NAMES, give, leaves, run, small, some_gradients


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_dtypes_are_kept(name: str, dtype: str) -> None:
    w = Tensor(np.ones(3, dtype), requires_grad=True)
    optimizer = by_name(name, [w], lr=np.float64(0.1))
    run(optimizer, [[np.ones(3, dtype)]] * 2)
    assert w.dtype == dtype
    assert all(slot.dtype == dtype for slots in optimizer.state_dict()["slots"].values() for slot in slots)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_takes_no_memory(name: str) -> None:
    params = leaves([np.ones((300, 100), "f4"), np.ones(100, "f4")])
    optimizer = OPTIMIZERS[name](params, weight_decay=0.01)
    give(params, some_gradients(params, 1)[0])
    optimizer.step()
    tracemalloc.start()
    optimizer.step()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    for _ in range(50):
        optimizer.step()
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 1_000
    assert peak - before < 20_000  # one array of the weights would take 120,000 bytes


def test_no_reference_cycles() -> None:
    gc.disable()
    try:
        optimizer = Adam(small())
        run(optimizer, some_gradients(optimizer.params, 2))
        dies: list[Callable[[], Any]] = [weakref.ref(optimizer.params[0]), weakref.ref(optimizer)]
        del optimizer
        assert all(ref() is None for ref in dies)
    finally:
        gc.enable()


def test_a_step_between_forward_and_backward_is_found_out() -> None:
    w = tensor([2.0, 3.0], requires_grad=True)
    optimizer = Adam([w])
    (w * w).sum().backward()
    loss = (w * w).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="was written to between the forward and the backward pass"):
        loss.backward()
