"""Adam and its relatives: a moving average of the gradient, divided by its size."""

from __future__ import annotations

from collections.abc import Sequence
from math import pow, sqrt

import numpy as np

from tensorgrad.optim.arguments import divisor, number, share
from tensorgrad.optim.averages import move_average, move_average_of_squares
from tensorgrad.optim.groups import Params
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.setting import Setting
from tensorgrad.tensor import Array


class Adam(Optimizer):
    """Steps along the mean gradient, divided by the root of its mean square: about `lr` per weight and step.

    ::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        w = w - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    beta1, beta2 : float
        How much of the past the mean and the mean square keep, at least 0 and less than 1.
    eps : float
        Keeps the quotient finite, greater than 0.
    weight_decay : float
        Added to the gradient, times the weight; for the better kind see :class:`AdamW`.

    References
    ----------
    Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.

    """

    name = "adam"
    slots = ("m", "v")
    beta1 = Setting(share)
    beta2 = Setting(share)
    eps = Setting(divisor)

    def __init__(
        self,
        params: Params,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay, beta1=beta1, beta2=beta2, eps=eps)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * c / (1 - beta1**t) * m / (sqrt(v) + c * eps)``, with ``c = sqrt(1 - beta2**t)``.

        This is the formula above with numerator and denominator times c, so that the corrections need no pass.
        """
        m, v = slots
        move_average(m, g, self.beta1, scratch)
        move_average_of_squares(v, g, self.beta2, scratch=g)  # the gradient itself is not needed after this
        c = sqrt(1 - self.beta2**t)
        np.sqrt(v, out=g)
        g += c * self.eps
        np.divide(m, g, out=g)
        g *= self.lr * c / (1 - self.beta1**t)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient, so that all weights shrink by the same share.

    ::

        w = w - lr * weight_decay * w     before Adam's step, which has no weight decay

    Parameters
    ----------
    params, lr, beta1, beta2, eps
        As for :class:`Adam`.
    weight_decay : float
        The share by which a weight shrinks in a step, per unit of `lr`.

    References
    ----------
    Loshchilov & Hutter 2019, "Decoupled weight decay regularization", algorithm 2.

    """

    name = "adamw"
    decoupled = True

    def __init__(
        self,
        params: Params,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, beta1, beta2, eps, weight_decay)


class Adamax(Optimizer):
    """Adam that divides by the largest recent gradient instead of the root of the mean square.

    ::

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g) + eps)
        w = w - lr / (1 - beta1**t) * m / u

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    beta1, beta2 : float
        How much of the past the mean and the maximum keep, at least 0 and less than 1.
    eps : float
        Keeps the quotient finite, greater than 0; the paper has none, and divides 0 by 0 where a gradient is 0.
    weight_decay : float
        Added to the gradient, times the weight.

    References
    ----------
    Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 2.

    """

    name = "adamax"
    slots = ("m", "u")
    beta1 = Setting(share)
    beta2 = Setting(share)
    eps = Setting(divisor)

    def __init__(
        self,
        params: Params,
        lr: float = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr, weight_decay, beta1=beta1, beta2=beta2, eps=eps)

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr / (1 - beta1**t) * m / u``."""
        m, u = slots
        move_average(m, g, self.beta1, scratch)
        np.absolute(g, out=g)
        g += self.eps
        u *= self.beta2
        np.maximum(u, g, out=u)
        np.divide(m, u, out=g)
        g *= self.lr / (1 - self.beta1**t)


class Nadam(Optimizer):
    """Adam with Nesterov's momentum, which looks ahead.

    ::

        mu(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p(t) = p(t - 1) * mu(t)
        d = (1 - mu(t)) / (1 - p(t)) * g + mu(t + 1) / (1 - p(t + 1)) * m
        w = w - lr * d / (sqrt(v / (1 - beta2**t)) + eps)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimize; dicts are groups with settings of their own, see :class:`Optimizer`.
    lr : float
        The learning rate.
    beta1, beta2 : float
        How much of the past the mean and the mean square keep, at least 0 and less than 1.
    eps : float
        Keeps the quotient finite, greater than 0.
    weight_decay : float
        Added to the gradient, times the weight.
    momentum_decay : float
        How fast the weight of the momentum, mu, grows from half of `beta1` to `beta1`.

    References
    ----------
    Dozat 2016, "Incorporating Nesterov momentum into Adam", algorithm 2; mu from its section 3.

    """

    name = "nadam"
    slots = ("m", "v")
    beta1 = Setting(share)
    beta2 = Setting(share)
    eps = Setting(divisor)
    momentum_decay = Setting(number)

    def __init__(
        self,
        params: Params,
        lr: float = 0.002,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 0.004,
    ) -> None:
        super().__init__(params, lr, weight_decay, beta1=beta1, beta2=beta2, eps=eps, momentum_decay=momentum_decay)
        self._products: dict[tuple[int, float, float], float] = {}

    def update(self, g: Array, slots: Sequence[Array], scratch: Array, t: int) -> None:
        """``step = lr * d / (sqrt(v / (1 - beta2**t)) + eps)``."""
        m, v = slots
        move_average(m, g, self.beta1, scratch)
        move_average_of_squares(v, g, self.beta2, scratch)
        mu, following, product = self._mu(t), self._mu(t + 1), self._product(t)
        g *= (1 - mu) / (1 - product)
        g += np.multiply(m, following / (1 - product * following), out=scratch)  # d
        np.divide(v, 1 - self.beta2**t, out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += self.eps
        g /= scratch
        g *= self.lr

    def _mu(self, t: int) -> float:
        return self.beta1 * (1 - pow(0.96, t * self.momentum_decay) / 2)

    def _product(self, t: int) -> float:
        """``mu(1) ... mu(t)``: from the product of the step before, or from the start if that is not known."""
        now, before = ((n, self.beta1, self.momentum_decay) for n in (t, t - 1))
        if now not in self._products:
            product = self._products.pop(before, None)
            if product is None:
                product = 1.0
                for i in range(1, t):
                    product *= self._mu(i)
            self._products[now] = product * self._mu(t)
        return self._products[now]
