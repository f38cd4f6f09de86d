"""What saving asks of a model: a network's half, which every format holds, and a trained model's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np

from tensorgrad.layers import Layer
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.trainee import Trainee


class Buildable(Protocol):
    """Layers in order, with random streams; :class:`tensorgrad.network.Network` is one."""

    layers: list[Layer]
    rng: np.random.Generator
    picture_fit: str

    @property
    def seed(self) -> int:
        """What makes the random streams."""

    @seed.setter
    def seed(self, seed: int) -> None: ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""

    @classes.setter
    def classes(self, names: Sequence[str]) -> None: ...

    def add(self, layer: Layer) -> None:
        """Append a layer and wire it."""

    def named_layers(self) -> Iterator[tuple[str, Layer]]:
        """All layers, and all layers inside of them, with their paths."""

    def named_state(self) -> Iterator[tuple[str, Tensor | Array]]:
        """Parameters, trained or frozen, and running statistics by name."""


class Trainable(Trainee, Buildable, Protocol):
    """A network with all that its training needs to go on; :class:`tensorgrad.CNN` is one."""

    train_loss: dict[int, float]
    val_loss: dict[int, float]
    train_acc: dict[int, float]
    val_acc: dict[int, float]

    @property
    def metrics(self) -> Sequence[str]:
        """What is reported besides loss and accuracy."""

    @property
    def compile_model(self) -> Callable[..., None]:
        """Say how to train."""
