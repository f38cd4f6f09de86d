"""Batches from an iterable, checked one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from itertools import chain
from typing import Any

import numpy as np

from tensorgrad.checks import whole
from tensorgrad.data.batches import Augmentation, augmented
from tensorgrad.data.dataset import Epochs
from tensorgrad.rows import WHOLE, Share
from tensorgrad.tensor import Array
from tensorgrad.training.samples import ClassWeight, Samples, check_finite, checked, weights_of
from tensorgrad.training.tasks import Task
from tensorgrad.training.trainee import Trainee


class Stream:
    """Batches ``(x, y)`` or ``(x, y, weights)`` from an iterable, each checked when it is read.

    Parameters
    ----------
    model : Trainee
    batches : iterable
        One pass is an epoch, unless `steps` says otherwise.
    owner : str
        What errors begin with.
    steps : int, optional
        Batches of an epoch. The next epoch goes on where the last one stopped, and from the beginning after the end.
    task : Task, optional
        What the model answers; by default the targets of the first batch tell.
    class_weight, augment
        As of ``train``.
    rng : Generator, optional
        Where the augmentation draws from.
    first : tuple of arrays, optional
        The first batch, if the iterable gives it only while training.

    Attributes
    ----------
    task : Task
    batch_size : int
        Samples in the first batch.
    """

    def __init__(
        self,
        model: Trainee,
        batches: Iterable[Any],
        owner: str,
        *,
        steps: int | None = None,
        task: Task | None = None,
        class_weight: ClassWeight | None = None,
        augment: Augmentation | None = None,
        rng: np.random.Generator | None = None,
        first: Any = None,
    ) -> None:
        if isinstance(class_weight, str):
            raise ValueError(f"{owner}: class_weight={class_weight!r} needs all labels; give a dict or an array")
        self.model, self.owner = model, owner
        self.steps = None if steps is None else whole(steps, owner, "steps_per_epoch")
        self.class_weight, self.augment, self.rng = class_weight, augment, rng
        self._batches, self._share, self._reads_shares = batches, WHOLE, False
        self._going = iter(batches) if steps is not None or isinstance(batches, Iterator) else None
        if first is None:
            going = iter(batches) if self._going is None else self._going
            first = next(going, None)
            if first is None:
                raise ValueError(f"{owner}: expected batches, received an iterable that gives none")
            if self._going is not None:
                self._going = chain([first], self._going)
        self._task = task
        samples = self._samples(first, 0)
        self.task = self._task = samples.task
        self.batch_size = len(samples)

    @property
    def once(self) -> bool:
        """Whether the batches can be iterated over only once."""
        return isinstance(self._batches, Iterator)

    @property
    def arrays(self) -> list[Array]:
        """The arrays that hold the samples, of a data set."""
        rows = self._batches.data.rows if isinstance(self._batches, Epochs) else ()
        return [row.array for row in rows if row.array is not None]

    def __len__(self) -> int:
        """Return the number of batches of an epoch, 0 if it is not known."""
        if self.steps is not None:
            return self.steps
        return len(self._batches) if isinstance(self._batches, Sized) else 0

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        """Begin an epoch; what it takes from `rng` is taken now."""
        seeds = None if self.augment is None or self.rng is None else self.rng.integers(2**63, size=2)
        return self._epoch(None if seeds is None else np.random.default_rng(seeds))

    def divide(self, share: Share) -> None:
        """Give only a share of each batch from now on; of a data set, read no more."""
        if isinstance(self._batches, Epochs):
            self._batches.share, self._reads_shares = share, share.size > 1
        else:
            self._share = share

    def blocks(self, model: Trainee, batch_size: int | None, owner: str) -> Iterator[tuple[Array, ...]]:
        """The batches as they come."""
        return iter(self)

    def _epoch(self, rng: np.random.Generator | None) -> Iterator[tuple[Array, ...]]:
        for index, batch in enumerate(self._taken()):
            if self._reads_shares and not len(batch[0]):  # the last batch has fewer samples than there are ranks
                yield np.empty((0, *self.model.input_shape)), np.empty((0, *self.model.output_shape))
                continue
            samples = self._samples(batch, index)
            part = self._share.of(slice(0, len(samples)))
            x, *rest = (rows[part] for rows in samples.rows)
            if self.augment is not None and rng is not None:
                x = augmented(x, self.augment, rng)
            yield (x, *rest)

    def _taken(self) -> Iterator[Any]:
        """The batches of an epoch, as they come."""
        if self.steps is None:
            yield from iter(self._batches) if self._going is None else self._going
            return
        for index in range(self.steps):
            batch = next(self._going, None) if self._going is not None else None
            if batch is None and not self.once:
                self._going = iter(self._batches)
                batch = next(self._going, None)
            if batch is None:
                raise ValueError(
                    f"{self.owner}: the iterable ended after {index} of {self.steps} batches of an epoch; give it more "
                    "batches, or use fewer steps_per_epoch or epochs"
                )
            yield batch

    def _samples(self, batch: Any, index: int) -> Samples:
        """A batch as samples, or an error that names the batch."""
        owner = f"{self.owner}, batch {index}"
        if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
            received = f"{len(batch)} items" if isinstance(batch, tuple | list) else type(batch).__name__
            raise TypeError(f"{owner}: expected a tuple (x, y) or (x, y, weights), received {received}")
        x, y, *weights = batch
        samples = checked(self.model, x, y, owner, self._task)
        if not samples.x.in_memory:
            check_finite(samples.x, owner, self.model.dtype)
        found = weights_of(
            self.model.objective, samples.y, samples.task, weights[0] if weights else None, self.class_weight, owner
        )
        return Samples(samples.x, samples.y, samples.task, found)
