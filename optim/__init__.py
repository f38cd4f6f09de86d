"""Optimizers, learning-rate schedules, gradient clipping and L-BFGS.

They know tensors, and neither layers nor models:

>>> import tensorgrad
>>> from tensorgrad.optim import Adam
>>> w = tensorgrad.tensor([4.0], requires_grad=True)
>>> optimizer = Adam([w], lr=0.5)
>>> for _ in range(100):
...     optimizer.zero_grad()
...     ((w - 1) ** 2).sum().backward()
...     optimizer.step()
>>> abs(w.item() - 1) < 0.05
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.optim.adam import Adam, Adamax, AdamW, Nadam
from tensorgrad.optim.adaptive import Adadelta, Adagrad, RMSprop
from tensorgrad.optim.clip import clip_grad_norm, clip_grad_value
from tensorgrad.optim.descent import SGD, Iterative, Momentum
from tensorgrad.optim.groups import Group
from tensorgrad.optim.lbfgs import minimize
from tensorgrad.optim.optimizer import OPTIMIZERS, Optimizer, by_name
from tensorgrad.optim.schedules import Constant, Cosine, Exponential, StepDecay, WarmUp
from tensorgrad.optim.setting import Setting
from tensorgrad.vocabulary import no_such_name

__all__ = [
    "OPTIMIZERS", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Constant", "Cosine", "Exponential", "Group",
    "Iterative", "Momentum", "Nadam", "Optimizer", "RMSprop", "Setting", "StepDecay", "WarmUp", "by_name",
    "clip_grad_norm", "clip_grad_value", "minimize",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Say what a name of another library's is here; see :mod:`tensorgrad.vocabulary`."""
        raise no_such_name("tensorgrad.optim", name, globals())
