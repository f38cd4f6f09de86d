"""Samples in rows: arrays, memory maps, and whatever else is indexed like them, read a few samples at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tensorgrad.checks import check_unmasked, numbers

__all__ = ["Indexed", "Rows", "Share", "is_indexed", "numeric_rows"]

Array = np.ndarray[Any, Any]

MAX_SAMPLE = 2**25  # numbers that a sample may have where it is not the user who makes it: in files and in pictures
_ARRAYS = (np.ndarray, np.generic, Sequence, Mapping)  # what NumPy makes an array of


class Share(NamedTuple):
    """The part of every batch that one of several ranks takes: contiguous, and at most one sample more than another's.

    Examples
    --------
    >>> [Share(rank, 3).of(slice(10, 17)) for rank in range(3)]
    [slice(10, 13, None), slice(13, 15, None), slice(15, 17, None)]
    """

    rank: int = 0
    size: int = 1

    def of(self, batch: slice) -> slice:
        """The part of a batch, which is given by the places of its first sample and of the one after its last."""
        each, more = divmod(batch.stop - batch.start, self.size)
        start = batch.start + self.rank * each + min(self.rank, more)
        return slice(start, start + each + (self.rank < more))

    def generator(self, seeds: npt.NDArray[np.int64]) -> np.random.Generator:
        """The random generator; each rank draws different numbers."""
        return np.random.default_rng(seeds if self.size == 1 else [*seeds.tolist(), self.rank])


WHOLE = Share()  # all of every batch


class Indexed(Protocol):
    """Data with one sample per row, which is read by indexing: HDF5, Zarr, files on disk, a class of your own."""

    def __len__(self) -> int:
        """How many samples there are."""

    def __getitem__(self, index: npt.NDArray[np.intp], /) -> npt.ArrayLike:
        """The samples at an array of increasing indices, one per row."""


class Rows:
    """Samples that are read on demand, never all at once.

    Parameters
    ----------
    source : array_like or Indexed
        The shape and the dtype of an :class:`Indexed` are its ``shape`` and ``dtype`` or, if it has none, those of its
        first sample.
    places : ndarray of int, optional
        The places of the samples in the source; by default all.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    in_memory : bool
        Whether the source is an array, which a memory map is too.
    """

    def __init__(self, source: npt.ArrayLike | Indexed, places: Array | None = None) -> None:
        self.in_memory = not is_indexed(source)
        check_unmasked(source, "samples", "array")
        given: Any = np.asarray(source) if self.in_memory else source  # an array also of a memory map
        self._source = given
        self._places = places
        first: Any = given if self.in_memory or hasattr(given, "shape") else self._read(np.zeros(1, np.intp))
        self.dtype: np.dtype[Any] = first.dtype
        self.shape: tuple[int, ...] = first.shape
        if places is not None or first is not given:
            self.shape = (len(given if places is None else places), *first.shape[1:])

    @property
    def ndim(self) -> int:
        """The number of axes, including that of the samples."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | npt.NDArray[np.intp]) -> Array:
        """The samples of a slice or of an array of indices, in C order: a view where that costs nothing."""
        if self._places is not None:
            index = self._places[index]
        if not self.in_memory:
            wanted = np.arange(len(self._source))[index]
            unique, back = np.unique(wanted, return_inverse=True)  # HDF5 requires that order
            block = self._read(unique)
            return block if np.array_equal(unique, wanted) else block[back]
        if isinstance(index, slice) or not self._source.flags.c_contiguous:  # take would copy all of the source first
            return np.ascontiguousarray(self._source[index])
        taken: Array = self._source.take(index, axis=0)
        return taken

    @property
    def array(self) -> Array | None:
        """The array that the rows are in; None if they are read by indexing."""
        return self._source if self.in_memory else None

    @classmethod
    def of(cls, data: npt.ArrayLike | Indexed | Rows) -> Rows:
        """The rows of data; rows are their own."""
        return data if isinstance(data, Rows) else cls(data)

    def at(self, places: Array) -> Rows:
        """The rows at an array of indices, not read yet."""
        return Rows(self._source, places if self._places is None else self._places[places])

    def _read(self, indices: Array) -> Array:
        kind = type(self._source).__name__
        try:
            found = self._source[indices]
            check_unmasked(found, kind, "data")
            block = np.asarray(found)
        except (TypeError, IndexError, KeyError) as error:
            raise TypeError(
                f"{kind}: its samples are read by an array of indices, which its __getitem__ does not take: {error}; "
                "make it an array, or give the class a __getitem__ that does"
            ) from error
        expected = getattr(self, "shape", block.shape)[1:]  # none is expected of the first
        if block.shape[:1] != (len(indices),) or block.shape[1:] != expected:
            raise ValueError(
                f"{kind}: asked for {len(indices)} samples of shape {expected} by an array of "
                f"indices, received shape {block.shape}; its __getitem__ must give one row per index"
            )
        return block


def is_indexed(data: Any) -> bool:
    """Whether data is read by indexing instead of being made an array: not arrays, sequences or tables."""
    if isinstance(data, _ARRAYS):
        return False
    if not (hasattr(type(data), "__len__") and hasattr(type(data), "__getitem__")):
        return False
    if hasattr(data, "shape"):  # not tables, tensors and sparse matrices, whose indices or elements are others
        return isinstance(getattr(data, "dtype", None), np.dtype) and not any(
            hasattr(data, name) for name in ("iloc", "requires_grad", "toarray")
        )
    return not any(hasattr(data, name) for name in ("__array__", "__array_interface__"))


def numeric_rows(data: Any, owner: str, argument: str) -> Rows:
    """Rows of numbers, or an error in the name of `owner`."""
    if not is_indexed(data):
        return Rows(numbers(data, owner, argument))
    rows = Rows.of(data)
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"{owner}: {argument} must be numbers, received dtype {rows.dtype}")
    return rows
