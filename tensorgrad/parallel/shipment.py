"""Sending a model and its samples to other processes: the samples' arrays through memory that all of them share."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable, Mapping
from multiprocessing.context import BaseContext
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.parallel.processes import aligned
from tensorgrad.tensor import Array


class _InFile(NamedTuple):
    """An array that is mapped from a file, which each process maps by itself."""

    path: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    def array(self) -> Array:
        length = 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        bytes_ = np.memmap(self.path, np.uint8, "r", self.offset, (length + np.dtype(self.dtype).itemsize - 1,))
        return np.ndarray(self.shape, self.dtype, bytes_, 0, self.strides)


class _InMemory(NamedTuple):
    """An array that was copied into the shared memory."""

    offset: int
    shape: tuple[int, ...]
    dtype: str

    def array(self, memory: Any) -> Array:
        return np.ndarray(self.shape, self.dtype, memory, self.offset)


class Shipment:
    """Objects on their way to other processes, each of which has copies of its own of all but some large arrays.

    Parameters
    ----------
    context : multiprocessing context
        How the processes are started.
    content : object
    arrays : iterable of ndarray
        Those in the content that are only read: all processes see the same memory, or map the same file.

    Raises
    ------
    pickle.PicklingError, TypeError, AttributeError
        If something in the content cannot be sent.
    """

    def __init__(self, context: BaseContext, content: Any, arrays: Iterable[Array]) -> None:
        found = list({id(array): array for array in arrays}.values())
        self._pickled = pickled(content, found)
        self._places: list[_InFile | _InMemory] = []
        size = 0
        for array in found:
            place = _in_file(array)
            self._places.append(place or _InMemory(size, array.shape, array.dtype.str))
            size += 0 if place else aligned(array.nbytes)
        self._memory = context.RawArray("b", max(1, size))
        for array, where in zip(found, self._places, strict=True):
            if isinstance(where, _InMemory):
                where.array(self._memory)[...] = array

    def unpack(self) -> Any:
        """The content, in the process that has received it."""
        arrays = [
            where.array(self._memory) if isinstance(where, _InMemory) else where.array() for where in self._places
        ]
        for array in arrays:
            array.flags.writeable = False
        return _Unpickler(io.BytesIO(self._pickled), arrays).load()


def pickled(content: Any, arrays: Iterable[Array]) -> bytes:
    """Pickle objects, but for some arrays, for each of which only its place is noted."""
    stream = io.BytesIO()
    _Pickler(stream, {id(array): place for place, array in enumerate(arrays)}).dump(content)
    return stream.getvalue()


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, places: Mapping[int, int]) -> None:
        super().__init__(stream, pickle.HIGHEST_PROTOCOL)
        self._places = places

    def persistent_id(self, value: Any) -> int | None:
        return self._places.get(id(value)) if isinstance(value, np.ndarray) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, arrays: list[Array]) -> None:
        super().__init__(stream)
        self._arrays = arrays

    def persistent_load(self, place: int) -> Array:
        return self._arrays[place]


def _in_file(array: Array) -> _InFile | None:
    """Where in a file the array is, if it is mapped from one that others can map too."""
    base: Any = array
    while isinstance(base, np.ndarray) and not (isinstance(base, np.memmap) and base.filename is not None):
        base = base.base
    while isinstance(base, np.memmap) and isinstance(base.base, np.memmap):
        base = base.base
    if not isinstance(base, np.memmap) or base.mode == "c" or not array.size or min(array.strides, default=0) < 0:
        return None
    begin = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return _InFile(str(base.filename), base.offset + begin, array.shape, array.strides, array.dtype.str)
