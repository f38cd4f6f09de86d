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
from tensorgrad.optim.groups import Group as Group
from tensorgrad.optim.lbfgs import minimize as minimize
from tensorgrad.optim.optimizer import OPTIMIZERS as OPTIMIZERS
from tensorgrad.optim.optimizer import Optimizer as Optimizer
from tensorgrad.optim.optimizer import by_name as by_name
from tensorgrad.optim.schedules import Constant as Constant
from tensorgrad.optim.schedules import Cosine as Cosine
from tensorgrad.optim.schedules import Exponential as Exponential
from tensorgrad.optim.schedules import StepDecay as StepDecay
from tensorgrad.optim.schedules import WarmUp as WarmUp
from tensorgrad.optim.setting import Setting as Setting
