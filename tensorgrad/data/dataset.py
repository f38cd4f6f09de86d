"""Dataset: samples, and what happens to them on their way into a network."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from tensorgrad.atomic_file import replacing
from tensorgrad.checks import brief, check_function, is_number, whole
from tensorgrad.data.errors import DataError
from tensorgrad.random import RNG, generator
from tensorgrad.rows import WHOLE, Indexed, Rows, Share

BLOCK_BYTES = 2**24  # of samples that a cache is made of at once

Batch: TypeAlias = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class _Plan:
    """What is done to the samples; a buffer of None keeps their order, 0 shuffles all of them."""

    steps: tuple[Callable[..., Any], ...] = ()
    buffer: int | None = None
    batch_size: int | None = None
    drop_last: bool = False
    ahead: int = 0


class Dataset:
    """Samples that are read, changed, ordered and grouped batch by batch.

    Each method returns a new data set and leaves this one unchanged. Iterating over it gives one epoch of batches:
    tuples of x and, if there are any, y and weights.

    Parameters
    ----------
    *arrays : array_like or Indexed
        Samples and, where there are any, their labels and weights, all of one length: arrays, memory maps, or anything
        with ``__len__`` and ``__getitem__`` by an array of indices, which is never read whole.
    rng : None, int, SeedSequence or Generator
        The source of random orders in iteration; training uses the model's own.

    Examples
    --------
    >>> import numpy as np
    >>> data = Dataset(np.arange(10.0), np.arange(10)).map(lambda x, y: (x / 10, y)).take(5).batch(2)
    >>> for x, y in data:
    ...     print(x, y)
    [0.  0.1] [0 1]
    [0.2 0.3] [2 3]
    [0.4] [4]
    """

    def __init__(self, *arrays: npt.ArrayLike | Indexed, rng: RNG = None) -> None:
        try:
            rows = tuple(Rows(array) for array in arrays)
        except ValueError as error:
            raise ValueError(f"Dataset: {error}; give arrays one by one, as in Dataset(x, y)") from None
        lengths = {row.shape[0] if row.shape else None for row in rows}
        if len(lengths) != 1 or not lengths.copy().pop():
            shapes = ", ".join(str(row.shape) for row in rows) or "none"
            raise ValueError(f"Dataset: expected arrays of one length, at least 1, received the shapes {shapes}")
        self._rows = rows
        self._plan = _Plan()
        self._rng = generator(rng)

    def _with(self, rows: tuple[Rows, ...] | None = None, **changes: Any) -> Self:
        other = object.__new__(type(self))
        other._rows = self._rows if rows is None else rows
        other._plan = replace(self._plan, **changes)
        other._rng = self._rng
        return other

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._rows[0])

    # -- what happens to the samples -------------------------------------------------------------------------

    def map(self, function: Callable[..., Any]) -> Self:
        """Change each batch: ``function(x, y)`` returns the arrays that replace them.

        The function receives all arrays of a batch, with samples along the first axis, and returns as many; more than
        one as a tuple.
        """
        arrays = ("x", "y", "weights", *(f"array {i}" for i in range(3, len(self._rows))))[: len(self._rows)]
        check_function(function, arrays, "Dataset.map: what it is given")
        return self._with(steps=(*self._plan.steps, function))

    def shuffle(self, buffer: int | None = None) -> Self:
        """Take the samples in a new order in each epoch.

        Parameters
        ----------
        buffer : int, optional
            Draw each sample from the next `buffer` ones, so that a file is read nearly in order. By default all orders
            are equally likely.
        """
        return self._with(buffer=0 if buffer is None else whole(buffer, "Dataset.shuffle", "buffer"))

    def in_order(self) -> Self:
        """Take the samples in their original order."""
        return self._with(buffer=None)

    def batch(self, size: int, drop_last: bool = False) -> Self:
        """Set the batch size; a smaller last batch is kept, or dropped with `drop_last`."""
        size = whole(size, "Dataset.batch", "size")
        if drop_last and size > len(self):
            raise ValueError(f"Dataset.batch: drop_last leaves nothing of {len(self)} samples in batches of {size}")
        return self._with(batch_size=size, drop_last=bool(drop_last))

    def prefetch(self, ahead: int = 2) -> Self:
        """Read and change batches ahead, in a thread, while others are trained on. The batches stay the same."""
        return self._with(ahead=whole(ahead, "Dataset.prefetch", "ahead"))

    def take(self, count: int) -> Self:
        """Keep the first samples."""
        count = whole(count, "Dataset.take", "count")
        return self._at(np.arange(min(count, len(self))))

    def split(self, share: float, rng: RNG = 0) -> tuple[Self, Self]:
        """Two parts: all but a share of the samples, and that share, at least one sample each.

        Parameters
        ----------
        share : float, 0 < share < 1
        rng : None, int, SeedSequence or Generator
            The source of the random choice; by default it is the same each time.
        """
        count = int(len(self) * share) if is_number(share) and 0 < share < 1 else 0
        if not count:
            raise ValueError(
                f"Dataset.split: share must lie between 0 and 1, and leave a sample on both sides; "
                f"received {brief(share)} "
                f"for {len(self)} samples"
            )
        kept, aside = np.split(generator(rng).permutation(len(self)), [len(self) - count])
        return self._at(np.sort(kept)), self._at(np.sort(aside))

    def _at(self, places: NDArray[np.intp]) -> Self:
        return self._with(rows=tuple(row.at(places) for row in self._rows))

    def cache(self, folder: str | os.PathLike[str]) -> Self:
        """Store the samples, as they are after all maps so far, in a folder, and read them from there.

        They are written if the folder does not hold them yet, and mapped into memory, so they may exceed it. Remove the
        folder when the data or the maps change; of the maps nobody notices.

        Raises
        ------
        DataError
            If the folder holds what was made of other data, going by their shapes, their dtypes and three samples.
        OSError
            If it cannot be written; it then holds nothing new.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        files = [place / f"{i}.npy" for i in range(len(self._rows))]
        origin, digest = place / "origin.txt", self._digest()
        if not all(file.is_file() for file in (origin, *files)):
            self._write(files, origin, digest)
        if origin.read_bytes() != digest:
            raise DataError(
                f"{place}: it holds what was made of other data than these; remove the folder, or name another"
            )
        return self._with(rows=tuple(Rows(np.load(file, mmap_mode="r")) for file in files), steps=())

    def _digest(self) -> bytes:
        """What tells the data from others, before any map."""
        from hashlib import blake2b

        digest = blake2b(digest_size=16)
        for row in self._rows:
            some = row[np.array([0, len(self) // 2, len(self) - 1])]
            content = repr(some.tolist()).encode() if some.dtype.hasobject else some.tobytes()
            digest.update(f"{row.shape} {row.dtype} ".encode() + content)
        return digest.hexdigest().encode()

    def _write(self, files: list[Path], origin: Path, digest: bytes) -> None:
        """Write the samples, block by block, and what they were made of; all files or none."""
        from contextlib import ExitStack

        bytes_each = max(1, sum(row.size * row.dtype.itemsize for row in self._rows) // len(self))
        block = max(1, BLOCK_BYTES // bytes_each)
        with ExitStack() as stack:
            stack.enter_context(replacing(origin)).write(digest)  # first, so that it takes its place after the others
            opened = [stack.enter_context(replacing(file)) for file in files]
            kinds: list[np.dtype[Any]] = []
            for start in range(0, len(self), block):
                batch = self._changed(tuple(row[start : start + block] for row in self._rows))
                kinds = kinds or [array.dtype for array in batch]
                for file, array, dtype in zip(opened, batch, kinds, strict=True):
                    if not start:
                        header = np.lib.format.header_data_from_array_1_0(array)
                        header |= {"shape": (len(self), *array.shape[1:]), "fortran_order": False}
                        np.lib.format.write_array_header_2_0(file, header)
                    file.write(array.astype(dtype, copy=False).tobytes())

    # -- batches -----------------------------------------------------------------------------------------------

    @property
    def batch_size(self) -> int | None:
        """Samples in a batch; None before :meth:`batch` was called."""
        return self._plan.batch_size

    @property
    def rows(self) -> tuple[Rows, ...]:
        """The samples before all maps, labels and weights, in their original order."""
        return self._rows

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        size = self.batch_size or len(self)
        return len(self) // size if self._plan.drop_last else -(-len(self) // size)

    @property
    def is_shuffled(self) -> bool:
        """Whether each epoch has an order of its own."""
        return self._plan.buffer is not None

    def __iter__(self) -> Iterator[Batch]:
        """Begin an epoch."""
        return iter(self.epochs(self._rng))

    def epochs(self, rng: np.random.Generator) -> Epochs:
        """The batches of any number of epochs, in orders that are drawn from a generator."""
        return Epochs(self, rng)

    def epoch(self, rng: np.random.Generator, share: Share = WHOLE) -> Iterator[Batch]:
        """The batches of one epoch, or a share of each; what it takes from `rng` is taken now, before the first."""
        found = self._epoch(_order(len(self), self._plan.buffer, rng), share)
        return read_ahead(found, self._plan.ahead) if self._plan.ahead else found

    def _epoch(self, order: NDArray[np.intp] | None, share: Share) -> Iterator[Batch]:
        size = self.batch_size or len(self)
        for start in range(0, self.batches * size, size):
            part = share.of(slice(start, min(start + size, len(self))))
            yield self._changed(tuple(row[part if order is None else order[part]] for row in self._rows))

    def _changed(self, batch: Batch) -> Batch:
        """A batch after all maps."""
        for step in self._plan.steps:
            found = step(*batch)
            arrays = tuple(map(np.asarray, found if isinstance(found, tuple) else (found,)))
            if len(arrays) != len(batch) or any(array.shape[:1] != batch[0].shape[:1] for array in arrays):
                received = "None" if found is None else ", ".join(str(array.shape) for array in arrays)
                raise ValueError(
                    f"Dataset.map: expected {len(batch)} arrays of {len(batch[0])} samples from "
                    f"{getattr(step, '__name__', step)!s}, received {received}"
                )
            batch = arrays
        return batch

    def __repr__(self) -> str:
        shapes = " and ".join(str(row.shape) for row in self._rows)
        return f"Dataset({shapes}, batch_size={self.batch_size})"


class Epochs:
    """A data set in training: a sized iterable of batches, or of a share of each. Each iteration is an epoch."""

    def __init__(self, data: Dataset, rng: np.random.Generator) -> None:
        self.data, self.rng, self.share = data, rng, WHOLE

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self.data.batches

    def __iter__(self) -> Iterator[Batch]:
        """Begin an epoch."""
        return self.data.epoch(self.rng, self.share)


def _order(count: int, buffer: int | None, rng: np.random.Generator) -> NDArray[np.intp] | None:
    """An order of so many samples; None for the one that they are in."""
    if buffer is None:
        return None
    if not buffer or buffer >= count:
        return rng.permutation(count)
    held = list(range(buffer))
    order = np.empty(count, np.intp)
    for i, place in enumerate(rng.integers(0, buffer, count - buffer).tolist()):
        order[i], held[place] = held[place], buffer + i
    order[count - buffer :] = rng.permutation(held)
    return order


def read_ahead(batches: Iterator[Any], ahead: int) -> Iterator[Any]:
    """The same items, up to so many of which a thread has ready; its errors are raised where they are met."""
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
    done = threading.Event()
    end = object()

    def offer(item: Any, error: BaseException | None = None) -> None:
        while not done.is_set():
            try:
                return ready.put((item, error), timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for item in batches:
                offer(item)
                if done.is_set():
                    return
            offer(end)
        except BaseException as error:  # raised again in the thread that asks for the batch
            offer(end, error)

    thread = threading.Thread(target=read, name="tensorgrad-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is end:
                return
            yield item
    finally:
        done.set()
        thread.join()
