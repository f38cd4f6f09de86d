"""Losses whose parts would overflow, or lose their digits, if they were computed one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive, value
from tensorgrad.ops.activation import log_softmax, softmax
from tensorgrad.ops.arithmetic import where
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shaping import reshape


@primitive
def softmax_cross_entropy(logits: Any, target: Any) -> Any:
    """-sum(target log softmax(logits)) over the last axis"""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    surprise = np.where(target == 0, 0, log_sum - shifted)  # infinite where a class is masked: 0 times that is 0
    return (target * surprise).sum(axis=-1)


def _excess(g: Any, _y: Any, logits: Any, target: Any) -> Any:
    """What softmax says beyond what the target has: softmax(logits) sum(target) - target."""
    last = _last(logits)
    weight = total(target, axis=last, keepdims=True)
    return _column(g) * (softmax(logits, axis=last) * weight - target)


def _last(x: Any) -> tuple[int]:
    return (len(x.shape) - 1,)


def _column(g: Any) -> Any:
    return reshape(g, shape=(*g.shape, 1))


softmax_cross_entropy.rules(
    _excess,
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
