"""Dropout, batch normalization and layer normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import ops
from tensorgrad.checks import Axis, axes, brief, epsilon, is_number, one_of
from tensorgrad.functional.activations import ACTIVATIONS, ending
from tensorgrad.kernels.batch_norm import Moments, moments
from tensorgrad.kernels.half import in_float32
from tensorgrad.kernels.memory import Array
from tensorgrad.random import RNG, generator
from tensorgrad.recording import Summing, summing
from tensorgrad.tensor import Tensor, TensorLike, as_tensor

__all__ = ["batch_norm", "dropout", "layer_norm"]


def dropout(x: TensorLike, prob: float = 0.5, *, training: bool = True, rng: RNG = None) -> Tensor:
    """Set a share of the elements to zero and scale up the others, so that the mean stays (Srivastava et al. 2014).

    Parameters
    ----------
    x : array_like
    prob : float, 0 <= prob < 1
        The share that is dropped; the others are divided by ``1 - prob``.
    training : bool
        Whether to drop anything; otherwise x is returned unchanged.
    rng : None, int or numpy.random.Generator
        The source of randomness; by default the library's own generator.

    """
    t = as_tensor(x).floating()
    if not (is_number(prob) and 0 <= prob < 1):
        raise ValueError(f"dropout: prob is the share that is dropped, 0 <= prob < 1; received {brief(prob)}")
    if not training or prob == 0:
        return t
    real = t.array.real.dtype
    draws = generator(rng).random(t.shape, dtype=np.float32)
    mask = (draws >= prob).astype(real)
    mask *= 1 / (1 - prob)
    return t * Tensor.wrap(mask)


@in_float32
def layer_norm(
    x: TensorLike,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    *,
    axis: Axis = -1,
    eps: float = 1e-5,
) -> Tensor:
    """Give each sample mean 0 and variance 1 over the axes, then scale and shift (Ba et al. 2016).

    ``y = (x - mean) / sqrt(var + eps) * weight + bias``
    """
    t, eps = as_tensor(x).floating(), epsilon(eps, "layer_norm", least=0.0)
    over = axes(axis, t.ndim, "layer_norm")
    _check_scale(t, weight, bias, "layer_norm")
    if over == (t.ndim - 1,) and t.size and _per_channel_or_none(t, weight, bias):
        return ops.layer_norm(t, *_scale_and_shift(t, weight, bias), eps=eps)
    standardized = (t - t.mean(over, keepdims=True)) / (t.var(over, keepdims=True) + eps).sqrt()
    return _scaled(standardized, weight, bias)


@in_float32
def batch_norm(
    x: TensorLike,
    weight: TensorLike | None = None,
    bias: TensorLike | None = None,
    *,
    running_mean: Any = None,
    running_var: Any = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
    synchronized: bool = False,
    activation: str | None = None,
) -> Tensor:
    """Give each channel, the last axis, mean 0 and variance 1, then scale and shift (Ioffe & Szegedy 2015).

    ``y = (x - mean) / sqrt(var + eps) * weight + bias``

    Parameters
    ----------
    x : array_like, shape=(..., C)
    weight, bias : array_like, shape=(C,), optional
        The scale and the shift.
    running_mean, running_var : ndarray, shape=(C,), optional
        Used when not training. While training they are updated in place: each becomes ``1 - momentum`` of itself plus
        `momentum` of the batch's mean or unbiased variance, as in PyTorch.
    training : bool
        Whether to normalize by the batch's own statistics and update the running ones.
    momentum, eps : float
    synchronized : bool
        Whether, where several ranks train together, the batch is that of all of them, not this one's part of it.
    activation : str, optional
        A name from ``ACTIVATIONS``. In training, one that has a ``last_step`` is applied in the same pass over memory.

    Returns
    -------
    Tensor, shape=(..., C)

    """
    if activation is not None:
        one_of(activation, ACTIVATIONS, "batch_norm", "activation")
    t, eps = as_tensor(x).floating(), epsilon(eps, "batch_norm", least=0.0)
    for title, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None and np.shape(running) != t.shape[-1:]:
            raise ValueError(
                f"batch_norm: expected a {title} of shape {t.shape[-1:]}, one per channel; "
                f"received shape {np.shape(running)}"
            )
    _check_scale(t, weight, bias, "batch_norm")
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm: without training it needs running_mean and running_var; received none")
        mean, var = (as_tensor(running).astype(t.dtype) for running in (running_mean, running_var))
        y = _scaled(ops.scale_channels(ops.shift_channels(t, -mean), (var + eps) ** -0.5), weight, bias)
        return y if activation is None else ACTIVATIONS[activation](y)
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm: running_mean and running_var are updated together; pass both, or neither")
    count = t.size // t.shape[-1] if t.ndim and t.shape[-1] else 0
    ranks = summing() if synchronized else None
    known = moments(t.array) if count else None
    if ranks is not None and known is not None:
        known, count = _of_whole_batch(known, count, ranks)
    if known is None or count < 2:
        raise ValueError(
            f"batch_norm: training needs at least two values per channel, received shape {t.shape}; use a larger batch"
        )
    if running_mean is not None and running_var is not None:
        unbiased = known.variance * (count / (count - 1))
        for running, new in ((running_mean, known.mean), (running_var, unbiased)):
            running *= 1 - momentum
            running += momentum * new
    at_once = _per_channel_or_none(t, weight, bias)
    scale, shift = _scale_and_shift(t, *((weight, bias) if at_once else (None, None)))
    last_step, _ = ending(activation)
    own: dict[str, Any] = {"eps": eps, "moments": known}
    if at_once and last_step is not None:
        return ops.batch_norm_activated(t, scale, shift, activation=last_step, **own)
    y = ops.batch_norm(t, scale, shift, **own)
    y = y if at_once else _scaled(y, weight, bias)
    return y if activation is None else ACTIVATIONS[activation](y)


def _of_whole_batch(part: Moments, count: int, ranks: Summing) -> tuple[Moments, int]:
    """The moments of a batch that is divided among ranks, and its values per channel, from those of one part."""
    mean, variance = (a.astype(np.float64) for a in part[:2])
    sums = count * np.concatenate([[1.0], mean, variance + mean**2])
    ranks.sum(sums)
    total = sums[0]
    mean, square = np.split(sums[1:] / total, 2)

    def averaged(sums: Array) -> Array:
        wide = sums.reshape(-1).astype(np.float64)
        ranks.sum(wide)
        means: Array = (wide / total).astype(sums.dtype)
        return means.reshape(sums.shape)

    dtype = part.mean.dtype
    return Moments(mean.astype(dtype), np.maximum(square - mean**2, 0).astype(dtype), averaged), int(total)


def _check_scale(x: Tensor, weight: TensorLike | None, bias: TensorLike | None, name: str) -> None:
    for title, given in (("weight", weight), ("bias", bias)):
        shape = () if given is None else as_tensor(given).shape
        if len(shape) > x.ndim or any(n not in (1, m) for n, m in zip(shape[::-1], x.shape[::-1], strict=False)):
            raise ValueError(f"{name}: a {title} of shape {shape} does not go with an input of shape {x.shape}")


def _scaled(x: Tensor, weight: TensorLike | None, bias: TensorLike | None) -> Tensor:
    if weight is not None:
        w = as_tensor(weight)
        x = ops.scale_channels(x, w) if _per_channel(x, w) else x * w
    if bias is not None:
        b = as_tensor(bias)
        x = ops.shift_channels(x, b) if _per_channel(x, b) else x + b
    return x


def _scale_and_shift(x: Tensor, weight: TensorLike | None, bias: TensorLike | None) -> tuple[Tensor, Tensor]:
    """A number for each channel: the weight and the bias, or 1 and 0 where there is none."""
    scale, shift = (
        as_tensor(np.full(x.shape[-1:], neutral, x.dtype) if given is None else given)
        for given, neutral in ((weight, 1), (bias, 0))
    )
    return scale, shift


def _per_channel_or_none(x: Tensor, *numbers: TensorLike | None) -> bool:
    return all(a is None or _per_channel(x, as_tensor(a)) for a in numbers)


def _per_channel(x: Tensor, a: Tensor) -> bool:
    return x.ndim > 0 and a.shape == x.shape[-1:] and a.dtype == x.dtype
