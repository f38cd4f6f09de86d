"""Threads over slices of a batch, and BLAS held at one meanwhile."""

import os
import subprocess
import sys
import threading
import weakref
from queue import SimpleQueue
from typing import Any

import numpy as np
import pytest

from tensorgrad.kernels import blas, channels, convolution, matrix, threads
from tests.kernels.test_convolution import BOTH, ONE, normal


@pytest.mark.usefixtures("any_threads")
def test_slices_cover_the_batch_in_order() -> None:
    for count in (0, 1, 2, 7, 64):
        for tile in (0, 1, 3, 100):
            slices = threads.over_batch(lambda images: images, count, tile, 1e9)
            assert [i for s in slices for i in range(s.start, s.stop)] == list(range(count))


@pytest.mark.usefixtures("any_threads")
def test_an_error_in_a_thread_is_the_callers() -> None:
    def fail(images: slice) -> None:
        if images.stop == 8:
            raise KeyError("the last slice")

    with pytest.raises(KeyError, match="the last slice"):
        threads.over_batch(fail, 8, 1, 1e9)
    assert len(threads.over_batch(lambda images: images, 8, 8, 1e9)) <= 8  # and the threads work on


@pytest.mark.usefixtures("any_threads")
def test_pieces_do_not_depend_on_which_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = [(s.start, s.stop) for s in threads.over_batch(lambda images: images, 29, 100, 1e9)]
    monkeypatch.setattr(threads._pool, "tasks", SimpleQueue())  # nobody ever comes to help
    assert [(s.start, s.stop) for s in threads.over_batch(lambda images: images, 29, 100, 1e9)] == usual


def test_a_thread_that_comes_too_late_holds_nothing_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    threads.set_num_threads(2)
    late: SimpleQueue[Any] = SimpleQueue()
    monkeypatch.setattr(threads._pool, "tasks", late)
    image = np.ones(8)
    alive = weakref.ref(image)
    calls: list[slice] = []
    threads.over_batch(lambda images, image=image: calls.append(images), 8, 1, 1e9)  # type: ignore[misc]
    done = len(calls)
    del image
    assert alive() is None
    late.get()()
    assert len(calls) == done


@pytest.mark.usefixtures("any_threads")
def test_error_state_and_nested_calls_hold_in_threads() -> None:
    def tile(_: slice) -> bool:
        inner = threads.over_batch(lambda images: images, 4, 1, 1e9)
        np.float32(1e30) * np.float32(1e30)
        return len(inner) == 4

    with np.errstate(over="ignore"):
        assert all(threads.over_batch(tile, 4, 1, 1e9))


@pytest.fixture
def library() -> blas.Library:
    """OpenBLAS; tests of its threads are skipped with another BLAS, which keeps its own."""
    found = blas.library()
    if found is None:
        pytest.skip("this NumPy has another BLAS than OpenBLAS")
    return found


@pytest.mark.usefixtures("any_threads")
def test_blas_threads_are_restored(library: blas.Library) -> None:
    before = library.threads()
    inside = threads.over_batch(lambda _: library.threads(), 4, 1, 1e9)
    assert library.threads() == before
    assert set(inside) == {1}


@pytest.mark.usefixtures("any_threads")
@pytest.mark.parametrize("wanted", [1, 2])
def test_threads_that_are_set_while_blas_is_held_come_afterwards(library: blas.Library, wanted: int) -> None:
    with blas.one_thread:
        threads.set_num_threads(wanted)
        assert library.threads() == 1
    assert library.threads() == wanted == threads.get_num_threads()


@pytest.mark.usefixtures("any_threads")
def test_no_kernel_wakes_the_threads_of_blas(monkeypatch: pytest.MonkeyPatch, library: blas.Library) -> None:
    """They would go on spinning on the cores that ours need."""
    seen: list[int] = []
    library.set_threads(2)
    x, w = normal(0, (4, 40, 40, 8)), normal(1, (3, 3, 8, 16))

    def seeing(multiply: Any) -> Any:
        def watched(*args: Any, **kwargs: Any) -> Any:
            seen.append(library.threads())
            return multiply(*args, **kwargs)

        return watched

    monkeypatch.setattr(np, "matmul", seeing(np.matmul))
    monkeypatch.setattr(channels, "_column_sums", seeing(channels._column_sums))
    channels.channel_sums(x)
    assert len(seen) >= 2  # the sums of a tile's rows, and of the pixels of a row
    y = convolution.conv2d(x, w, ONE, BOTH, ONE, 1, normal(2, (16,)))
    convolution.conv2d_input(y, w, x.shape, ONE, BOTH, ONE, 1)
    convolution.conv2d_weight(x, y, (3, 3), ONE, BOTH, ONE, 1)
    matrix.matmul(y.reshape(160, -1), y.reshape(160, -1).T)
    assert len(seen) >= 4
    assert set(seen) == {1}
    assert library.threads() == 2


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", True, None])
def test_a_wrong_number_of_threads(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"set_num_threads: expected a whole number of threads from 1"):
        threads.set_num_threads(bad)


def test_the_environment_says_how_many_threads() -> None:
    program = "from tensorgrad.kernels.threads import get_num_threads; print(get_num_threads())"

    def run(value: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TENSORGRAD_NUM_THREADS": value}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )

    assert run("3").stdout.strip() == "3"
    assert int(run("").stdout) >= 1
    assert "TENSORGRAD_NUM_THREADS: expected a whole number of threads from 1, received 'many'" in run("many").stderr


def test_where_no_thread_can_be_started_the_caller_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_pool", threads._Pool())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    here = threading.get_ident()
    assert set(threads.over_batch(lambda _: threading.get_ident(), 8, 1, 1e9)) == {here}
