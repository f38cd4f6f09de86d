"""Mini-batches, in a new order each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorgrad.checks import brief, check_function, flag, positive
from tensorgrad.random import RNG, generator
from tensorgrad.rows import WHOLE, Indexed, Rows, Share

Augmentation: TypeAlias = "Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]"


class batches:  # in small letters as zip and range, which are used in the same way
    """Iterate over arrays in mini-batches: ``for x, y in batches(images, labels, batch_size=32)``.

    Each iteration is an epoch: all samples once, in a new order if `shuffle`. The last batch may be smaller.

    Parameters
    ----------
    *arrays : array_like or Indexed, shape=(N, ...)
        One or more of the same length N, for instance images, labels and sample weights. Data that is indexed by an
        array of indices (HDF5, Zarr, :class:`tensorgrad.rows.Indexed`) is read batch by batch.
    batch_size : int
    shuffle : bool
        Draw a new order for each epoch.
    rng : None, int, SeedSequence or Generator
        The source of randomness: an int gives the same epochs each time, None takes the library's own generator.
    drop_last : bool
        Leave out the last batch when it is smaller than the others.
    augment : callable, optional
        ``augment(x, rng)`` returns what takes the place of x, a batch of the first array; see :class:`Augment`.
    share : Share
        Read and give only a part of each batch; by default all of it.

    Raises
    ------
    ValueError
        If there are no samples, the lengths differ, or the batch size is less than 1.

    Notes
    -----
    A batch is a tuple, even of a single array. Its arrays are contiguous, and a batch costs what it holds, whatever
    the layout of the data: views, Fortran order, memory maps, fields of records. Shuffled batches are copies, yours to
    keep and to change. In order, they are views of the data if that is contiguous: copy one before you write into it.

    All that an epoch takes from `rng` is taken when its iteration begins. So a thread may read the batches ahead of a
    training that uses the same `rng`, and they are the same.

    Examples
    --------
    >>> for x, y in batches([1, 2, 3, 4, 5], list("abcde"), batch_size=2, shuffle=False):
    ...     print(x, y)
    [1 2] ['a' 'b']
    [3 4] ['c' 'd']
    [5] ['e']

    """

    def __init__(
        self,
        *arrays: ArrayLike | Indexed | Rows,
        batch_size: int = 32,
        shuffle: bool = True,
        rng: RNG = None,
        drop_last: bool = False,
        augment: Augmentation | None = None,
        share: Share = WHOLE,
    ) -> None:
        self.rows = tuple(Rows.of(array) for array in arrays)
        shapes = [rows.shape for rows in self.rows]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(f"batches: expected arrays with one length, received {_listed(shapes)}")
        if not shapes[0][0]:
            raise ValueError(f"batches: expected at least one sample, received {_listed(shapes)}")
        self.batch_size = positive(batch_size, "batches", "batch_size")
        if augment is not None:
            check_function(augment, ("batch", "rng"), "batches: augment")
        self.shuffle = flag(shuffle, "batches", "shuffle")
        self.drop_last = flag(drop_last, "batches", "drop_last")
        self.rng = generator(rng)
        self.augment = augment
        self.share = share
        if not len(self):
            raise ValueError(
                f"batches: drop_last leaves nothing of {shapes[0][0]} samples in batches of {batch_size}; "
                "use a smaller batch_size, or drop_last=False"
            )

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        samples = len(self.rows[0])
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        """Begin an epoch: everything is drawn from `rng` here, before the first batch."""
        order = self.rng.permutation(len(self.rows[0])) if self.shuffle else None
        # a generator of its own for the augmentation; spawn would depend on a counter that is not in rng's state
        augment_rng = None if self.augment is None else self.share.generator(self.rng.integers(2**63, size=2))
        return self._epoch(order, augment_rng)

    def _epoch(
        self, order: NDArray[np.intp] | None, augment_rng: np.random.Generator | None
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        samples = len(self.rows[0])
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            part = self.share.of(slice(start, min(start + self.batch_size, samples)))
            batch = [rows[part if order is None else order[part]] for rows in self.rows]
            if self.augment is not None and augment_rng is not None:
                batch[0] = augmented(batch[0], self.augment, augment_rng)
            yield tuple(batch)


def augmented(x: NDArray[Any], augment: Augmentation, rng: np.random.Generator) -> NDArray[Any]:
    """The augmented batch; an error if it has another number of samples."""
    found = augment(x, rng)
    if not isinstance(found, np.ndarray) or found.shape[:1] != x.shape[:1]:
        received = f"shape {found.shape}" if isinstance(found, np.ndarray) else brief(found)
        raise ValueError(
            f"batches: augment must return an array of {len(x)} samples in the place of the batch, received {received}"
        )
    return found


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return f"shapes {', '.join(map(str, shapes))}" if shapes else "none"
