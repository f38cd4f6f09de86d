"""MNIST, and any data set in four IDX files with the same names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorgrad.checks import brief
from tensorgrad.data.errors import DataError
from tensorgrad.data.idx import read_idx


class Split(NamedTuple):
    """Images and their labels: ``x, y = split``.

    Attributes
    ----------
    images : ndarray of uint8, shape=(N, H, W) or (N, H, W, C)
        As stored in the file, 0 to 255 for MNIST; :func:`standardize` prepares them for a network.
    labels : ndarray of int64, shape=(N,)
        The class of each image; :func:`one_hot` turns them into rows of probabilities.

    """

    images: NDArray[Any]
    labels: NDArray[np.int64]


class TrainTest(NamedTuple):
    """What to train on and what to test with: ``(x_train, y_train), (x_test, y_test) = dataset``.

    Attributes
    ----------
    train : Split
    test : Split

    """

    train: Split
    test: Split


def mnist(folder: str | os.PathLike[str] | None = None, *, download: bool = False) -> TrainTest:
    """MNIST, handwritten digits: the part that comes with the package, or all of it from a folder or the network.

    The default is the first 10,000 training and the first 1,000 test images, which come with the package. All
    60,000 and 10,000 are read from a `folder` with the four original files, or downloaded once, checked, and cached.

    Parameters
    ----------
    folder : path, optional
        Where the four files are, as :func:`idx_dataset` names them.
    download : bool
        Fetch all of MNIST over https, unless the cache has it already. Each file's SHA-256 is checked every time. The
        cache is the folder in the environment variable TENSORGRAD_CACHE, or else the user's folder for caches.

    Returns
    -------
    TrainTest
        Images of shape (N, 28, 28), uint8; labels 0 to 9.

    Raises
    ------
    FileNotFoundError
        If a file is not in the folder.
    DataError
        If a file is damaged, or images and labels do not match.
    DownloadError
        If no mirror delivers the files. Nothing is left behind.

    Examples
    --------
    >>> from tensorgrad.data import mnist, standardize
    >>> (x_train, y_train), (x_test, y_test) = mnist()
    >>> x_train.shape, y_train[:5].tolist()
    ((10000, 28, 28), [5, 0, 4, 1, 9])
    >>> standardize(x_test).shape
    (1000, 28, 28, 1)

    """
    if folder is None and not download:
        return idx_dataset(Path(__file__).with_name("files"))
    return _from_folder_or_network("mnist", folder, download)


def fashion_mnist(folder: str | os.PathLike[str] | None = None, *, download: bool = False) -> TrainTest:
    """Fashion-MNIST, photographs of clothes in the format of MNIST (Xiao, Rasul and Vollgraf 2017).

    It does not come with the package. Its classes are T-shirt, trousers, pullover, dress, coat, sandal, shirt,
    sneaker, bag and ankle boot, in this order. Parameters, result and errors are those of :func:`mnist`.
    """
    if folder is None and not download:
        raise ValueError(
            "fashion_mnist: does not come with the package; pass the folder of its four files, or download=True"
        )
    return _from_folder_or_network("fashion_mnist", folder, download)


def idx_dataset(folder: str | os.PathLike[str]) -> TrainTest:
    """Any data set in four IDX files with MNIST's names, plain or gzipped, from a folder.

    The names are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
    ``t10k-labels-idx1-ubyte``, each also with a dot before ``idx``, each also with ``.gz`` after it.

    Parameters
    ----------
    folder : path

    Returns
    -------
    TrainTest

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message lists the names that were tried.
    DataError
        If a file is damaged, or images and labels do not match.

    """
    folder = Path(folder)
    dataset = TrainTest(_split(folder, "train"), _split(folder, "t10k"))
    (train, _), (test, _) = dataset
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"{folder}: training images of shape {train.shape[1:]} and test images of shape {test.shape[1:]}; expected "
            f"the same: the files are of different data sets"
        )
    return dataset


def _from_folder_or_network(name: str, folder: str | os.PathLike[str] | None, download: bool) -> TrainTest:
    if folder is None:
        from tensorgrad.data.download import download_dataset

        return idx_dataset(download_dataset(name))
    if download:
        raise ValueError(f"{name}: expected a folder to read from or download=True, received both; leave one out")
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(
            f"{name}: expected the path of a folder, received {brief(folder)}; fewer images are x_train[:1000]"
        )
    return idx_dataset(folder)


def _split(folder: Path, part: str) -> Split:
    image_file = _find(folder, f"{part}-images", "idx3-ubyte")
    label_file = _find(folder, f"{part}-labels", "idx1-ubyte")
    images, labels = read_idx(image_file), read_idx(label_file)
    if images.ndim not in (3, 4):
        raise DataError(f"{image_file}: expected images of shape (N, H, W) or (N, H, W, C), received {images.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(
            f"{label_file}: expected integer labels of shape (N,), received {labels.dtype} of shape {labels.shape}"
        )
    if len(images) != len(labels):
        raise DataError(
            f"{folder}: {len(images)} images in {image_file.name} and {len(labels)} labels in {label_file.name}; "
            f"expected one label for each image: the files are of different data sets"
        )
    return Split(images, labels.astype(np.int64))


def _find(folder: Path, stem: str, kind: str) -> Path:
    names = [f"{stem}{joint}{kind}{suffix}" for suffix in ("", ".gz") for joint in "-."]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{folder}: expected one of {', '.join(names)} in this folder, found none of them")
