"""Windows over images: im2col, convolution, pooling. Each family is closed under differentiation.

im2col and col2im are each other's transpose. conv2d is bilinear, and so are its transposes by the images and
by the kernels: the rules of the three are one another. Selecting a window's extreme and placing a gradient
there are each other's transpose, and so are averaging and spreading.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.engine import primitive
from tensorgrad.kernels import convolution, lowering, pooling
from tensorgrad.kernels.lowering import Frame, Pair
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.activation import (
    LastStep,
    activated,
    before_activation,
    in_place,
    parts_of,
    written_before_activation,
)
from tensorgrad.ops.channels import channel_sums, shift_channels
from tensorgrad.ops.shaping import Shape

__all__ = [
    "avg_pool2d", "col2im", "conv2d", "conv2d_bias", "conv2d_input", "conv2d_weight", "im2col", "max_pool2d",
    "min_pool2d", "pool_place", "pool_select", "pool_spread", "repeat_pixels", "window_sums",
]  # fmt: skip


@primitive
def im2col(x: Array, *, size: Pair, stride: Pair, padding: Frame, dilation: Pair) -> Array:
    """the windows of images as the rows of a matrix"""
    return lowering.im2col(x, size, stride, padding, dilation)


@primitive
def col2im(cols: Array, *, shape: Shape, size: Pair, stride: Pair, padding: Frame, dilation: Pair) -> Array:
    """the rows of a matrix added to the windows of images"""
    return lowering.col2im(cols, shape, size, stride, padding, dilation)


im2col.rules(lambda g, _y, _x, **windows: col2im(g, shape=_x.shape, **windows))
col2im.rules(lambda g, _y, _cols, *, shape, **windows: im2col(g, **windows))


@primitive
def conv2d(x: Array, w: Any, *, stride: Pair, padding: Frame, dilation: Pair, groups: int) -> Array:
    """``y[i, j, f] = sum over a, b, c of x[i s + a d - p, j s + b d - p, c] w[a, b, c, f]``"""
    return convolution.conv2d(x, w, stride, padding, dilation, groups)


@primitive
def conv2d_input(g: Array, w: Any, *, shape: Shape, stride: Pair, padding: Frame, dilation: Pair, groups: int) -> Array:
    """the transpose of conv2d in x: to ``x[i s + a d - p, j s + b d - p, c]`` is added ``g[i, j, f] w[a, b, c, f]``"""
    return convolution.conv2d_input(g, w, shape, stride, padding, dilation, groups)


@primitive
def conv2d_weight(x: Array, g: Any, *, size: Pair, stride: Pair, padding: Frame, dilation: Pair, groups: int) -> Array:
    """the transpose of conv2d in w: ``sum over i, j of x[i s + a d - p, j s + b d - p, c] g[i, j, f]``"""
    return convolution.conv2d_weight(x, g, size, stride, padding, dilation, groups)


conv2d.rules(
    lambda g, _y, _x, w, **geometry: conv2d_input(g, w, shape=_x.shape, **geometry),
    lambda g, _y, x, _w, **geometry: conv2d_weight(x, g, size=_w.shape[:2], **geometry),
)
conv2d.at_once(lambda g, _y, x, w, **geometry: convolution.conv2d_gradients(g, x, w, **geometry))
conv2d_input.rules(
    lambda h, _x, _g, w, *, shape, **geometry: conv2d(h, w, **geometry),
    lambda h, _x, g, _w, *, shape, **geometry: conv2d_weight(h, g, size=_w.shape[:2], **geometry),
)
conv2d_weight.rules(
    lambda h, _w, _x, g, *, size, **geometry: conv2d_input(g, h, shape=_x.shape, **geometry),
    lambda h, _w, x, _g, *, size, **geometry: conv2d(x, h, **geometry),
)


@primitive
def conv2d_bias(
    x: Array, w: Any, b: Any, *, activation: LastStep | None, stride: Pair, padding: Frame, dilation: Pair, groups: int
) -> Array:
    """``activation(conv2d(x, w) + b)``, without a pass over memory for each"""
    return convolution.conv2d(x, w, stride, padding, dilation, groups, b, in_place(activation))


conv2d_bias.rules(
    lambda g, _y, _x, w, _b, *, activation, **geometry: conv2d_input(g, w, shape=_x.shape, **geometry),
    lambda g, _y, x, _w, _b, *, activation, **geometry: conv2d_weight(x, g, size=_w.shape[:2], **geometry),
    lambda g, _y, _x, _w, _b, **geometry: channel_sums(g),
)
conv2d_bias.ends_with(
    lambda g, y, _x, _w, _b, *, activation, **_: before_activation(g, y, activation),
    in_place=written_before_activation,
)
conv2d_bias.at_once(
    lambda g, _y, x, w, _b, *, activation, **geometry: (
        *convolution.conv2d_gradients(g, x, w, **geometry),
        channel_sums(g),
    )
)
conv2d_bias.stands_for(
    lambda x, w, b, *, activation, **geometry: activated(shift_channels(conv2d(x, w, **geometry), b), activation),
    lambda activation, **_: (conv2d, shift_channels, *parts_of(activation)),
)


@primitive
def max_pool2d(x: Array, *, size: Pair, stride: Pair, padding: Frame) -> Array:
    """the largest pixel of each window; the first of equal ones takes the gradient"""
    return pooling.extreme(x, size, stride, padding, largest=True)


@primitive
def min_pool2d(x: Array, *, size: Pair, stride: Pair, padding: Frame) -> Array:
    """the smallest pixel of each window; the first of equal ones takes the gradient"""
    return pooling.extreme(x, size, stride, padding, largest=False)


@primitive
def pool_select(v: Array, x: Any, y: Any, *, size: Pair, stride: Pair, padding: Frame) -> Array:
    """v at the place of each window's extreme y in x"""
    return pooling.select(v, x, y, size, stride, padding)


@primitive
def pool_place(g: Array, x: Any, y: Any, *, size: Pair, stride: Pair, padding: Frame) -> Array:
    """the transpose of pool_select: g added to the place of each window's extreme y in x"""
    return pooling.place(g, x, y, size, stride, padding)


max_pool2d.rules(lambda g, y, x, **windows: pool_place(g, x, y, **windows))
min_pool2d.rules(lambda g, y, x, **windows: pool_place(g, x, y, **windows))
pool_select.rules(lambda g, _selected, _v, x, y, **windows: pool_place(g, x, y, **windows), None, None)
pool_place.rules(lambda h, _placed, _g, x, y, **windows: pool_select(h, x, y, **windows), None, None)


@primitive
def avg_pool2d(x: Array, *, size: Pair, stride: Pair, padding: Frame) -> Array:
    """the mean of each window, padding not counted"""
    return pooling.average(x, size, stride, padding)


@primitive
def pool_spread(g: Array, *, shape: Shape, size: Pair, stride: Pair, padding: Frame) -> Array:
    """the transpose of avg_pool2d: each gradient in equal parts to the pixels of its window"""
    return pooling.spread(g, shape, size, stride, padding)


avg_pool2d.rules(lambda g, _y, _x, **windows: pool_spread(g, shape=_x.shape, **windows))
pool_spread.rules(lambda h, _x, _g, *, shape, **windows: avg_pool2d(h, **windows))


@primitive
def repeat_pixels(x: Array, *, size: Pair) -> Array:
    """each pixel as a window of pixels that are equal to it"""
    return pooling.repeat(x, size)


@primitive
def window_sums(g: Array, *, size: Pair) -> Array:
    """the transpose of repeat_pixels: the sum of each window"""
    return pooling.window_sums(g, size)


repeat_pixels.rules(lambda g, _y, _x, *, size: window_sums(g, size=size))
window_sums.rules(lambda h, _x, _g, *, size: repeat_pixels(h, size=size))
