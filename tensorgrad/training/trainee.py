"""What training asks of a model: a small protocol, which :class:`tensorgrad.CNN` follows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tensorgrad.layers.layer import Layer
from tensorgrad.optim import Optimizer
from tensorgrad.rows import Rows
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.history import History
from tensorgrad.training.objective import Objective


class Trainee(Protocol):
    """A network that was compiled."""

    layers: list[Layer]
    rng: np.random.Generator
    optimizer: Optimizer
    schedule: Callable[[int], float] | None
    clip_norm: float | None
    clip_value: float | None
    history: History
    stop_training: bool

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty if they are numbers."""

    @classes.setter
    def classes(self, names: Sequence[str]) -> None: ...

    @property
    def seed(self) -> int:
        """The seed of the random streams."""

    @seed.setter
    def seed(self, seed: int) -> None: ...

    @property
    def iscompiled(self) -> bool:
        """Whether it was compiled."""

    @property
    def objective(self) -> Objective:
        """What it was compiled for."""

    @property
    def last_activation(self) -> str | None:
        """The activation that gives the outputs."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one sample's output."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the computation."""

    def check_samples(self, X: Any, owner: str) -> Rows:
        """Samples as rows of the shape that the first layer takes."""

    def forward(self, x: Tensor, training: bool, *, logits: bool = False) -> Tensor:
        """The outputs of a batch, or what the last activation would be applied to."""

    def blocks(self, samples: int, batch_size: int | None, owner: str) -> Iterator[slice]:
        """Slices that cover the samples, each of which fits into memory."""

    def predict(self, X: npt.ArrayLike) -> Array:
        """The outputs for samples."""

    def state_dict(self) -> dict[str, Array]:
        """Copies of the parameters and running statistics."""

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> object:
        """Copy parameters and running statistics back."""

    def named_state(self) -> Iterator[tuple[str, Tensor | Array]]:
        """Parameters and running statistics."""

    def forget(self) -> None:
        """Begin a new history."""

    def remember(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Keep the figures of an epoch that is shown."""

    def check_saving(self, path: str | os.PathLike[str]) -> None:
        """Raise what `save_model` would, as far as that can be known before."""

    def save_model(self, path: str | os.PathLike[str]) -> None:
        """Save the model to a file."""
