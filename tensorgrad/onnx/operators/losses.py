"""Losses of classes, as operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import functional as F
from tensorgrad.engine import value
from tensorgrad.onnx.operators.placed import Attributes, in_file_order


def reduced(a: Attributes, logs: Any, labels: Any, weights: Any) -> Any:
    """The loss of log-probabilities (N, C, ...) at labels (N, ...), of which some may be ignored."""
    rows, picked = F.moveaxis(logs, 1, -1), value(labels)
    ignored = picked == a["ignore_index"] if "ignore_index" in a else np.zeros(picked.shape, bool)
    picked = np.where(ignored, 0, picked)
    hits = (picked[..., None] == np.arange(rows.shape[-1])).astype(rows.dtype)
    each = -(rows * hits).sum(-1)
    weight = (np.ones(picked.shape, rows.dtype) if weights is None else value(weights)[picked]) * ~ignored
    loss = each * weight
    match a.get("reduction", "mean"):
        case "none":
            return loss
        case "sum":
            return loss.sum()
    return loss.sum() / weight.sum()


@in_file_order
def NegativeLogLikelihoodLoss(a: Attributes, logs: Any, labels: Any, weights: Any = None) -> Any:
    """Of log-probabilities."""
    return reduced(a, logs, labels, weights)


@in_file_order
def SoftmaxCrossEntropyLoss(a: Attributes, x: Any, labels: Any, weights: Any = None) -> Any:
    """Of logits; their log-probabilities come second."""
    logs = F.log_softmax(x, 1)
    return reduced(a, logs, labels, weights), logs
