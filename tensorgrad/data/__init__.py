"""Data sets, their preparation, and batches of them.

>>> from tensorgrad.data import mnist, one_hot, standardize
>>> (x_train, y_train), (x_test, y_test) = mnist()
>>> x, y = standardize(x_train), one_hot(y_train, 10)
>>> x.shape, y.shape
((10000, 28, 28, 1), (10000, 10))
"""

from tensorgrad.data.augment import Augment as Augment
from tensorgrad.data.batches import batches as batches
from tensorgrad.data.binary import cifar as cifar
from tensorgrad.data.binary import npz as npz
from tensorgrad.data.dataset import Dataset as Dataset
from tensorgrad.data.errors import DataError as DataError
from tensorgrad.data.errors import DownloadError as DownloadError
from tensorgrad.data.idx import read_idx as read_idx
from tensorgrad.data.idx import write_idx as write_idx
from tensorgrad.data.images import ImageFiles as ImageFiles
from tensorgrad.data.images import LabelledImages as LabelledImages
from tensorgrad.data.images import image_folder as image_folder
from tensorgrad.data.images import image_table as image_table
from tensorgrad.data.mnist import Split as Split
from tensorgrad.data.mnist import TrainTest as TrainTest
from tensorgrad.data.mnist import fashion_mnist as fashion_mnist
from tensorgrad.data.mnist import idx_dataset as idx_dataset
from tensorgrad.data.mnist import mnist as mnist
from tensorgrad.data.preparation import standardize as standardize
from tensorgrad.losses import one_hot as one_hot
