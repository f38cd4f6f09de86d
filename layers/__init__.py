"""The layers, one file per concept. They know shapes and parameters, and nothing of models or training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad import vocabulary
from tensorgrad.layers.activation import Activation as Activation
from tensorgrad.layers.composite import Add as Add
from tensorgrad.layers.composite import Concatenate as Concatenate
from tensorgrad.layers.composite import Sequential as Sequential
from tensorgrad.layers.conv2d import Conv2d as Conv2d
from tensorgrad.layers.conv_transpose2d import ConvTranspose2d as ConvTranspose2d
from tensorgrad.layers.dropout import Dropout as Dropout
from tensorgrad.layers.ffl import FFL as FFL
from tensorgrad.layers.layer import Layer as Layer
from tensorgrad.layers.normalization import BatchNorm as BatchNorm
from tensorgrad.layers.normalization import LayerNorm as LayerNorm
from tensorgrad.layers.pool2d import GlobalPool as GlobalPool
from tensorgrad.layers.pool2d import Pool2d as Pool2d
from tensorgrad.layers.preprocessing import Rescale as Rescale
from tensorgrad.layers.preprocessing import Standardize as Standardize
from tensorgrad.layers.reshaping import Flatten as Flatten
from tensorgrad.layers.reshaping import Reshape as Reshape
from tensorgrad.layers.reshaping import Upsample as Upsample
from tensorgrad.layers.reshaping import ZeroPadding2d as ZeroPadding2d
from tensorgrad.layers.sequences import Conv1d as Conv1d
from tensorgrad.layers.sequences import Pool1d as Pool1d

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]:
        """Make layers by the names that they have elsewhere, such as ``Dense``; see :mod:`tensorgrad.vocabulary`."""
        return vocabulary.layer(name, globals())
