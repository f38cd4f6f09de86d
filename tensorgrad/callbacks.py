"""Callbacks, under the name that programs import them by: see :mod:`tensorgrad.training.callbacks`."""

from tensorgrad.training import callbacks
from tensorgrad.training.callbacks import *

__all__ = []
__all__ += callbacks.__all__


def __dir__() -> list[str]:
    return sorted(__all__)
