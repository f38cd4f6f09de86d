"""A number for each channel, the last axis: bias, scale, mean. What broadcasting does, without its short inner loops.

Spreading numbers over the pixels and summing over the pixels are each other's transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive, value
from tensorgrad.kernels import batch_norm as by_channels
from tensorgrad.kernels import channels
from tensorgrad.kernels import layer_norm as by_rows
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.activation import (
    LastStep,
    activated,
    before_activation,
    in_place,
    parts_of,
    written_before_activation,
)
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shaping import Shape

__all__ = [
    "batch_norm", "batch_norm_activated", "batch_norm_input", "batch_norm_weight", "channel_dots", "channel_sums",
    "layer_norm", "scale_channels", "shift_channels", "spread_channels",
]  # fmt: skip


@primitive
def channel_sums(x: Array) -> Array:
    """the sum of x over all axes but the last"""
    return channels.channel_sums(x)


@primitive
def spread_channels(b: Array, *, shape: Shape) -> Array:
    """the number ``b[c]`` at all pixels of channel c"""
    return channels.spread_channels(b, shape)


channel_sums.rules(lambda g, _y, _x: spread_channels(g, shape=_x.shape))
spread_channels.rules(lambda g, _y, _b, *, shape: channel_sums(g))


@primitive
def scale_channels(x: Array, a: Any) -> Array:
    """``x[..., c] a[c]``"""
    return channels.scale_channels(x, a)


@primitive
def channel_dots(x: Array, y: Any) -> Array:
    """the sum of ``x y`` over all axes but the last"""
    return channels.channel_dots(x, y)


scale_channels.rules(lambda g, _y, _x, a: scale_channels(g, a), lambda g, _y, x, _a: channel_dots(g, x))
channel_dots.rules(lambda g, _z, _x, y: scale_channels(y, g), lambda g, _z, x, _y: scale_channels(x, g))


@primitive
def shift_channels(x: Array, b: Any) -> Array:
    """``x[..., c] + b[c]``"""
    return channels.shift_channels(x, b)


shift_channels.rules(lambda g, _y, _x, _b: g, lambda g, _y, _x, _b: channel_sums(g))


@primitive
def batch_norm(x: Array, w: Any, b: Any, *, eps: float, moments: Any) -> Array:
    """``(x - mean) / sqrt(var + eps) w + b`` of each channel; moments are x's, or its whole batch's, or None for x's"""
    return by_channels.batch_norm(x, w, b, moments or by_channels.moments(x), eps, None)


@primitive
def batch_norm_input(g: Array, x: Any, w: Any, *, eps: float, moments: Any) -> Array:
    """batch_norm's derivative in x, transposed: ``w / s (g - mean(g) - z mean(g z))``, where ``z = (x - mean) / s``"""
    return by_channels.batch_norm_input(g, x, w, moments or by_channels.moments(x), eps)


@primitive
def batch_norm_weight(g: Array, x: Any, *, eps: float, moments: Any) -> Array:
    """batch_norm's derivative in w, transposed: the sum of ``g z`` over the pixels, z as in batch_norm_input"""
    return by_channels.batch_norm_weight(g, x, moments or by_channels.moments(x), eps)


batch_norm.rules(
    lambda g, _y, x, w, _b, **own: batch_norm_input(g, x, w, **own),
    lambda g, _y, x, _w, _b, **own: batch_norm_weight(g, x, **own),
    lambda g, _y, _x, _w, _b, **own: channel_sums(g),
)
batch_norm.at_once(lambda g, _y, x, w, _b, **own: _gradients(g, x, w, **own))
batch_norm_input.rules(
    lambda h, _y, _g, x, w, **own: batch_norm_input(h, x, w, **_undivided(own)),
    lambda h, _y, g, x, w, **own: _by_x(h, g, x, w, **_undivided(own)),
    lambda h, _y, g, x, _w, **own: channel_dots(h, batch_norm_input(g, x, _for_each(x, 1), **_undivided(own))),
)
batch_norm_weight.rules(
    lambda h, _y, _g, x, **own: scale_channels(_standardized(x, **_undivided(own)), h),
    lambda h, _y, g, x, **own: batch_norm_input(g, x, h, **_undivided(own)),
)


def _undivided(own: dict[str, Any]) -> dict[str, Any]:
    """The same parameters, or an error if the batch is divided, whose second derivatives would need further sums."""
    if own["moments"] is not None and own["moments"].averaged is not None:
        raise NotImplementedError(
            "batch_norm: it has no second derivatives while it is synchronized over several ranks; use "
            "BatchNorm(synchronized=False), or one process"
        )
    return own


@primitive
def batch_norm_activated(x: Array, w: Any, b: Any, *, activation: LastStep, eps: float, moments: Any) -> Array:
    """``y = activation(batch_norm(x, w, b))``, without a pass over memory for the activation"""
    return by_channels.batch_norm(x, w, b, moments or by_channels.moments(x), eps, in_place(activation))


batch_norm_activated.rules(
    lambda g, _y, x, w, _b, *, activation, **own: batch_norm_input(g, x, w, **own),
    lambda g, _y, x, _w, _b, *, activation, **own: batch_norm_weight(g, x, **own),
    lambda g, _y, _x, _w, _b, **own: channel_sums(g),
)
batch_norm_activated.ends_with(
    lambda g, y, _x, _w, _b, *, activation, **_: before_activation(g, y, activation),
    in_place=written_before_activation,
)
batch_norm_activated.at_once(lambda g, _y, x, w, _b, *, activation, **own: _gradients(g, x, w, **own))
batch_norm_activated.stands_for(
    lambda x, w, b, *, activation, **own: activated(batch_norm(x, w, b, **own), activation),
    lambda activation, **_: (batch_norm, *parts_of(activation)),
)


def _gradients(g: Array, x: Array, w: Array, *, eps: float, moments: Any) -> tuple[Array, Array, Array]:
    """The gradients by all three inputs, which share the sums over g."""
    return by_channels.batch_norm_gradients(g, x, w, moments or by_channels.moments(x), eps)


def _by_x(h: Any, g: Any, x: Any, w: Any, **own: Any) -> Any:
    """The gradient by x of sum(h batch_norm_input(g, x, w)) = sum(h w g) / s - mean(h w) sum(g) / s - n a b / s.

    Here a = mean(h w z) and b = mean(g z), through which x comes in, and 1 / s, whose derivative is -z / (n s^2).
    """
    n = value(x).size // value(x).shape[-1]
    h, z = scale_channels(h, w), _standardized(x, **own)
    centered = shift_channels(x, channel_sums(x) * (-1 / n))
    inverse = (channel_dots(centered, centered) * (1 / n) + own["eps"]) ** -0.5
    a, b = (batch_norm_weight(k, x, **own) * (1 / n) for k in (h, g))
    whole = channel_dots(h, g) - channel_sums(h) * channel_sums(g) * (1 / n) - a * b * n
    by_z = batch_norm_input(scale_channels(h, inverse * b) + scale_channels(g, inverse * a), x, _for_each(x, 1), **own)
    return -by_z - scale_channels(z, inverse**2 * whole * (1 / n))


def _standardized(x: Any, **own: Any) -> Any:
    return batch_norm(x, _for_each(x, 1), _for_each(x, 0), **own)


def _for_each(x: Any, number: float) -> Any:
    """The same number for each channel of x."""
    return np.full(value(x).shape[-1:], number, value(x).dtype)


@primitive
def layer_norm(x: Array, w: Any, b: Any, *, eps: float) -> Array:
    """``(x - mean) / sqrt(var + eps) w + b``, where mean and var are those of the channels of each pixel"""
    return by_rows.layer_norm(x, w, b, eps)


layer_norm.rules(
    lambda g, _y, x, w, _b, *, eps: _by_rows(scale_channels(g, w), *_standardized_rows(x, eps)),
    lambda g, _y, x, _w, _b, *, eps: channel_dots(g, _standardized_rows(x, eps)[0]),
    lambda g, _y, _x, _w, _b, *, eps: channel_sums(g),
)
layer_norm.at_once(lambda g, _y, x, w, _b, *, eps: by_rows.layer_norm_gradients(g, x, w, eps))


def _by_rows(h: Any, z: Any, inverse: Any) -> Any:
    """``(h - mean(h) - z mean(h z)) / s``, with ``z = (x - mean) / s``, for each pixel."""
    return (h - _mean_of_row(h) - z * _mean_of_row(h * z)) * inverse


def _standardized_rows(x: Any, eps: float) -> tuple[Any, Any]:
    """``z = (x - mean) / s`` and ``1 / s`` for each pixel."""
    centered = x - _mean_of_row(x)
    inverse = (_mean_of_row(centered * centered) + eps) ** -0.5
    return centered * inverse, inverse


def _mean_of_row(x: Any) -> Any:
    return total(x, axis=(value(x).ndim - 1,), keepdims=True) * (1 / value(x).shape[-1])
