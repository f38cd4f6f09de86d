"""Callbacks, under the name that programs import them by: see :mod:`tensorgrad.training.callbacks`."""

from typing import TYPE_CHECKING, Any

from tensorgrad.training import callbacks
from tensorgrad.training.callbacks import *
from tensorgrad.vocabulary import no_such_name

__all__ = []
__all__ += callbacks.__all__


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Say what a name of another library's is here; see :mod:`tensorgrad.vocabulary`."""
        raise no_such_name("tensorgrad.callbacks", name, globals())
