"""Losses: how far predictions are from what they should be. Each is a scalar, the mean over the batch, unless told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tensorgrad import ops
from tensorgrad.checks import brief, check_function, check_unmasked, one_of, whole
from tensorgrad.engine import value
from tensorgrad.functional.activations import ACTIVATIONS
from tensorgrad.kernels.half import in_float32
from tensorgrad.tensor import Array, Tensor, TensorLike, as_tensor
from tensorgrad.vocabulary import check_new

__all__ = ["bce", "bce_with_logits", "cross_entropy", "huber", "mae", "mse", "one_hot"]


def mse(prediction: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """The squared error, ``(prediction - target)^2``, averaged over all elements."""
    p, t = _same_shape(prediction, target, "mse")
    away = p - t
    return _reduced(away * away, reduction, "mse")


def mae(prediction: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """The absolute error, ``|prediction - target|``, averaged over all elements."""
    p, t = _same_shape(prediction, target, "mae")
    return _reduced((p - t).abs(), reduction, "mae")


def huber(prediction: TensorLike, target: TensorLike, delta: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """Half of the squared error up to `delta`, and a straight line beyond it (Huber 1964).

    ``e^2 / 2`` where ``e = |prediction - target| <= delta``, else ``delta (e - delta / 2)``.
    """
    if not delta > 0:
        raise ValueError(f"huber: delta must be positive, received {brief(delta)}")
    p, t = _same_shape(prediction, target, "huber")
    error = (p - t).abs()
    near = error.clip(None, delta)  # e (near) - near^2 / 2 is both branches at once
    return _reduced(near * error - 0.5 * near * near, reduction, "huber")


def bce(probability: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy of probabilities: ``-(t ln(p) + (1 - t) ln(1 - p))``.

    The logarithms are bounded from below by -100, and the gradient divides by at least 1e-12, so that it also leads
    away from 0 and 1, as PyTorch has it. From logits, :func:`bce_with_logits` is exact.
    """
    p, t = _same_shape(probability, target, "bce")
    if p.size and not ((p.array.real >= 0).all() and (p.array.real <= 1).all()):
        raise ValueError("bce: expected probabilities between 0 and 1; for logits use bce_with_logits")
    return _reduced(ops.binary_cross_entropy(p, t), reduction, "bce")


def bce_with_logits(logits: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """Binary cross-entropy of sigmoid(logits), without overflow: ``softplus(x) - t x``."""
    x, t = _same_shape(logits, target, "bce_with_logits")
    return _reduced(ops.softplus(x) - t * x, reduction, "bce_with_logits")


@in_float32
def cross_entropy(
    logits: TensorLike,
    labels: TensorLike,
    *,
    label_smoothing: float = 0.0,
    class_weights: TensorLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy of softmax(logits), in one pass that cannot overflow.

    ``-sum over c of w[c] t[c] ln softmax(logits)[c]``

    Parameters
    ----------
    logits : array_like, shape=(..., classes)
    labels : array_like of ints, shape=(...,), or of floats, shape=(..., classes)
        The class of each sample, or a distribution over the classes for each (one-hot or soft).
    label_smoothing : float, 0 <= label_smoothing <= 1
        The share of each target that is spread evenly over all classes.
    class_weights : array_like, shape=(classes,), optional
        A weight for each class. With integer labels the mean is then by weight, as PyTorch has it.
    ignore_index : int, optional
        An integer label that does not count: its loss and gradient are 0, and the mean is over the others.
    reduction : "mean", "sum" or "none"

    Raises
    ------
    ValueError
        If shapes do not go together, or a label is out of range.

    """
    x = as_tensor(logits).floating()
    if not x.ndim:
        raise ValueError("cross_entropy: expected logits of shape (..., classes), received a single number")
    one_of(reduction, ("mean", "sum", "none"), "cross_entropy", "reduction")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must lie in 0 to 1, received {brief(label_smoothing)}")
    classes = x.shape[-1]
    check_unmasked(labels, "cross_entropy", "labels")
    given = value(labels)
    given = given if isinstance(given, np.ndarray | np.generic) else np.asarray(given)
    by_index = given.dtype.kind in "iub" and given.shape != x.shape
    if not isinstance(ignore_index, int | np.integer | None):
        raise TypeError(f"cross_entropy: ignore_index must be an int, received {brief(ignore_index)}")
    if ignore_index is not None and not by_index:
        raise ValueError("cross_entropy: ignore_index needs integer labels, received a distribution for each sample")
    counts = None if ignore_index is None else given != ignore_index
    if counts is not None:
        given = np.where(counts, given, 0)
    target = (
        Tensor.wrap(_one_hot(given, classes, x.dtype, "cross_entropy"))
        if by_index
        else as_tensor(labels).astype(x.dtype)
    )
    if target.shape != x.shape:
        raise ValueError(
            f"cross_entropy: labels of {given.dtype} and shape {given.shape} do not go with logits of shape {x.shape}; "
            f"expected integers of shape {x.shape[:-1]} or a distribution of shape {x.shape}"
        )
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    if counts is not None:
        target = target * counts[..., None].astype(x.dtype)
    if class_weights is None:
        loss = ops.softmax_cross_entropy(x, target)
        if counts is not None and reduction == "mean":
            return loss.sum() / max(1, int(np.count_nonzero(counts)))
        return _reduced(loss, reduction, "cross_entropy")
    weights = as_tensor(class_weights).astype(x.dtype)
    if weights.shape != (classes,):
        raise ValueError(f"cross_entropy: expected {classes} class weights, received shape {weights.shape}")
    loss = ops.softmax_cross_entropy(x, target * weights)
    if reduction == "mean" and by_index:
        each = weights[given.astype(int)]
        return loss.sum() / (each if counts is None else each[counts]).sum()
    return _reduced(loss, reduction, "cross_entropy")


def one_hot(labels: TensorLike, classes: int, dtype: npt.DTypeLike = np.float32) -> Array:
    """A row of zeros with a single 1 for each integer label: ``(..., classes)``."""
    check_unmasked(labels, "one_hot", "labels")
    return _one_hot(np.asarray(value(labels)), whole(classes, "one_hot", "classes"), dtype, "one_hot")


def _one_hot(given: Any, classes: int, dtype: npt.DTypeLike, name: str) -> Array:
    if given.dtype.kind == "b":
        given = given.astype(np.uint8)
    if given.dtype.kind not in "iu":
        remedy = "; use astype(int) if they are whole numbers" if given.dtype.kind == "f" else ""
        raise TypeError(f"{name}: expected integer labels, received {given.dtype}{remedy}")
    if given.size and (given.min() < 0 or given.max() >= classes):
        wrong = given.min() if given.min() < 0 else given.max()
        raise ValueError(f"{name}: label {wrong} is out of range; with {classes} classes, expected 0 to {classes - 1}")
    return np.equal(given[..., None], np.arange(classes)).astype(dtype)  # type: ignore[no-any-return]


def _same_shape(prediction: TensorLike, target: TensorLike, name: str) -> tuple[Tensor, Tensor]:
    p = as_tensor(prediction).floating()
    t = as_tensor(target).astype(p.dtype)
    if p.shape != t.shape:
        raise ValueError(f"{name}: prediction and target must have the same shape; received {p.shape} and {t.shape}")
    return p, t


def _reduced(loss: Tensor, reduction: str, name: str) -> Tensor:
    one_of(reduction, ("mean", "sum", "none"), name, "reduction")
    if reduction == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


# -- losses by name -----------------------------------------------------------------------------------------

LossFunction: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Loss:
    """A loss that models can be compiled with.

    Attributes
    ----------
    name : str
    function : callable
        From outputs and targets to the loss of each element, of each sample, or their mean.
    of_logits : callable, optional
        The same loss from what the last activation was applied to, where that is more exact.
    after : "classes", "labels" or ""
        What the outputs must be, as :class:`tensorgrad.functional.activations.Activation` says it of the activation
        that they come from; anything if empty.
    """

    name: str
    function: LossFunction
    of_logits: LossFunction | None = None
    after: str = ""


def _surprise(probabilities: Tensor, target: Tensor) -> Tensor:
    """-sum(target log(probabilities)) over the last axis, the logarithm bounded from below by -100."""
    return -(target * ops.bounded_log(probabilities)).sum(-1)


_each: dict[str, Any] = {"reduction": "none"}
_binary = (partial(bce, **_each), partial(bce_with_logits, **_each))

LOSSES: dict[str, tuple[Loss, ...]] = {
    "mse": (Loss("mse", partial(mse, **_each)),),
    "cse": (
        Loss("cse", _surprise, partial(cross_entropy, **_each), after="classes"),
        Loss("cse", *_binary, after="labels"),
    ),
    "mae": (Loss("mae", partial(mae, **_each)),),
    "huber": (Loss("huber", partial(huber, **_each)),),
    "bce": (Loss("bce", *_binary, after="labels"),),
}
"""The losses known by name, with a variant for each activation that the outputs may come from."""


def register(loss: LossFunction | Loss, name: str | None = None) -> None:
    """Register a loss under a name, so that models can be compiled with it by name and files can be loaded.

    Parameters
    ----------
    loss : callable or Loss
        ``f(outputs, targets)``, the loss of each element, of each sample, or their mean.
    name : str, optional
        By default that of the function.

    Raises
    ------
    ValueError
        If the name is taken.

    Examples
    --------
    >>> def tilted(outputs, targets):
    ...     return abs(outputs - targets) + 0.5 * (outputs - targets)
    >>> register(tilted)
    >>> LOSSES.pop("tilted")[0].name
    'tilted'
    """
    record = loss if isinstance(loss, Loss) else Loss(name or name_of(loss), loss)
    check_new(record.name, "loss", "losses.register")
    if record.name in LOSSES:
        raise ValueError(f"losses.register: there is a loss {record.name!r} already; give another name")
    LOSSES[record.name] = (record,)


def find(given: str | LossFunction | Loss, activation: str | None) -> Loss:
    """The loss of a name, a function or a record, for a model with that last activation."""
    if isinstance(given, Loss):
        variants: tuple[Loss, ...] = (given,)
    elif callable(given):
        check_function(given, ("outputs", "targets"), f"compile_model: loss {name_of(given)!r}")
        own = (Loss(name_of(given), given),)
        variants = next((known for known in LOSSES.values() if known[0].function is given), own)
    else:
        one_of(given, LOSSES, "compile_model", "loss")
        variants = LOSSES[given]
    outputs = ACTIVATIONS[activation].outputs if activation else "values"
    for loss in variants:
        if loss.after in ("", outputs):
            return loss
    needed = " or ".join(repr({"classes": "softmax"}.get(loss.after, "sigmoid")) for loss in variants)
    raise ValueError(
        f"compile_model: loss {variants[0].name!r} needs probabilities, but the last layer's activation is "
        f"{activation!r}; give it activation={needed}"
    )


def name_of(function: Callable[..., Any]) -> str:
    """The name of a user's function."""
    return getattr(function, "__name__", type(function).__name__)
