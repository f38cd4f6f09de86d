"""Gradient descent: plain, and with momentum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.checks import flag
from tensorgrad.optim.arguments import share
from tensorgrad.optim.groups import Params
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.setting import Setting
from tensorgrad.tensor import Array


class Iterative(Optimizer):
    """Plain gradient descent.

    ::

        w = w - lr * g

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    weight_decay : float
        Added to the gradient, times the weight.

    References
    ----------
    Cauchy 1847, "Méthode générale pour la résolution des systèmes d'équations simultanées". In PyTorch:
    ``SGD(momentum=0)``.

    """

    name = "iterative"

    def __init__(self, params: Params, lr: float = 0.01, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr, weight_decay)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * g``."""
        g *= self.lr


class SGD(Optimizer):
    """Gradient descent with a momentum rate: each step adds a part of the previous one.

    ::

        v = mr * v + g
        w = w - lr * v

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    mr : float
        The momentum rate, at least 0 and less than 1.
    weight_decay : float
        Added to the gradient, times the weight.

    Notes
    -----
    ``v`` is a sum of gradients, and the learning rate is applied after it, so that a new learning rate holds at once
    and for all of the step. As long as it is constant, this is ``step(n) = lr * g + mr * step(n - 1)``.

    References
    ----------
    Mitchell 1997, "Machine Learning", section 4.5.2.1, equation 4.18. In PyTorch: ``SGD(momentum=mr)``.

    """

    name = "sgd"
    slots = ("v",)
    mr = Setting(share)

    def __init__(self, params: Params, lr: float = 0.01, mr: float = 0.001, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr, weight_decay, mr=mr)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * v``."""
        (v,) = slots
        v *= self.mr
        v += g
        np.multiply(v, self.lr, out=g)


class Momentum(Optimizer):
    """Gradient descent that gathers speed: a heavy ball rolling down the loss, with weight decay.

    ::

        g = g + weight_decay * w
        v = beta * v + g
        w = w - lr * v                  nesterov=False
        w = w - lr * (g + beta * v)     nesterov=True: the gradient where the ball will be

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    beta : float
        The share of its speed that the ball keeps from step to step, at least 0 and less than 1.
    weight_decay : float
        Added to the gradient, times the weight.
    nesterov : bool
        Look ahead.

    References
    ----------
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods", equation 9; Sutskever et al. 2013,
    "On the importance of initialization and momentum in deep learning", equations 1 to 4, whose velocity is
    ``-lr * v``. In PyTorch: ``SGD(momentum=beta, weight_decay=weight_decay, nesterov=nesterov)``.

    """

    name = "momentum"
    slots = ("v",)
    beta = Setting(share)
    nesterov = Setting(flag)

    def __init__(
        self,
        params: Params,
        lr: float = 0.01,
        beta: float = 0.9,
        weight_decay: float = 0.0005,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr, weight_decay, beta=beta, nesterov=nesterov)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * v``, or ``lr * (g + beta * v)``."""
        (v,) = slots
        v *= self.beta
        v += g
        if self.nesterov:
            g += np.multiply(v, self.beta, out=scratch)
            g *= self.lr
        else:
            np.multiply(v, self.lr, out=g)
