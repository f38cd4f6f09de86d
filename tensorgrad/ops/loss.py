"""Losses whose parts would overflow, or lose their digits, if they were computed one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive
from tensorgrad.ops.activation import log_softmax, softmax
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
    last = (len(logits.shape) - 1,)
    weight = total(target, axis=last, keepdims=True)
    return _column(g) * (softmax(logits, axis=last) * weight - target)


def _column(g: Any) -> Any:
    return reshape(g, shape=(*g.shape, 1))


softmax_cross_entropy.rules(
    _excess,
    lambda g, _y, logits, _target: -_column(g) * log_softmax(logits, axis=(len(logits.shape) - 1,)),
)
