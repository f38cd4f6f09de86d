"""Operators whose windows slide over images: convolutions and pools, channels last. One axis of pixels becomes two."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tensorgrad import functional as F
from tensorgrad.onnx.operators.placed import CHANNELS_LAST, Attributes, Placed, bounded, in_file_order, ints, operator
from tensorgrad.tensor import Tensor


def images(x: Placed) -> Tensor:
    """(N, C, H, W) or (N, C, W) of the file as (N, H, W, C)."""
    if x.ndim not in CHANNELS_LAST:
        raise ValueError(f"images have one or two axes of pixels here, received shape {x.shape}")
    array = x.laid(CHANNELS_LAST[x.ndim])
    return array if x.ndim == 4 else F.expand_dims(array, 1)


def as_images(y: Tensor, ndim: int) -> Placed:
    """(N, H, W, C), of which the file has as many axes as it has."""
    return Placed(y if ndim == 4 else F.squeeze(y, 1), CHANNELS_LAST[ndim])


class Window:
    """What slides over the two axes of pixels, in a node's words: size, stride, dilation, and what is before and after.

    Where the file has one axis of pixels, there is another of size 1 in front of it.
    """

    def __init__(self, a: Attributes, pixels: tuple[int, ...], size: Any) -> None:
        axes = len(pixels)
        stride, dilation = a.get("strides", [1] * axes), a.get("dilations", [1] * axes)
        pads = a.get("pads", [0] * 2 * axes)
        if not len(size) == len(stride) == len(dilation) == len(pads) // 2 == axes:
            raise ValueError(f"a window of {len(size)} axes, its strides, dilations or pads do not fit {pixels}")
        if min(*size, *stride, *dilation) < 1 or min(pads) < 0:
            raise ValueError("sizes, strides and dilations must be at least 1, and pads not negative")
        self.one = [1] * (2 - axes)
        self.pixels = [*self.one, *pixels]
        self.size, self.stride, self.dilation = ([*self.one, *numbers] for numbers in (size, stride, dilation))
        self.before, self.after = ([0] * (2 - axes) + list(part) for part in (pads[:axes], pads[axes:]))
        self.reach = [d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        self.extra = [0, 0]


class Geometry(Window):
    """The window of a convolution or pool: its frame, `extra`, which ceil_mode adds at the end, and its positions."""

    def __init__(self, a: Attributes, pixels: tuple[int, ...], size: Any) -> None:
        super().__init__(a, pixels, size)
        auto = a.get("auto_pad", "NOTSET")
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            each = zip(self.pixels, self.stride, self.reach, strict=True)
            total = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in each]
            self.before = [t // 2 if auto == "SAME_UPPER" else -(-t // 2) for t in total]
            self.after = [t - b for t, b in zip(total, self.before, strict=True)]
        if a.get("ceil_mode", 0):  # the last window may hang over, unless all of it would
            for i, n in enumerate(self.pixels):
                padded = n + self.before[i] + self.after[i]
                missing = -(padded - self.reach[i]) % self.stride[i]
                starts_inside = padded + missing - self.reach[i] < n + self.before[i]
                self.extra[i] = missing if starts_inside else 0
        sides = zip(self.pixels, self.before, self.after, self.extra, strict=True)
        framed = bounded(tuple(map(sum, sides)))
        self.positions = [(n - r) // s + 1 for n, r, s in zip(framed, self.reach, self.stride, strict=True)]
        if min(self.positions) < 1:
            raise ValueError(f"a window over {self.reach} pixels does not fit {list(framed)}, the image in its frame")

    @property
    def is_even(self) -> bool:
        """Whether both sides get the same frame."""
        return self.before == self.after and not any(self.extra)

    def frame(self, x: Any, constant: float, extra: float | None = None) -> Any:
        """The images, channels last, in their frame; and what ceil_mode adds, of its own value."""
        if any(self.before) or any(self.after):
            x = F.pad(x, ((0, 0), *zip(self.before, self.after, strict=True), (0, 0)), constant=constant)
        if any(self.extra):
            widths = ((0, 0), *((0, e) for e in self.extra), (0, 0))
            x = F.pad(x, widths, constant=constant if extra is None else extra)
        return x


class Transposed(Window):
    """The window of a ConvTranspose: what is cut off, `extra`, which is added at the end, and the result's pixels."""

    def __init__(self, a: Attributes, pixels: tuple[int, ...], weights: tuple[int, ...]) -> None:
        super().__init__(a, pixels, weights[2:])
        self.extra = [0] * len(self.one) + list(a.get("output_padding", [0] * len(pixels)))
        each = zip(self.pixels, self.stride, self.reach, strict=True)
        full = [(n - 1) * s + r for n, s, r in each]
        bounded((*full, weights[1] * a.get("group", 1)))
        auto, shape = a.get("auto_pad", "NOTSET"), a.get("output_shape")
        if shape is not None or auto in ("SAME_UPPER", "SAME_LOWER"):
            same = [n * s for n, s in zip(self.pixels, self.stride, strict=True)]
            wanted = same if shape is None else [*self.one, *shape]
            self.extra = [max(e, n - f) for e, n, f in zip(self.extra, wanted, full, strict=True)]
            total = [f + e - n for f, e, n in zip(full, self.extra, wanted, strict=True)]
            low, high = [t // 2 for t in total], [t - t // 2 for t in total]
            self.before, self.after = (high, low) if auto == "SAME_LOWER" else (low, high)
        sides = zip(full, self.extra, self.before, self.after, strict=True)
        self.positions = [f + e - b - t for f, e, b, t in sides]
        if min(self.extra) < 0 or min(self.positions) < 1:
            raise ValueError(f"its result would have {self.positions} pixels")


def kernels(w: Placed) -> Tensor:
    """(F, C, KH, KW) of the file as (KH, KW, C, F)."""
    return w.laid((2, 3, 1, 0)) if w.ndim == 4 else F.expand_dims(w.laid((2, 1, 0)), 0)


@operator
def Conv(a: Attributes, x: Placed, w: Placed, b: Placed | None = None) -> Placed:
    """The convolution."""
    g = Geometry(a, x.shape[2:], w.shape[2:])
    pixels, padding = images(x), tuple(g.before)
    if not g.is_even:
        pixels, padding = g.frame(pixels, 0.0), (0, 0)
    y = F.conv2d(
        pixels, kernels(w), None if b is None else b.array, stride=tuple(g.stride), padding=padding,
        dilation=tuple(g.dilation), groups=a.get("group", 1), activation=a.get("activation"),
    )  # fmt: skip
    return as_images(y, x.ndim)


@operator
def ConvTranspose(a: Attributes, x: Placed, w: Placed, b: Placed | None = None) -> Placed:
    """The transpose of a convolution."""
    g, pixels = Transposed(a, x.shape[2:], w.shape), images(x)
    geometry: dict[str, Any] = {"stride": tuple(g.stride), "dilation": tuple(g.dilation), "groups": a.get("group", 1)}
    small = all(e < max(s, d) for e, s, d in zip(g.extra, g.stride, g.dilation, strict=True))
    if g.before == g.after and small:
        bias = None if b is None else b.array
        geometry |= {"padding": tuple(g.before), "output_padding": tuple(g.extra)}
        y = F.conv_transpose2d(pixels, kernels(w), bias, **geometry)
        return as_images(y, x.ndim)
    y = F.conv_transpose2d(pixels, kernels(w), **geometry)
    y = F.pad(y, ((0, 0), *((0, max(e - p, 0)) for e, p in zip(g.extra, g.after, strict=True)), (0, 0)))
    ends = [b + n for b, n in zip(g.before, g.positions, strict=True)]
    y = y[:, g.before[0] : ends[0], g.before[1] : ends[1]]
    return as_images(y if b is None else y + b.array, x.ndim)


@operator
def MaxPool(a: Attributes, x: Placed) -> Placed:
    """The largest pixel of each window."""
    g = Geometry(a, x.shape[2:], a["kernel_shape"])
    pixels, kind = images(x), x.array.dtype
    plain = g.dilation == [1, 1]
    if plain and g.is_even and kind.kind == "f" and all(2 * p <= k for p, k in zip(g.before, g.size, strict=True)):
        return as_images(F.max_pool2d(pixels, tuple(g.size), tuple(g.stride), tuple(g.before)), x.ndim)
    framed = g.frame(pixels if kind.kind == "f" else pixels.astype(np.float32), -np.inf)
    if plain:
        return as_images(F.max_pool2d(framed, tuple(g.size), tuple(g.stride)).astype(kind), x.ndim)
    n, _, _, c = framed.shape
    oh, ow = g.positions
    bounded((n, oh, ow, prod(g.size), c))
    windows = F.im2col(framed, tuple(g.size), tuple(g.stride), 0, tuple(g.dilation)).reshape((n, oh, ow, -1, c))
    return as_images(windows.max(3).astype(kind), x.ndim)


@operator
def AveragePool(a: Attributes, x: Placed) -> Placed:
    """The mean of each window, with or without the frame's pixels."""
    g = Geometry(a, x.shape[2:], a["kernel_shape"])
    pixels, c = images(x), x.shape[1]
    outside = float(a.get("count_include_pad", 0))
    half = all(2 * p <= k for p, k in zip(g.before, g.size, strict=True))
    if g.dilation == [1, 1] and g.is_even and half and (outside == 0 or not any(g.before)):
        return as_images(F.avg_pool2d(pixels, tuple(g.size), tuple(g.stride), tuple(g.before)), x.ndim)
    ones = np.ones((*g.size, 1, c), np.float32)
    options: dict[str, Any] = {"stride": tuple(g.stride), "dilation": tuple(g.dilation), "groups": c}
    total = F.conv2d(g.frame(pixels, 0.0), ones, **options)
    whole = Tensor.wrap(np.ones((1, *pixels.shape[1:]), np.float32))
    count = F.conv2d(g.frame(whole, outside, 0.0), ones, **options)
    return as_images(total / count, x.ndim)


@operator
def LpPool(a: Attributes, x: Placed) -> Placed:
    """The length of each window's pixels, taken as a vector."""
    p = a.get("p", 2)
    powers: Placed = AveragePool({**a, "count_include_pad": 1}, x.like(x.array.abs() ** p))
    return powers.like((powers.array * prod(a["kernel_shape"])) ** (1 / p))


@operator
def GlobalAveragePool(a: Attributes, x: Placed) -> Placed:
    """The mean of each channel."""
    return x.like(x.array.mean(tuple(x.at(i) for i in range(2, x.ndim)), keepdims=True))


@operator
def GlobalMaxPool(a: Attributes, x: Placed) -> Placed:
    """The largest pixel of each channel."""
    return x.like(x.array.max(tuple(x.at(i) for i in range(2, x.ndim)), keepdims=True))


@operator
def GlobalLpPool(a: Attributes, x: Placed) -> Placed:
    """The length of each channel's pixels, taken as a vector."""
    return x.like(F.norm(x.array, a.get("p", 2), tuple(x.at(i) for i in range(2, x.ndim)), keepdims=True))


@operator
def Col2Im(a: Attributes, x: Placed, image: Placed, block: Placed) -> Placed:
    """Columns of windows, added up to images."""
    pixels = bounded(tuple(ints(image)))
    g = Geometry(a, pixels, ints(block))
    n, rows, positions = x.shape
    taps = prod(g.size)
    c = rows // taps
    columns = x.logical.reshape((n, c, taps, positions)).transpose(0, 3, 2, 1).reshape((n * positions, taps * c))
    geometry = tuple(g.size), tuple(g.stride), tuple(g.before), tuple(g.dilation)
    return as_images(F.col2im(columns, (n, *pixels, c), *geometry), 4)


@in_file_order
def DepthToSpace(a: Attributes, x: Any) -> Any:
    """Channels to blocks of pixels."""
    n, c, h, w = x.shape
    b = a["blocksize"]
    if a.get("mode", "DCR") == "DCR":
        return x.reshape((n, b, b, c // b**2, h, w)).transpose(0, 3, 4, 1, 5, 2).reshape((n, c // b**2, h * b, w * b))
    return x.reshape((n, c // b**2, b, b, h, w)).transpose(0, 1, 4, 2, 5, 3).reshape((n, c // b**2, h * b, w * b))


@in_file_order
def SpaceToDepth(a: Attributes, x: Any) -> Any:
    """Blocks of pixels to channels."""
    n, c, h, w = x.shape
    b = a["blocksize"]
    blocks = x.reshape((n, c, h // b, b, w // b, b))
    order = (0, 1, 3, 5, 2, 4) if a.get("mode") == "CRD" else (0, 3, 5, 1, 2, 4)
    return blocks.transpose(order).reshape((n, c * b * b, h // b, w // b))
