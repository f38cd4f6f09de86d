"""Data sets, their preparation, and batches of them.

>>> from tensorgrad.data import mnist, one_hot, standardize
>>> (x_train, y_train), (x_test, y_test) = mnist()
>>> x, y = standardize(x_train), one_hot(y_train, 10)
>>> x.shape, y.shape
((10000, 28, 28, 1), (10000, 10))
"""

from tensorgrad.data.augment import Augment
from tensorgrad.data.batches import batches
from tensorgrad.data.binary import cifar, npz
from tensorgrad.data.dataset import Dataset
from tensorgrad.data.errors import DataError, DownloadError
from tensorgrad.data.idx import read_idx, write_idx
from tensorgrad.data.images import ImageFiles, LabelledImages, image_folder, image_table
from tensorgrad.data.mnist import Split, TrainTest, fashion_mnist, idx_dataset, mnist
from tensorgrad.data.preparation import standardize
from tensorgrad.losses import one_hot

__all__ = [
    "Augment", "DataError", "Dataset", "DownloadError", "ImageFiles", "LabelledImages", "Split", "TrainTest", "batches",
    "cifar", "fashion_mnist", "idx_dataset", "image_folder", "image_table", "mnist", "npz", "one_hot", "read_idx",
    "standardize", "write_idx",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)
