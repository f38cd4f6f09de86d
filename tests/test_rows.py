"""Rows: any data by indices, only what is asked for, and at the cost of that."""

from __future__ import annotations

import array
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.rows import Rows, is_indexed, numeric_rows


class Lazy:
    """Data as HDF5 gives it: increasing indices only, and a count of what was read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.read, self.whole = values, 0, 0
        self.shape, self.dtype = values.shape, values.dtype

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        assert isinstance(index, np.ndarray)
        assert (np.diff(index) > 0).all()
        self.read += len(index)
        return self.values[index]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        self.whole += 1
        return self.values.copy()


class Bare:
    """A user's class with the two methods alone."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: np.ndarray) -> Any:
        return self.values[index].tolist()


VALUES = np.random.default_rng(0).standard_normal((50, 3, 4))


def fortran() -> np.ndarray:
    return np.asfortranarray(VALUES)


def field() -> np.ndarray:
    records = np.zeros(50, [("label", "u1"), ("image", "f8", (3, 4))])
    records["image"] = VALUES
    found: np.ndarray = records["image"]
    return found


SOURCES: dict[str, Any] = {
    "array": lambda: VALUES,
    "list": VALUES.tolist,
    "fortran": fortran,
    "a view": lambda: np.ascontiguousarray(VALUES.transpose(0, 2, 1)).transpose(0, 2, 1),
    "a field of records": field,
    "lazy": lambda: Lazy(VALUES),
    "bare": lambda: Bare(VALUES),
    "rows": lambda: Rows(Lazy(VALUES)),
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("index", [slice(3, 9), slice(40, 90), slice(None), np.array([4, 2, 49, 2]), np.array([0])])
def test_indexing_is_that_of_an_array(name: str, index: Any) -> None:
    rows = Rows.of(SOURCES[name]())
    assert rows.shape == VALUES.shape
    assert (rows.ndim, rows.size, len(rows), str(rows.dtype)) == (3, 600, 50, "float64")
    found = rows[index]
    assert type(found) is np.ndarray
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, VALUES[index])
    places = np.array([7, 3, 3, 49, 0])
    np.testing.assert_array_equal(rows.at(places)[slice(1, 4)], VALUES[places][1:4])
    np.testing.assert_array_equal(rows.at(places).at(np.array([4, 0]))[np.array([1, 1])], VALUES[[7, 7]])


def test_only_what_is_asked_for_is_read() -> None:
    lazy = Lazy(VALUES)
    rows = Rows(lazy).at(np.arange(0, 50, 2))
    assert lazy.read == 0
    rows[slice(0, 4)], rows[np.array([24, 3])]
    assert (lazy.read, lazy.whole) == (6, 0)


@pytest.mark.parametrize("layout", ["fortran", "view", "records"])
def test_a_batch_costs_a_batch(layout: str, tmp_path: Path) -> None:
    count, shape = 4000, (16, 16, 3)
    if layout == "records":
        file = tmp_path / "records.bin"
        file.write_bytes(bytes(count * (1 + 768)))
        source: Any = np.memmap(file, dtype=[("label", "u1"), ("image", "u1", shape)], mode="r")["image"]
    elif layout == "fortran":
        source = np.zeros((count, *shape), np.uint8, order="F")
    else:
        source = np.zeros((count, 3, 16, 16), np.uint8).transpose(0, 2, 3, 1)
    rows = Rows(source)
    order = np.random.default_rng(0).permutation(count)
    tracemalloc.start()
    try:
        for start in range(0, 320, 32):
            rows[order[start : start + 32]]
        assert tracemalloc.get_traced_memory()[1] < 4 * 32 * 768  # the whole is 3 MB
    finally:
        tracemalloc.stop()


def test_what_is_no_indexed_data() -> None:
    import pandas
    import scipy.sparse

    from tensorgrad import Tensor

    frame = pandas.DataFrame(np.ones((3, 2)))
    sequences = [[1, 2], (1, 2), "ab", b"ab", range(3), memoryview(b"ab"), array.array("d", [1.0])]
    tables = [VALUES, frame, frame[0], Tensor([1.0]), scipy.sparse.eye_array(3)]
    assert not any(map(is_indexed, [*sequences, *tables, {1: 2}, {1, 2}, 3, None, np.float32(1)]))
    assert all(map(is_indexed, [Lazy(VALUES), Bare(VALUES), Rows(VALUES)]))


class Wrong(Bare):
    """Gives one row too few."""

    def __getitem__(self, index: np.ndarray) -> Any:
        return self.values[index[:-1]]


class ByName(Bare):
    """Takes no arrays of indices."""

    def __getitem__(self, index: Any) -> Any:
        return {"a": 1}[index]


def test_what_cannot_be_read() -> None:
    with pytest.raises(ValueError, match=r"Wrong: asked for 1 samples .* received shape \(0, 3, 4\); its __getitem__"):
        Rows(Wrong(VALUES))
    with pytest.raises(TypeError, match="ByName: its samples are read by an array of indices, which its __getitem__"):
        Rows(ByName(VALUES))
    with pytest.raises(TypeError, match="train: X must be numbers, received dtype <U1"):
        numeric_rows(Lazy(np.array(["a", "b"])), "train", "X")
    changing = Lazy(VALUES)
    rows = Rows(changing)
    changing.values = VALUES[:, :2]
    with pytest.raises(ValueError, match=r"Lazy: asked for 2 samples of shape \(3, 4\) .* received shape \(2, 2, 4\)"):
        rows[slice(0, 2)]
