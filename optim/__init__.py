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

from collections.abc import Iterable
from typing import Any

from tensorgrad.checks import one_of
from tensorgrad.optim.adam import Adam as Adam
from tensorgrad.optim.adam import Adamax as Adamax
from tensorgrad.optim.adam import AdamW as AdamW
from tensorgrad.optim.adam import Nadam as Nadam
from tensorgrad.optim.adaptive import Adadelta as Adadelta
from tensorgrad.optim.adaptive import Adagrad as Adagrad
from tensorgrad.optim.adaptive import RMSprop as RMSprop
from tensorgrad.optim.clip import clip_grad_norm as clip_grad_norm
from tensorgrad.optim.clip import clip_grad_value as clip_grad_value
from tensorgrad.optim.descent import SGD as SGD
from tensorgrad.optim.descent import Iterative as Iterative
from tensorgrad.optim.descent import Momentum as Momentum
from tensorgrad.optim.lbfgs import minimize as minimize
from tensorgrad.optim.optimizer import Optimizer as Optimizer
from tensorgrad.optim.schedules import Constant as Constant
from tensorgrad.optim.schedules import Cosine as Cosine
from tensorgrad.optim.schedules import Exponential as Exponential
from tensorgrad.optim.schedules import StepDecay as StepDecay
from tensorgrad.optim.schedules import WarmUp as WarmUp
from tensorgrad.tensor import Tensor

OPTIMIZERS: dict[str, type[Any]] = {
    kind.name: kind for kind in (SGD, Iterative, Momentum, RMSprop, Adagrad, Adam, Adamax, Adadelta, Nadam, AdamW)
}


def by_name(name: str, params: Iterable[Tensor], lr: float | None = None, mr: float | None = None) -> Optimizer:
    """Make an optimizer by its name: "sgd", "iterative", "momentum", "rmsprop", "adagrad", "adam", "adamax", ...

    Parameters
    ----------
    name : str
        A key of ``OPTIMIZERS``.
    params : iterable of Tensor
        What to optimize.
    lr : float, optional
        The learning rate. Default: the optimizer's own.
    mr : float, optional
        The momentum rate of "sgd". Default: its own. The others have none, and ignore it.

    Raises
    ------
    ValueError
        If there is no optimizer of this name; the message lists those that there are.

    """
    one_of(name, OPTIMIZERS, "optim", "optimizer")
    rates = {"lr": lr, "mr": mr if name == "sgd" else None}
    made: Optimizer = OPTIMIZERS[name](params, **{key: rate for key, rate in rates.items() if rate is not None})
    return made
