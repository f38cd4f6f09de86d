"""The layers, one file per concept. They know shapes and parameters, and nothing of models or training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad import vocabulary
from tensorgrad.layers.activation import Activation
from tensorgrad.layers.composite import Add, Concatenate, Sequential
from tensorgrad.layers.conv2d import Conv2d
from tensorgrad.layers.conv_transpose2d import ConvTranspose2d
from tensorgrad.layers.dropout import Dropout
from tensorgrad.layers.ffl import FFL
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.normalization import BatchNorm, LayerNorm
from tensorgrad.layers.pool2d import GlobalPool, Pool2d
from tensorgrad.layers.preprocessing import Rescale, Standardize
from tensorgrad.layers.reshaping import Flatten, Reshape, Upsample, ZeroPadding2d
from tensorgrad.layers.sequences import Conv1d, Pool1d

__all__ = [
    "FFL", "Activation", "Add", "BatchNorm", "Concatenate", "Conv1d", "Conv2d", "ConvTranspose2d", "Dropout", "Flatten",
    "GlobalPool", "Layer", "LayerNorm", "Pool1d", "Pool2d", "Rescale", "Reshape", "Sequential", "Standardize",
    "Upsample", "ZeroPadding2d",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Callable[..., Any]:
        """Make layers by the names that they have elsewhere, such as ``Dense``; see :mod:`tensorgrad.vocabulary`."""
        return vocabulary.layer(name, globals())
