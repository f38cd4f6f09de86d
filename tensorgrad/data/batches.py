"""Mini-batches, in a new order each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tensorgrad.random import RNG, generator

Augmentation: TypeAlias = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


class batches:  # in small letters as zip and range, which are used in the same way
    """Go over arrays in mini-batches: ``for x, y in batches(images, labels, batch_size=32)``.

    Each iteration is an epoch: all samples once, in a new order if `shuffle`, the last batch smaller if they do not
    come out even.

    Parameters
    ----------
    *arrays : array_like, shape=(N, ...)
        One or more of the same length N, for instance images, labels and sample weights.
    batch_size : int
    shuffle : bool
        Draw a new order for each epoch.
    rng : None, int, SeedSequence or Generator
        What to draw from; an int gives the same epochs each time, None the library's own generator.
    drop_last : bool
        Leave out the last batch when it is smaller than the others.
    augment : callable, optional
        ``augment(x, rng)`` gives what takes the place of x, a batch of the first array; see :class:`Augment`.

    Raises
    ------
    ValueError
        If there are no samples, the lengths differ, or the batch size is less than 1.

    Notes
    -----
    A batch is a tuple, even of a single array. Its arrays are contiguous. Shuffled ones are copies, yours to keep and
    to change. (Filling the same buffer again and again is no faster: 256 images of MNIST take 0.09 ms either way.)
    In order, they are views of the data where those are contiguous, which costs nothing: copy one before you write
    into it.

    All that an epoch takes from `rng` is taken when its iteration begins. So another thread may draw the batches
    ahead of the training that uses the same `rng`, and what comes out is still the same.

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
        *arrays: ArrayLike,
        batch_size: int = 32,
        shuffle: bool = True,
        rng: RNG = None,
        drop_last: bool = False,
        augment: Augmentation | None = None,
    ) -> None:
        self.arrays = tuple(np.asarray(array) for array in arrays)
        shapes = [array.shape for array in self.arrays]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            raise ValueError(f"batches: expected arrays with one length, received {_listed(shapes)}")
        if not shapes[0][0]:
            raise ValueError(f"batches: expected at least one sample, received {_listed(shapes)}")
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batches: batch_size must be an int of at least 1, received {batch_size!r}")
        if augment is not None and not callable(augment):
            raise TypeError(f"batches: augment must be a function of a batch and an rng, received {augment!r}")
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.rng = generator(rng)
        self.drop_last = drop_last
        self.augment = augment
        if not len(self):
            raise ValueError(
                f"batches: drop_last leaves nothing of {shapes[0][0]} samples in batches of {batch_size}; "
                "use a smaller batch_size, or drop_last=False"
            )

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        samples = len(self.arrays[0])
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        """Begin an epoch: everything is drawn from `rng` here, before the first batch."""
        order = self.rng.permutation(len(self.arrays[0])) if self.shuffle else None
        # a generator of its own for the augmentation; spawn would depend on a counter that is not in rng's state
        augment_rng = None if self.augment is None else np.random.default_rng(self.rng.integers(2**63, size=2))
        return self._epoch(order, augment_rng)

    def _epoch(
        self, order: NDArray[np.intp] | None, augment_rng: np.random.Generator | None
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            part = slice(start, start + self.batch_size)
            if order is None:
                batch = [np.ascontiguousarray(array[part]) for array in self.arrays]
            else:
                batch = [np.take(array, order[part], axis=0) for array in self.arrays]
            if self.augment is not None and augment_rng is not None:
                batch[0] = self.augment(batch[0], augment_rng)
            yield tuple(batch)


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return f"shapes {', '.join(map(str, shapes))}" if shapes else "none"
