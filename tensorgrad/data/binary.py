"""Data sets in other people's binary files: CIFAR's, and NumPy's ``.npz``."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorgrad.data.errors import DataError
from tensorgrad.data.mnist import Split, TrainTest

_PIXELS = 3 * 32 * 32
_SETS = {  # by the files that it is known by: those to train on, those to test on, bytes of labels
    "CIFAR-10": ([f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"], 1),
    "CIFAR-100": (["train.bin"], ["test.bin"], 2),
}
_NAMES = (("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels"))


def cifar(folder: str | os.PathLike[str]) -> TrainTest:
    """CIFAR-10 or CIFAR-100 from a folder with the files of its binary version (Krizhevsky 2009).

    Parameters
    ----------
    folder : path
        It has ``data_batch_1.bin`` to ``data_batch_5.bin`` and ``test_batch.bin``; or, for CIFAR-100, ``train.bin`` and
        ``test.bin``, of which the 100 fine labels are taken.

    Returns
    -------
    TrainTest
        Images of shape (N, 32, 32, 3), uint8, as views of the files, which are read on indexing.

    Raises
    ------
    FileNotFoundError
        If the files are not there.
    DataError
        If a file does not consist of whole records, or a label is out of range.
    """
    folder = Path(folder)
    for name, (train, test, labels) in _SETS.items():
        if (folder / test[0]).is_file():
            return TrainTest(_records(folder, train, labels, name), _records(folder, test, labels, name))
    known = " or ".join(test[0] for _, test, _ in _SETS.values())
    raise FileNotFoundError(
        f"{folder}: expected {known} in this folder, found neither; name the binary version's folder"
    )


def _records(folder: Path, names: list[str], labels: int, title: str) -> Split:
    parts = []
    for name in names:
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"{folder}: expected {name} of {title} in this folder, and it is not there")
        size, record = path.stat().st_size, labels + _PIXELS
        if not size or size % record:
            raise DataError(f"{path}: expected whole records of {record} bytes, received {size} bytes; load it again")
        parts.append(np.memmap(path, np.uint8, "r").reshape(-1, record))
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    images = rows[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    classes, most = rows[:, labels - 1].astype(np.int64), 10 if labels == 1 else 100
    if classes.max() >= most:
        raise DataError(f"{folder}: {title} has the classes 0 to {most - 1}, but a label is {classes.max()}")
    return Split(images, classes)


def npz(path: str | os.PathLike[str]) -> TrainTest:
    """A data set from a ``.npz`` file of NumPy's, with the names that Keras gives to such arrays.

    Parameters
    ----------
    path : path
        With ``x_train``, ``y_train``, ``x_test`` and ``y_test``; or ``train_images``, ``train_labels``,
        ``test_images`` and ``test_labels``.

    Raises
    ------
    DataError
        If it is not a ``.npz`` file, its arrays have other names, or images and labels do not match.
    """
    import zipfile  # here, and not at the top: it takes longer to import than all of this package
    import zlib

    try:
        if not zipfile.is_zipfile(path) and Path(path).exists():
            raise DataError(f"{path}: expected a .npz file, as np.savez writes it, which is a zip; this file is none")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            names = next((group for group in _NAMES if set(group) <= set(archive.files)), None)
            if names is None:
                raise DataError(
                    f"{path}: expected the arrays {', '.join(_NAMES[0])}, received {', '.join(archive.files) or 'none'}"
                )
            arrays: list[NDArray[np.generic]] = [archive[name] for name in names]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError | FileNotFoundError):
            raise
        raise DataError(f"{path}: expected a .npz file of arrays without Python objects; {error}") from None
    except MemoryError:
        raise DataError(f"{path}: its header declares more than this machine's memory; fetch the file again") from None
    x_train, y_train, x_test, y_test = arrays
    for x, y, part in ((x_train, y_train, names[0]), (x_test, y_test, names[2])):
        labels = y.reshape(-1)
        if not x.ndim or not len(x) or x.dtype.kind not in "biuf":
            raise DataError(f"{path}: expected numbers for each sample, but {part} is {x.dtype} of shape {x.shape}")
        if len(x) != len(labels) or labels.dtype.kind not in "iu":
            raise DataError(
                f"{path}: {part} has {len(x)} samples, their labels {y.dtype} of shape {y.shape}; "
                "expected an integer for each"
            )
        if labels.min() < 0:
            raise DataError(f"{path}: the labels of {part} go down to {labels.min()}; number the classes from 0")
    return TrainTest(
        Split(x_train, y_train.reshape(-1).astype(np.int64)), Split(x_test, y_test.reshape(-1).astype(np.int64))
    )
