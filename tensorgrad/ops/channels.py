"""A number for each channel, the last axis: bias, scale, mean. What broadcasting does, without its short inner loops.

Spreading numbers over the pixels and summing over the pixels are each other's transpose.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.engine import primitive
from tensorgrad.kernels import elementwise


@primitive
def channel_sums(x: Any) -> Any:
    """the sum of x over all axes but the last"""
    return elementwise.channel_sums(x)


@primitive
def spread_channels(b: Any, *, shape: Any) -> Any:
    """the number b[c] at all pixels of channel c"""
    return elementwise.spread_channels(b, shape)


channel_sums.rules(lambda g, _y, _x: spread_channels(g, shape=_x.shape))
spread_channels.rules(lambda g, _y, _b, *, shape: channel_sums(g))


@primitive
def scale_channels(x: Any, a: Any) -> Any:
    """x[..., c] a[c]"""
    return elementwise.scale_channels(x, a)


scale_channels.rules(lambda g, _y, _x, a: scale_channels(g, a), lambda g, _y, x, _a: channel_sums(g * x))


@primitive
def shift_channels(x: Any, b: Any) -> Any:
    """x[..., c] + b[c]"""
    return elementwise.shift_channels(x, b)


shift_channels.rules(lambda g, _y, _x, _b: g, lambda g, _y, _x, _b: channel_sums(g))
