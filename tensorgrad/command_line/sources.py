"""From a path on the command line to samples: pictures in folders, tables, IDX, CIFAR's and NumPy's files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.data import DataError, TrainTest, cifar, idx_dataset, image_folder, image_table, npz
from tensorgrad.data.reader import Reader

_TRAIN, _TEST = ("train", "training"), ("test", "val", "valid", "validation")


@dataclass(frozen=True)
class Samples:
    """Pictures with their labels.

    Attributes
    ----------
    x : array-like of uint8, shape=(N, height, width, channels)
        Pixels as they are in the files; it is indexed, and not read whole.
    y : ndarray of int64, shape=(N,)
        Indices into the names of the classes.
    """

    x: Any
    y: Any


@dataclass(frozen=True)
class Source:
    """What a path holds.

    Attributes
    ----------
    train : Samples
    test : Samples or None
        What is set aside for tests, where the path says so.
    classes : tuple of str
    reader : Reader or None
        How pictures were read; None for data that come as arrays.
    """

    train: Samples
    test: Samples | None
    classes: tuple[str, ...]
    reader: Reader | None


def load(
    path: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    fit: str = "stretch",
    classes: Sequence[str] | None = None,
    cache: str | None = None,
) -> Source:
    """Read what a path holds.

    Parameters
    ----------
    path : path
        A folder with a subfolder of pictures for each class; a folder with two such folders, ``train`` and ``test``
        (or ``val``); a ``.csv`` file with the columns path and label; a folder with four IDX files, as MNIST's, or with
        the files of CIFAR-10 or CIFAR-100; a ``.npz`` file, whose arrays' names :func:`tensorgrad.data.npz` tells.
    size : (height, width), optional
        Of pictures; by default 32 x 32.
    channels : 1 or 3, optional
        Of pictures; by default 3.
    fit : str
        See :func:`tensorgrad.data.image_folder`.
    classes : sequence of str, optional
        The classes of a model that the data are for.
    cache : path, optional
        See :func:`tensorgrad.data.image_folder`.

    Raises
    ------
    FileNotFoundError, DataError
        If there is nothing there that is understood.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {str(path)!r}")
    if path.is_dir():
        names = {child.name for child in path.iterdir()}
        if any(name.startswith("train-images") for name in names):
            return _of_arrays(idx_dataset(path), classes)
        if names & {"data_batch_1.bin", "test_batch.bin", "test.bin"}:
            return _of_arrays(cifar(path), classes)
    elif path.suffix.lower() == ".npz":
        return _of_arrays(npz(path), classes)
    elif path.suffix.lower() != ".csv":
        raise DataError(f"{path}: expected a folder of pictures, or a .csv or .npz file")
    reader = Reader(size or (32, 32), channels or 3, fit)
    settings: Any = {"size": reader.size, "channels": reader.channels, "fit": fit, "cache": cache}
    if not path.is_dir():
        found = image_table(path, **settings, classes=classes)
        return Source(Samples(*found), None, found.classes, reader)
    train, test = (next((path / name for name in some if name in names), None) for some in (_TRAIN, _TEST))
    if train is None or test is None or not (train.is_dir() and test.is_dir()):
        found = image_folder(path, **settings, classes=classes)
        return Source(Samples(*found), None, found.classes, reader)
    found = image_folder(train, **settings, classes=classes)
    held_out = image_folder(test, **settings, classes=found.classes)
    return Source(Samples(*found), Samples(*held_out), found.classes, reader)


def _of_arrays(found: TrainTest, classes: Sequence[str] | None) -> Source:
    """A data set that comes as arrays; its classes are called by their numbers, unless a model has names for them."""
    labels = np.concatenate([part.labels for part in found])
    count, samples = int(labels.max()) + 1, len(labels)
    if count > max(samples, 1000):
        raise DataError(f"a label of the data is {count - 1}, with {samples} samples; number the classes from 0")
    names = tuple(classes) if classes is not None else tuple(map(str, range(count)))
    if len(names) < 2:
        raise DataError("expected at least two classes, but the labels of the data are all 0")
    if len(names) < count:
        raise DataError(f"expected the {len(names)} classes {', '.join(names)}; the data have {count}")
    train, test = (Samples(_with_channels(part.images), part.labels) for part in found)
    return Source(train, test if len(test.y) else None, names, None)


def _with_channels(images: Any) -> Any:
    """Images with an axis of channels, which comes last."""
    shape = images.shape[1:]
    if len(shape) not in (2, 3):
        raise DataError(
            f"expected images of shape (height, width) or (height, width, channels), received {shape}: save "
            "x.reshape(len(x), height, width)"
        )
    if len(shape) == 3 and shape[0] in (1, 3) and shape[0] < shape[1] == shape[2]:
        raise DataError(
            f"the images have the shape {shape}, with the channels first; here they come last: save "
            "x.transpose(0, 2, 3, 1)"
        )
    return images[..., np.newaxis] if images.ndim == 3 else images
