"""Pooled memory: never given out twice, used again, given back."""

import os
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad
from tensorgrad.kernels import memory

Array = np.ndarray[Any, Any]


@given(st.lists(st.tuples(st.sampled_from(["take", "drop", "view", "release"]), st.integers(0, 99)), max_size=40))
def test_no_two_live_arrays_share_memory(actions: list[tuple[str, int]]) -> None:
    live: list[Array] = []
    for number, (action, index) in enumerate(actions):
        if action == "take":
            array = memory.empty((memory.SMALL // 8 + index % 5, 3), np.float64)
            array[...] = number
            live.append(array)
        elif action == "release":
            memory.release_memory()
        elif live:
            array = live.pop(index % len(live))
            if action == "view":  # the array dies, and a view of it lives on
                live.append(array[-2:].T[:2])
            del array
    for i, a in enumerate(live):
        assert (a == a.flat[0]).all()  # nobody wrote into it
        assert not any(np.may_share_memory(a, b) for b in live[:i])


def test_memory_is_used_again_and_given_back() -> None:
    memory.release_memory()
    first = memory.empty((1 << 16,), np.float32)
    address = first.ctypes.data
    view = first[5:]
    del first
    assert memory.empty((1 << 16,), np.float32).ctypes.data != address  # the view still holds it
    del view
    memory.release_memory()
    second = memory.empty((1 << 16,), np.float32)
    address = second.ctypes.data
    del second
    third = memory.empty((1 << 14,), np.complex128) if memory._POOLING else None
    assert third is None or third.nbytes != 1 << 18 or third.ctypes.data == address


def test_memory_is_pooled_wherever_ci_runs() -> None:
    """So that the tests below are skipped nowhere that counts."""
    assert memory._POOLING or os.environ.get("HYPOTHESIS_PROFILE") != "ci"


needs_the_pool = pytest.mark.skipif(not memory._POOLING, reason="memory is not pooled here")


@needs_the_pool
def test_an_array_is_told_from_a_view_by_its_base() -> None:
    array = memory.empty((1 << 16,), np.float32)
    assert type(array) is np.ndarray
    assert type(array.base) is memory.Buffer
    assert array[1:].base is array
    assert array.reshape(2, -1).T[0].base is array


@needs_the_pool
def test_idle_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.release_memory()
    in_use = memory._current.pool.bytes()
    monkeypatch.setattr(memory, "LIMIT", in_use + (1 << 20))
    for size in range(1 << 17, 1 << 20, 1 << 16):
        memory.empty((size,), np.uint8)
    assert memory._current.pool.bytes() <= in_use + (1 << 20)
    monkeypatch.setattr(memory, "SWEEP", 5)
    for _ in range(12):
        memory.empty((1 << 18,), np.uint8)
    assert memory._current.pool.bytes() <= in_use + (1 << 18)


@needs_the_pool
def test_idle_memory_is_given_back_when_there_is_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.release_memory()
    in_use, room = memory._current.pool.bytes(), 1 << 20
    memory.empty((1 << 17,), np.uint8)  # idle from now on, and too small
    left, buffer = in_use + room, memory.Buffer

    def scarce(size: int, dtype: Any) -> Any:
        if memory._current.pool.bytes() + size > left:
            raise MemoryError
        return buffer(size, dtype)

    monkeypatch.setattr(memory, "Buffer", scarce)
    assert memory.empty((room,), np.uint8).nbytes == room
    assert memory._current.pool.bytes() == left
    with pytest.raises(MemoryError):
        memory.empty((2 * room,), np.uint8)
    assert memory._current.pool.bytes() == in_use  # the attempt is not counted, and what was idle is gone


@needs_the_pool
def test_an_idle_buffer_up_to_four_times_as_large_is_used_before_a_new_one_is_made() -> None:
    memory.release_memory()
    large = memory.empty((1 << 19,), np.uint8)
    pooled = memory._current.pool.bytes()
    del large
    small = memory.empty((1 << 17,), np.uint8)
    assert memory._current.pool.bytes() == pooled
    large = memory.empty((1 << 19,), np.uint8)
    assert not np.may_share_memory(small, large)
    assert memory._current.pool.bytes() == pooled + (1 << 19)
    del large
    memory.empty((1 << 16,), np.uint8)  # would leave seven eighths of it unused
    assert memory._current.pool.bytes() == pooled + (1 << 19) + (1 << 16)


def test_threads_never_get_the_same_memory() -> None:
    wrong: list[int] = []

    def work(mark: int) -> None:
        kept: list[Array] = []
        for i in range(400):
            array = memory.empty((memory.SMALL // 4 + i % 3,), np.float32)
            array[...] = mark
            kept.append(array[i % 7 :])
            if len(kept) > 3:
                kept.pop(i % 3)
            wrong.extend(mark for a in kept if a[0] != mark or a[-1] != mark)

    workers = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@needs_the_pool
def test_memory_of_a_finished_training_goes_back_to_the_system() -> None:
    tensorgrad.release_memory()
    tracemalloc.start()
    try:
        kept = tensorgrad.tensor(np.ones((4, 40, 40, 64), np.float32), requires_grad=True)
        before, _ = tracemalloc.get_traced_memory()
        y = tensorgrad.relu(kept)
        y.sum().backward()
        del y
        idle, _ = tracemalloc.get_traced_memory()
        tensorgrad.release_memory()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    one = kept.array.nbytes
    assert idle - before > 1.9 * one  # the gradient, in use, and the result, which is idle
    assert after - before < 1.4 * one + memory.STEP / 4  # the gradient alone, in a buffer of a rounded size
    np.testing.assert_array_equal(kept.grad.numpy(), 1)
