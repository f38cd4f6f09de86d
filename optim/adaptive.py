"""A step size per weight, from the size of the gradients that it has seen: Adagrad, RMSprop, Adadelta."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad.optim.arguments import divisor, share
from tensorgrad.optim.averages import move_average_of_squares
from tensorgrad.optim.groups import Params
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.setting import Setting
from tensorgrad.tensor import Array


class Adagrad(Optimizer):
    """Steps that shrink as a weight's squared gradients add up.

    ::

        s = s + g**2
        w = w - lr * g / (sqrt(s) + eps)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    eps : float
        Keeps the quotient finite, greater than 0.
    weight_decay : float
        Added to the gradient, times the weight.

    References
    ----------
    Duchi, Hazan & Singer 2011, "Adaptive subgradient methods for online learning and stochastic optimization",
    figure 1, with the diagonal of G.

    """

    name = "adagrad"
    slots = ("s",)
    eps = Setting(divisor)

    def __init__(self, params: Params, lr: float = 0.01, eps: float = 1e-10, weight_decay: float = 0.0) -> None:
        super().__init__(params, lr, weight_decay, eps=eps)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * g / (sqrt(s) + eps)``."""
        (s,) = slots
        s += np.multiply(g, g, out=scratch)
        np.sqrt(s, out=scratch)
        scratch += self.eps
        g /= scratch
        g *= self.lr


class RMSprop(Optimizer):
    """Adagrad that forgets: it divides by the root of the mean square of the recent gradients.

    ::

        v = rho * v + (1 - rho) * g**2
        w = w - lr * g / (sqrt(v) + eps)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    rho : float
        How much of the past the mean square keeps, at least 0 and less than 1.
    eps : float
        Keeps the quotient finite, greater than 0.
    weight_decay : float
        Added to the gradient, times the weight.

    References
    ----------
    Hinton, Srivastava & Swersky 2012, "Neural networks for machine learning", lecture 6e. In PyTorch:
    ``RMSprop(alpha=rho)``, whose default is 0.99.

    """

    name = "rmsprop"
    slots = ("v",)
    rho = Setting(share)
    eps = Setting(divisor)

    def __init__(
        self,
        params: Params,
        lr: float = 0.01,
        rho: float = 0.9,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay, rho=rho, eps=eps)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * g / (sqrt(v) + eps)``."""
        (v,) = slots
        move_average_of_squares(v, g, self.rho, scratch)
        np.sqrt(v, out=scratch)
        scratch += self.eps
        g /= scratch
        g *= self.lr


class Adadelta(Optimizer):
    """RMSprop with steps in the unit of the weights, about as large as the recent steps.

    ::

        v = rho * v + (1 - rho) * g**2
        d = sqrt(u + eps) / sqrt(v + eps) * g
        u = rho * u + (1 - rho) * d**2
        w = w - lr * d

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate; the paper's is 1, since it has none.
    rho : float
        How much of the past the mean squares keep, at least 0 and less than 1.
    eps : float
        The size of the first steps, squared; greater than 0.
    weight_decay : float
        Added to the gradient, times the weight.

    References
    ----------
    Zeiler 2012, "ADADELTA: an adaptive learning rate method", algorithm 1.

    """

    name = "adadelta"
    slots = ("v", "u")
    rho = Setting(share)
    eps = Setting(divisor)

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay, rho=rho, eps=eps)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * d``."""
        v, u = slots
        move_average_of_squares(v, g, self.rho, scratch)
        np.add(v, self.eps, out=scratch)
        np.sqrt(scratch, out=scratch)
        g /= scratch
        np.add(u, self.eps, out=scratch)
        np.sqrt(scratch, out=scratch)
        g *= scratch  # d
        move_average_of_squares(u, g, self.rho, scratch)
        g *= self.lr
