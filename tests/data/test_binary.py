"""CIFAR's binary files, and NumPy's .npz."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.data import DataError, cifar, npz

RNG = np.random.default_rng(0)


def records(count: int, labels: int, classes: int) -> tuple[np.ndarray[Any, Any], bytes]:
    """Images (N, 32, 32, 3) with labels in the last of so many bytes, and the file of them."""
    images = RNG.integers(0, 256, (count, 32, 32, 3), np.uint8)
    numbers = RNG.integers(0, classes, (count, labels), np.uint8)
    rows = np.concatenate([numbers, images.transpose(0, 3, 1, 2).reshape(count, -1)], axis=1)
    return images, rows.tobytes()


def test_cifar_10(tmp_path: Path) -> None:
    wanted = []
    for i in range(1, 6):
        images, data = records(2, 1, 10)
        wanted.append(images)
        (tmp_path / f"data_batch_{i}.bin").write_bytes(data)
    images, data = records(3, 1, 10)
    (tmp_path / "test_batch.bin").write_bytes(data)
    (x, y), (x_test, y_test) = cifar(tmp_path)
    np.testing.assert_array_equal(x, np.concatenate(wanted))
    np.testing.assert_array_equal(x_test, images)
    assert y_test.tolist() == [data[0], data[3073], data[2 * 3073]]
    assert y.dtype == np.int64


def test_cifar_100_has_fine_labels(tmp_path: Path) -> None:
    for name in ("train", "test"):
        images, data = records(2, 2, 100)
        (tmp_path / f"{name}.bin").write_bytes(data)
    _, (x, y) = cifar(tmp_path)
    np.testing.assert_array_equal(x, images)
    assert y.tolist() == [data[1], data[3075]]
    assert isinstance(x.base, np.memmap)  # read when it is indexed


def test_cifar_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected test_batch\.bin or test\.bin in this folder"):
        cifar(tmp_path)
    (tmp_path / "test.bin").write_bytes(records(1, 2, 100)[1])
    with pytest.raises(FileNotFoundError, match=r"expected train\.bin of CIFAR-100"):
        cifar(tmp_path)
    (tmp_path / "train.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="expected whole records of 3074 bytes, received 5 bytes"):
        cifar(tmp_path)
    (tmp_path / "train.bin").write_bytes(bytes([0, 200]) + bytes(3072))
    with pytest.raises(DataError, match="classes 0 to 99, but a label is 200"):
        cifar(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        "x_train y_train x_test y_test", "train_images train_labels test_images test_labels",
        "X_train Y_train X_test Y_test", "train_x train_y val_x val_y",
        "data_train target_train data_valid target_valid",
    ],
)  # fmt: skip
def test_npz(tmp_path: Path, names: str) -> None:
    arrays = [RNG.random((4, 5, 5)), np.array([[0], [1], [2], [0]]), RNG.random((2, 5, 5)), np.array([1, 2])]
    np.savez(tmp_path / "a.npz", **dict(zip(names.split(), arrays, strict=True)), extra=np.zeros(3))
    (x, y), (x_test, y_test) = npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(x, arrays[0])
    np.testing.assert_array_equal(x_test, arrays[2])
    assert (y.tolist(), y_test.tolist()) == ([0, 1, 2, 0], [1, 2])


@pytest.mark.parametrize("names", ["X y", "images labels", "data target", "features label", "x_train y_train"])
def test_npz_without_a_test_part(tmp_path: Path, names: str) -> None:
    x, y = RNG.random((4, 5, 5)), np.array([0, 1, 2, 0])
    np.savez(tmp_path / "a.npz", **dict(zip(names.split(), (x, y), strict=True)))
    train, test = npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(train.images, x)
    np.testing.assert_array_equal(train.labels, y)
    assert (test.images.shape, test.labels.shape) == ((0, 5, 5), (0,))


@pytest.mark.parametrize("names", ["x", "arr_0 arr_1", "x images y", "x_test y_test", "x_train y"])
def test_npz_with_names_that_could_mean_anything(tmp_path: Path, names: str) -> None:
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names.split(), np.zeros(3, int)))
    listed = ", ".join(names.split())
    with pytest.raises(
        DataError, match=f"expected the arrays x_train and y_train, .* or x and y alone; received {listed}"
    ):
        npz(tmp_path / "a.npz")


def test_npz_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    good = {"x_train": np.zeros((2, 3)), "y_train": np.zeros(2, int), "x_test": np.zeros((1, 3))}
    np.savez(path, **good, y_test=np.zeros(2, int))
    with pytest.raises(DataError, match=r"x_test has 1 samples, y_test is int64 of shape \(2,\)"):
        npz(path)
    np.savez(path, **good, y_test=np.array([None]))
    with pytest.raises(DataError, match="without Python objects"):
        npz(path)
    for bad, message in (
        ({"x_train": np.float64(1)}, r"expected numbers for each sample, but x_train is float64 of shape \(\)"),
        ({"x_train": np.array(["a", "b"])}, "expected numbers for each sample, but x_train is <U1"),
        ({"x_train": np.zeros((0, 3))}, r"x_train is float64 of shape \(0, 3\)"),
        (
            {"y_train": np.eye(2)},
            r"y_train is float64 of shape \(2, 2\); expected an integer for each, such as y.argmax",
        ),
        (
            {"y_train": np.array(["a", "b"])},
            r"expected an integer for each, such as np.unique\(y, return_inverse=True\)",
        ),
        ({"y_train": np.zeros(2)}, r"expected an integer for each: y.astype\(int\)"),
        ({"y_train": np.array([0, -1])}, "y_train go down to -1; number the classes from 0"),
    ):
        np.savez(path, **(good | {"y_test": np.zeros(1, int)} | bad))
        with pytest.raises(DataError, match=message):
            npz(path)
    for junk in (b"", b"junk", np.lib.format.magic(1, 0)):
        path.write_bytes(junk)
        with pytest.raises(DataError, match="which is a zip; this file is none"):
            npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            file = io.BytesIO()
            shape = {"descr": "|u1", "fortran_order": False, "shape": (2**60,)}
            np.lib.format.write_array_header_1_0(file, shape)
            archive.writestr(f"{name}.npy", file.getvalue())
    with pytest.raises(DataError, match="declares more than this machine's memory"):
        npz(path)
    path.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(DataError, match=r"expected a \.npz file"):
        npz(path)
    with pytest.raises(FileNotFoundError):
        npz(tmp_path / "missing.npz")
