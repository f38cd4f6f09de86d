"""tensorgrad: small convolutional networks in NumPy, with gradients that can be read and trusted.

>>> import tensorgrad
>>> x = tensorgrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> (x**2).sum().backward()
>>> x.grad
Tensor([2., 4., 6.], dtype=float32)
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from tensorgrad import data as data
from tensorgrad import losses as losses
from tensorgrad import random as random
from tensorgrad import saving as saving
from tensorgrad.cnn import CNN as CNN
from tensorgrad.debug import detect_anomaly as detect_anomaly
from tensorgrad.debug import to_dot as to_dot
from tensorgrad.debug import to_mermaid as to_mermaid
from tensorgrad.derivatives import grad as grad
from tensorgrad.derivatives import hessian as hessian
from tensorgrad.derivatives import hvp as hvp
from tensorgrad.derivatives import jacobian as jacobian
from tensorgrad.derivatives import jvp as jvp
from tensorgrad.engine import Primitive as Primitive
from tensorgrad.engine import no_grad as no_grad
from tensorgrad.engine import primitive as primitive
from tensorgrad.functional import abs as abs
from tensorgrad.functional import affine as affine
from tensorgrad.functional import all as all
from tensorgrad.functional import any as any
from tensorgrad.functional import arccos as arccos
from tensorgrad.functional import arcsin as arcsin
from tensorgrad.functional import arctan as arctan
from tensorgrad.functional import argmax as argmax
from tensorgrad.functional import argmin as argmin
from tensorgrad.functional import avg_pool2d as avg_pool2d
from tensorgrad.functional import batch_norm as batch_norm
from tensorgrad.functional import broadcast_to as broadcast_to
from tensorgrad.functional import clip as clip
from tensorgrad.functional import col2im as col2im
from tensorgrad.functional import concatenate as concatenate
from tensorgrad.functional import conv2d as conv2d
from tensorgrad.functional import conv_transpose2d as conv_transpose2d
from tensorgrad.functional import cos as cos
from tensorgrad.functional import cosh as cosh
from tensorgrad.functional import cumsum as cumsum
from tensorgrad.functional import dot as dot
from tensorgrad.functional import dropout as dropout
from tensorgrad.functional import einsum as einsum
from tensorgrad.functional import elu as elu
from tensorgrad.functional import erf as erf
from tensorgrad.functional import exp as exp
from tensorgrad.functional import expand_dims as expand_dims
from tensorgrad.functional import expm1 as expm1
from tensorgrad.functional import flip as flip
from tensorgrad.functional import gelu as gelu
from tensorgrad.functional import global_avg_pool2d as global_avg_pool2d
from tensorgrad.functional import global_max_pool2d as global_max_pool2d
from tensorgrad.functional import im2col as im2col
from tensorgrad.functional import layer_norm as layer_norm
from tensorgrad.functional import leaky_relu as leaky_relu
from tensorgrad.functional import linear as linear
from tensorgrad.functional import log as log
from tensorgrad.functional import log1p as log1p
from tensorgrad.functional import log2 as log2
from tensorgrad.functional import log10 as log10
from tensorgrad.functional import log_softmax as log_softmax
from tensorgrad.functional import logsumexp as logsumexp
from tensorgrad.functional import matmul as matmul
from tensorgrad.functional import max as max
from tensorgrad.functional import max_pool2d as max_pool2d
from tensorgrad.functional import maximum as maximum
from tensorgrad.functional import mean as mean
from tensorgrad.functional import min as min
from tensorgrad.functional import min_pool2d as min_pool2d
from tensorgrad.functional import minimum as minimum
from tensorgrad.functional import moveaxis as moveaxis
from tensorgrad.functional import norm as norm
from tensorgrad.functional import outer as outer
from tensorgrad.functional import pad as pad
from tensorgrad.functional import power as power
from tensorgrad.functional import prod as prod
from tensorgrad.functional import relu as relu
from tensorgrad.functional import repeat as repeat
from tensorgrad.functional import reshape as reshape
from tensorgrad.functional import roll as roll
from tensorgrad.functional import sigmoid as sigmoid
from tensorgrad.functional import sign as sign
from tensorgrad.functional import sin as sin
from tensorgrad.functional import sinh as sinh
from tensorgrad.functional import softmax as softmax
from tensorgrad.functional import softplus as softplus
from tensorgrad.functional import sort as sort
from tensorgrad.functional import split as split
from tensorgrad.functional import sqrt as sqrt
from tensorgrad.functional import square as square
from tensorgrad.functional import squeeze as squeeze
from tensorgrad.functional import stack as stack
from tensorgrad.functional import std as std
from tensorgrad.functional import sum as sum
from tensorgrad.functional import swapaxes as swapaxes
from tensorgrad.functional import swish as swish
from tensorgrad.functional import take as take
from tensorgrad.functional import tan as tan
from tensorgrad.functional import tanh as tanh
from tensorgrad.functional import tensordot as tensordot
from tensorgrad.functional import tile as tile
from tensorgrad.functional import transpose as transpose
from tensorgrad.functional import upsample2d as upsample2d
from tensorgrad.functional import var as var
from tensorgrad.functional import where as where
from tensorgrad.kernels.threads import get_num_threads as get_num_threads
from tensorgrad.kernels.threads import set_num_threads as set_num_threads
from tensorgrad.losses import bce as bce
from tensorgrad.losses import bce_with_logits as bce_with_logits
from tensorgrad.losses import cross_entropy as cross_entropy
from tensorgrad.losses import huber as huber
from tensorgrad.losses import mae as mae
from tensorgrad.losses import mse as mse
from tensorgrad.losses import one_hot as one_hot
from tensorgrad.random import seed as seed
from tensorgrad.saving import load_model as load_model
from tensorgrad.saving import save_model as save_model
from tensorgrad.tensor import Tensor as Tensor
from tensorgrad.tensor import tensor as tensor
from tensorgrad.training.history import History as History

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tensorgrad import inspection as inspection
    from tensorgrad import plot as plot
    from tensorgrad import testing as testing


def __getattr__(name: str) -> ModuleType:
    """Import what training does not need when it is first asked for."""
    if name in ("inspection", "plot", "testing"):
        return importlib.import_module(f"tensorgrad.{name}")
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")
