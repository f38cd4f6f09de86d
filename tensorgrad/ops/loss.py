"""Losses whose parts would overflow, or lose their digits, if they were computed one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive, value
from tensorgrad.kernels import classes
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.activation import log_softmax, softmax
from tensorgrad.ops.arithmetic import maximum, where
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shaping import reshape

__all__ = ["binary_cross_entropy", "bounded_log", "softmax_cross_entropy", "softmax_cross_entropy_logits"]


@primitive
def softmax_cross_entropy(logits: Array, target: Any) -> Array:
    """``-sum(target ln softmax(logits))`` over the last axis"""
    return classes.cross_entropy(logits, target)


@primitive
def softmax_cross_entropy_logits(g: Array, logits: Any, target: Any) -> Array:
    """the transpose of softmax_cross_entropy's derivative in logits: ``g (softmax(logits) sum(target) - target)``"""
    return classes.cross_entropy_logits(g, logits, target)


def _last(x: Any) -> tuple[int]:
    return (len(x.shape) - 1,)


def _column(g: Any) -> Any:
    return reshape(g, shape=(*g.shape, 1))


softmax_cross_entropy.rules(
    lambda g, _y, logits, target: softmax_cross_entropy_logits(g, logits, target),
    lambda g, _y, logits, _target: -_column(g) * log_softmax(logits, axis=_last(logits)),
)
softmax_cross_entropy.stands_for(
    lambda logits, target: (
        -total(target * _finite(log_softmax(logits, axis=_last(logits))), axis=_last(logits), keepdims=False)
    ),
    lambda: (log_softmax, total),
)


def _finite(log: Any) -> Any:
    """The logarithm, and 0 where a class is masked."""
    return where(np.isneginf(value(log)), 0.0, log)


def _by_logits(h: Any, _y: Any, g: Any, logits: Any, target: Any) -> Any:
    """Softmax's own derivative, of h g sum(target)."""
    last = _last(logits)
    p, v = softmax(logits, axis=last), h * _column(g) * total(target, axis=last, keepdims=True)
    return p * (v - total(v * p, axis=last, keepdims=True))


softmax_cross_entropy_logits.rules(
    lambda h, _y, g, logits, target: total(
        h * softmax_cross_entropy_logits(_ones(g), logits, target), axis=_last(logits), keepdims=False
    ),
    _by_logits,
    lambda h, _y, g, logits, _target: (
        _column(g) * (total(h * softmax(logits, axis=_last(logits)), axis=_last(logits), keepdims=True) - h)
    ),
)


def _ones(g: Any) -> Any:
    return np.ones(value(g).shape, value(g).dtype)


@primitive
def bounded_log(probability: Any) -> Any:
    """``ln(probability)``, at least -100; its gradient is that of ``ln(max(probability, 1e-12))``"""
    with np.errstate(divide="ignore"):
        log = np.log(probability)
    return np.where(log.real > -100, log, -100).astype(log.dtype)


bounded_log.rules(lambda g, _y, probability: g / maximum(probability, _least(probability)))


@primitive
def binary_cross_entropy(probability: Any, target: Any) -> Any:
    """``-(target ln(probability) + (1 - target) ln(1 - probability))``, the logarithms at least -100"""
    yes, no = bounded_log(probability), bounded_log(1 - probability)
    return -(target * yes + (1 - target) * no)


def _least(x: Any) -> float:
    """What a gradient divides by at least: a guard in the rule, as one in the value would leave no gradient."""
    return max(1e-12, float(np.finfo(x.dtype).tiny))


binary_cross_entropy.rules(
    lambda g, _y, p, t: g * (p - t) / maximum(p * (1 - p), _least(p)),
    lambda g, _y, p, _t: g * (bounded_log(1 - p) - bounded_log(p)),
)
