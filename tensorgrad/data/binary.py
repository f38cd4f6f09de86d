"""Data sets in other people's binary files: CIFAR's, and NumPy's ``.npz``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad.data.errors import DataError, check_regular
from tensorgrad.data.mnist import Split, TrainTest

_PIXELS = 3 * 32 * 32
_SETS = {  # by the files that it is known by: those to train on, those to test on, bytes of labels
    "CIFAR-10": ([f"data_batch_{i}.bin" for i in range(1, 6)], ["test_batch.bin"], 1),
    "CIFAR-100": (["train.bin"], ["test.bin"], 2),
}
_INPUTS, _TARGETS = ("x", "images", "data", "features", "inputs"), ("y", "labels", "label", "target", "targets")


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
    """A data set from a ``.npz`` file of NumPy's, by the usual names of such arrays.

    Parameters
    ----------
    path : path
        With ``x_train`` and ``y_train``, and ``x_test`` and ``y_test`` if it has a test part; or with ``x`` and ``y``
        alone. In the place of x may stand ``images``, ``data``, ``features`` or ``inputs``, in the place of y
        ``labels``, ``label``, ``target`` or ``targets``, in that of test ``val`` or ``valid``; ``train_x`` and
        ``X_train`` are right too. Other arrays are left aside.

    Returns
    -------
    TrainTest
        The test part is empty if the file has none.

    Raises
    ------
    DataError
        If it is not a ``.npz`` file, its arrays have other names, or images and labels do not match.
    """
    import zipfile  # here, and not at the top: it takes longer to import than all of this package
    import zlib

    check_regular(path)
    try:
        if not zipfile.is_zipfile(path) and Path(path).exists():
            raise DataError(f"{path}: expected a .npz file, as np.savez writes it, which is a zip; this file is none")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            train = _pair(archive.files, ("train", ""))
            test = _pair(archive.files, ("test", "val", "valid"))
            if train is None:
                raise DataError(
                    f"{path}: expected the arrays x_train and y_train, with or without x_test and y_test, or x and y "
                    f"alone; received {', '.join(archive.files) or 'none'}"
                )
            parts = [_part(path, names, *(archive[name] for name in names)) for names in (train, test) if names]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError | FileNotFoundError):
            raise
        raise DataError(f"{path}: expected a .npz file of arrays without Python objects; {error}") from None
    except MemoryError:
        raise DataError(f"{path}: its header declares more than this machine's memory; fetch the file again") from None
    if test is None:
        parts.append(Split(parts[0].images[:0], parts[0].labels[:0]))
    return TrainTest(*parts)


def _pair(names: list[str], parts: tuple[str, ...]) -> tuple[str, str] | None:
    """The names of inputs and targets of the first of the parts that has one of each, and not several."""
    by_spelling = {name.lower(): name for name in names}
    for part in parts:
        found = [
            [by_spelling[spelled] for word in words for spelled in _spellings(word, part) if spelled in by_spelling]
            for words in (_INPUTS, _TARGETS)
        ]
        if [len(each) for each in found] == [1, 1]:
            return found[0][0], found[1][0]
    return None


def _spellings(word: str, part: str) -> set[str]:
    return {f"{word}_{part}", f"{part}_{word}"} if part else {word}


def _part(path: str | os.PathLike[str], names: tuple[str, str], x: NDArray[Any], y: NDArray[Any]) -> Split:
    """Images and labels that go together, checked."""
    labels = y.reshape(-1)
    if not x.ndim or not len(x) or x.dtype.kind not in "biuf":
        raise DataError(f"{path}: expected numbers for each sample, but {names[0]} is {x.dtype} of shape {x.shape}")
    if len(x) != len(labels) or labels.dtype.kind not in "iu":
        remedy = ""
        if len(y.shape) == 2 and len(x) == len(y) < len(labels):
            remedy = ", such as y.argmax(1)"
        elif len(x) == len(labels):
            remedy = (
                ", such as np.unique(y, return_inverse=True)[1]" if labels.dtype.kind in "US" else ": y.astype(int)"
            )
        raise DataError(
            f"{path}: {names[0]} has {len(x)} samples, {names[1]} is {y.dtype} of shape {y.shape}; "
            f"expected an integer for each{remedy}"
        )
    if labels.min() < 0:
        raise DataError(f"{path}: {names[1]} go down to {labels.min()}; number the classes from 0")
    return Split(x, labels.astype(np.int64))
