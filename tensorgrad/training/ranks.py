"""Those who train a model together: what the training loop asks of them, and the usual case, one alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from tensorgrad.optim import clip_grad_norm, clip_grad_value
from tensorgrad.rows import WHOLE, Share
from tensorgrad.tensor import Array, Tensor
from tensorgrad.training.tally import Tally
from tensorgrad.training.trainee import Trainee

T = TypeVar("T")


class Step(NamedTuple):
    """What a step found."""

    loss: float  # the mean of the batch; where it is not finite, nothing was changed
    size: float  # what it counts for in the mean of an epoch


class Ranks(Protocol):
    """Those who train a model together, as one of them sees it. Each has the model, and takes a share of each batch.

    All of them make the same calls in the same order.

    Attributes
    ----------
    share : Share
        Which part of each batch this one takes.
    leads : bool
        Whether this one calls the callbacks and validates.
    """

    share: Share
    leads: bool

    def follow(self, model: Trainee) -> None:
        """Let all have the model that the leader has."""

    def step(self, model: Trainee, x: Array, y: Array, weights: Array | None, figures: Tally) -> Step | None:
        """Take one optimizer step on a batch, of which this is the share; None if someone has ended the epoch."""

    def halt(self, more: bool) -> None:
        """End the epoch after the step that was taken last, for all; `more` tells whether it has further batches."""

    def end_epoch(self, model: Trainee) -> None:
        """Make sure that all have the same model."""

    def any(self, flag: bool) -> bool:
        """Whether any of them says so."""

    def first(self, text: str) -> str:
        """The first text that is not empty."""

    def led(self, function: Callable[[], T]) -> T:
        """What the leader's function returned, or raised."""


class Alone:
    """One that trains a model alone."""

    share = WHOLE
    leads = True

    def follow(self, model: Trainee) -> None:
        """Nothing to do."""

    def step(self, model: Trainee, x: Array, y: Array, weights: Array | None, figures: Tally) -> Step | None:
        """Take one optimizer step on a batch, unless its loss is not finite."""
        loss, scores = forward(model, x, y, weights)
        value = float(loss.array)
        if np.isfinite(value):
            loss.backward()
            apply_gradients(model)
        figures.add(scores, y)
        return Step(value, model.objective.size(y))

    def halt(self, more: bool) -> None:
        """Nothing to do."""

    def end_epoch(self, model: Trainee) -> None:
        """Nothing to do."""

    def any(self, flag: bool) -> bool:
        """The flag."""
        return flag

    def first(self, text: str) -> str:
        """The text."""
        return text

    def led(self, function: Callable[[], T]) -> T:
        """Call it."""
        return function()


def forward(model: Trainee, x: Array, y: Array, weights: Array | None) -> tuple[Tensor, Array]:
    """The mean loss of a batch, with its graph, and the scores."""
    objective = model.objective
    scores = model.forward(Tensor.wrap(x), True, logits=objective.from_logits)
    return objective(scores, Tensor.wrap(y), weights, training=True), scores.array


def apply_gradients(model: Trainee) -> None:
    """Clip the gradients if requested, let the optimizer take a step, and set them to None."""
    optimizer = model.optimizer
    if model.clip_value is not None:
        clip_grad_value(optimizer.params, model.clip_value)
    if model.clip_norm is not None:
        clip_grad_norm(optimizer.params, model.clip_norm)
    if model.schedule is not None:
        optimizer.lr = model.schedule(optimizer.steps)
    optimizer.step()
    optimizer.zero_grad()
