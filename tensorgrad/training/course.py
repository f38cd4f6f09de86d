"""Course: how a training goes over its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tensorgrad.checks import brief, flag, positive
from tensorgrad.data.batches import Augmentation


@dataclass(frozen=True)
class Course:
    """How to go over the samples: the arguments of ``train``, checked; `epochs` counts those before the first."""

    first_epoch: int
    epochs: int
    batch_size: int
    shuffle: bool
    show_every: int
    drop_last: bool
    augment: Augmentation | None

    @classmethod
    def of(
        cls,
        epochs: Any,
        *,
        first_epoch: Any,
        batch_size: Any,
        shuffle: Any,
        show_every: Any,
        drop_last: bool,
        augment: Augmentation | None,
    ) -> Self:
        """The course of so many epochs, or an error that says which argument of ``train`` is wrong."""
        epochs, batch_size = positive(epochs, "train", "epochs"), positive(batch_size, "train", "batch_size")
        show_every = positive(show_every, "train", "show_every")
        if isinstance(first_epoch, bool) or not isinstance(first_epoch, int | np.integer) or first_epoch < 0:
            raise ValueError(f"train: first_epoch must be an int of at least 0, received {brief(first_epoch)}")
        return cls(
            first_epoch=int(first_epoch),
            epochs=int(first_epoch) + epochs,
            batch_size=batch_size,
            shuffle=flag(shuffle, "train", "shuffle"),
            show_every=show_every,
            drop_last=flag(drop_last, "train", "drop_last"),
            augment=augment,
        )

    def last_batch(self, samples: int) -> int:
        """How many of the samples are in the last batch."""
        return self.batch_size if self.drop_last else samples % self.batch_size or self.batch_size
