"""Dataset: every step by its definition, the same batches ahead or not, and never more in memory than a batch."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data import DataError, Dataset, dataset
from tests.test_rows import Lazy

X, Y = np.arange(20.0).reshape(10, 2), np.arange(10)


def order(data: Dataset) -> list[int]:
    """The labels, in the order of an epoch."""
    return [label for _, y in data for label in y.tolist()]


def test_without_steps_it_is_one_batch_of_all() -> None:
    ((x, y),) = Dataset(X, Y)
    assert (x == X).all()
    assert (y == Y).all()
    ((alone,),) = Dataset(X)
    assert (alone == X).all()


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_batches(drop_last: bool, sizes: list[int]) -> None:
    data = Dataset(X, Y).batch(4, drop_last)
    assert [len(y) for _, y in data] == sizes
    assert (len(data), data.batches, data.batch_size) == (10, len(sizes), 4)
    assert order(data) == list(range(sum(sizes)))


def test_maps_are_applied_in_order_to_each_batch() -> None:
    seen = []

    def double(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(len(x))
        return 2 * x, y

    data = Dataset(X, Y).map(double).batch(4).map(lambda x, y: (x + 1, -y))
    found = list(data)
    assert seen == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), 2 * X + 1)
    np.testing.assert_array_equal(np.concatenate([y for _, y in found]), -Y)
    assert next(iter(Dataset(X).map(lambda x: x[:, 0])))[0].tolist() == X[:, 0].tolist()


@given(count=st.integers(1, 60), buffer=st.integers(1, 70), seed=st.integers(0, 9))
def test_a_buffer_shuffles_what_it_holds(count: int, buffer: int, seed: int) -> None:
    data = Dataset(np.arange(count), np.arange(count), rng=seed).shuffle(buffer)
    found = order(data)
    assert sorted(found) == list(range(count))
    assert all(label < place + buffer for place, label in enumerate(found))  # none comes before it was read
    assert order(Dataset(np.arange(count), np.arange(count), rng=seed).shuffle(buffer)) == found


def test_shuffled_epochs_differ_and_all_orders_are_equally_likely() -> None:
    data = Dataset(X, Y, rng=0).shuffle().batch(3)
    first, second = order(data), order(data)
    assert first != second
    assert sorted(first) == sorted(second) == Y.tolist()
    three = Dataset(np.arange(3), np.arange(3), rng=0).shuffle()
    counts = [tuple(order(three)) for _ in range(600)]
    assert min(counts.count(o) for o in set(counts)) > 60
    assert len(set(counts)) == 6


def test_take_and_split() -> None:
    data = Dataset(X, Y).batch(4)
    assert order(data.take(3)) == [0, 1, 2]
    assert order(data.take(99)) == Y.tolist()
    rest, part = data.split(0.3)
    assert (len(rest), len(part)) == (7, 3)
    assert sorted(order(rest) + order(part)) == Y.tolist()
    assert order(data.split(0.3)[1]) == order(part)
    assert order(data.split(0.3, rng=1)[1]) != order(part)
    assert order(data.take(5).split(0.2)[0].take(2)) in ([0, 1], [0, 2], [1, 2])
    assert order(data) == Y.tolist()  # each step leaves the data set as it was


def noisy(seed: int, ahead: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    noise = np.random.default_rng(1)
    data = Dataset(X, Y, rng=rng).shuffle().batch(3).map(lambda x, y: (x + noise.random(x.shape), y))
    found = []
    for _ in range(2):
        for x, _ in data.prefetch(ahead) if ahead else data:
            rng.random()  # others draw from it meanwhile
            found.append(x)
    return found


@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_batches_read_ahead_are_the_same_to_the_bit(ahead: int) -> None:
    for mine, other in zip(noisy(0, 0), noisy(0, ahead), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_next_batch_is_read_while_one_is_worked_on() -> None:
    read = [threading.Event() for _ in range(20)]

    def noted(x: np.ndarray) -> np.ndarray:
        read[int(x[0])].set()
        return x

    for (x,) in Dataset(np.arange(20)).batch(1).map(noted).prefetch():
        assert all(event.wait(60) for event in read[: int(x[0]) + 2])


def test_a_reader_ends_with_its_epoch_and_tells_its_errors() -> None:
    before = threading.active_count()

    def fails(x: np.ndarray) -> np.ndarray:
        if x[0] == 6:
            raise OSError("the disk is gone")
        return x

    data = Dataset(np.arange(10)).batch(2).map(fails).prefetch(1)
    epoch = iter(data)
    assert [int(next(epoch)[0][0]) for _ in range(3)] == [0, 2, 4]
    with pytest.raises(OSError, match="the disk is gone"):
        next(epoch)
    for (_,) in data:
        break
    assert threading.active_count() == before


def test_a_cache_keeps_what_the_maps_make(tmp_path: Path) -> None:
    calls = []

    def halve(x: np.ndarray, y: np.ndarray) -> Any:
        calls.append(len(x))
        return x.astype(np.float32) / 2, y

    data = Dataset(X, Y).map(halve)
    cached = data.cache(tmp_path / "new" / "cache")
    assert sum(calls) == 10
    for made in (cached, data.cache(tmp_path / "new" / "cache")):  # the second time nothing is computed
        ((x, y),) = made
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, X / 2)
        np.testing.assert_array_equal(y, Y)
    assert sum(calls) == 10
    changed = X.copy()
    changed[-1] += 1
    for other in (data.take(5), Dataset(changed, Y).map(halve), Dataset(X, Y.astype(np.int8)).map(halve)):
        with pytest.raises(DataError, match="it holds what was made of other data than these; remove the folder"):
            other.cache(tmp_path / "new" / "cache")
    assert sum(calls) == 10
    (tmp_path / "new" / "cache" / "1.npy").unlink()
    ((x, y),) = data.cache(tmp_path / "new" / "cache")
    np.testing.assert_array_equal(y, Y)


def test_a_cache_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "BLOCK_BYTES", 100)

    def breaks(x: np.ndarray, y: np.ndarray) -> Any:
        if y[0] > 3:
            raise OSError(28, "No space left on device")
        return x, y

    with pytest.raises(OSError, match="No space left"):
        Dataset(X, Y).map(breaks).cache(tmp_path)
    assert not any(tmp_path.iterdir())


def test_lazy_data_is_read_by_the_batch_and_a_cache_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = Lazy(np.zeros((1000, 100)))
    data = Dataset(lazy, np.arange(1000)).shuffle().batch(10)
    tracemalloc.start()
    try:
        next(iter(data))
        assert (lazy.read, lazy.whole) == (1 + 9, 0) or lazy.read == 10
        for _ in data.prefetch():
            pass
        assert tracemalloc.get_traced_memory()[1] < 200_000  # the whole is 800,000
        monkeypatch.setattr(dataset, "BLOCK_BYTES", 2**14)
        for _ in data.cache(tmp_path):
            pass
        assert tracemalloc.get_traced_memory()[1] < 400_000
    finally:
        tracemalloc.stop()
    assert lazy.whole == 0


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "no arrays": (lambda: Dataset(), ValueError, "Dataset: expected arrays of one length, at least 1, received"),
    "lengths": (lambda: Dataset(X, Y[:3]), ValueError, r"received the shapes \(10, 2\), \(3,\)"),
    "empty": (lambda: Dataset([]), ValueError, r"at least 1, received the shapes \(0,\)"),
    "a number": (lambda: Dataset(3), ValueError, r"received the shapes \(\)"),
    "batch": (lambda: Dataset(X).batch(0), ValueError, "Dataset.batch: size must be an int of at least 1, received 0"),
    "drop": (lambda: Dataset(X).batch(11, drop_last=True), ValueError, "leaves nothing of 10 samples in batches of 11"),
    "map": (lambda: Dataset(X).map(3), TypeError, r"Dataset.map: what it is given must be a function of \(x\)"),
    "map of x alone": (lambda: Dataset(X, Y).map(lambda x: x), TypeError, r"a function of \(x, y\); it takes \(x\)"),
    "none": (lambda: list(Dataset(X).map(lambda x: None)), ValueError, "expected 1 arrays of 10 samples from .*None"),
    "fewer": (lambda: list(Dataset(X, Y).map(lambda x, y: (x[1:], y))), ValueError, r"received \(9, 2\), \(10,\)"),
    "one": (lambda: list(Dataset(X, Y).map(lambda x, y: x)), ValueError, "expected 2 arrays of 10 samples"),
    "share": (lambda: Dataset(X).split(1), ValueError, "Dataset.split: share must lie .*received 1 for"),
    "tiny": (lambda: Dataset(X).split(0.01), ValueError, "leave a sample on both sides; received 0.01"),
    "take": (lambda: Dataset(X).take(0), ValueError, "Dataset.take: count must be an int of at least 1"),
    "ahead": (lambda: Dataset(X).prefetch(0), ValueError, "Dataset.prefetch: ahead must be an int of at least 1"),
    "buffer": (lambda: Dataset(X).shuffle(0), ValueError, "Dataset.shuffle: buffer must be an int of at least 1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense(name: str) -> None:
    call, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        call()
