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


class Geometry:
    """The window of a node: size, stride, dilation, and the padding that its attributes come down to."""

    def __init__(self, a: Attributes, pixels: tuple[int, ...], size: Any) -> None:
        axes = len(pixels)
        self.size, self.stride = list(size), list(a.get("strides", [1] * axes))
        self.dilation, pads = list(a.get("dilations", [1] * axes)), list(a.get("pads", [0] * 2 * axes))
        if not len(self.size) == len(self.stride) == len(self.dilation) == len(pads) // 2 == axes:
            raise ValueError(f"a window of {len(self.size)} axes, its strides, dilations or pads do not fit {pixels}")
        if min(*self.size, *self.stride, *self.dilation) < 1:
            raise ValueError("sizes, strides and dilations must be at least 1")
        reach = [d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True)]
        auto = a.get("auto_pad", "NOTSET")
        self.before, self.after = pads[:axes], pads[axes:]
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            out = [-(-n // s) for n, s in zip(pixels, self.stride, strict=True)]
            each = zip(out, self.stride, reach, pixels, strict=True)
            total = [max((o - 1) * s + r - n, 0) for o, s, r, n in each]
            self.before = [t // 2 if auto == "SAME_UPPER" else -(-t // 2) for t in total]
            self.after = [t - b for t, b in zip(total, self.before, strict=True)]
        self.extra = [0] * axes  # what ceil_mode adds at the end, so that the last window fits
        if a.get("ceil_mode", 0):
            for i, n in enumerate(pixels):
                padded = n + self.before[i] + self.after[i]
                missing = -(padded - reach[i]) % self.stride[i]
                starts_inside = padded + missing - reach[i] < n + self.before[i]
                self.extra[i] = missing if starts_inside else 0
        bounded(tuple(n + sum(more) for n, *more in zip(pixels, self.before, self.after, self.extra, strict=True)))
        for attribute, fill in (("size", 1), ("stride", 1), ("dilation", 1), ("before", 0), ("after", 0), ("extra", 0)):
            if axes == 1:
                setattr(self, attribute, [fill, *getattr(self, attribute)])

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
    plain = {key: setting for key, setting in a.items() if key != "auto_pad"}
    g = Geometry(plain, x.shape[2:], w.shape[2:])
    groups, pixels = a.get("group", 1), images(x)
    extra = [*[0] * (4 - x.ndim), *a.get("output_padding", [0] * (x.ndim - 2))]
    geometry: dict[str, Any] = {"stride": tuple(g.stride), "dilation": tuple(g.dilation), "groups": groups}
    auto, shape = a.get("auto_pad", "NOTSET"), a.get("output_shape")
    each = zip(pixels.shape[1:3], g.stride, g.dilation, g.size, strict=True)
    full = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in each]
    bounded((*full, w.shape[1] * groups))
    small = all(e < max(s, d) for e, s, d in zip(extra, g.stride, g.dilation, strict=True))
    if g.is_even and small and shape is None and auto in ("NOTSET", "VALID"):
        bias = None if b is None else b.array
        padding, more = tuple(g.before), tuple(extra)
        y = F.conv_transpose2d(pixels, kernels(w), bias, padding=padding, output_padding=more, **geometry)
        return as_images(y, x.ndim)
    before, after = g.before, g.after
    if shape is not None or auto in ("SAME_UPPER", "SAME_LOWER"):
        wanted = (
            [*[1] * (4 - x.ndim), *shape]
            if shape
            else [n * s for n, s in zip(pixels.shape[1:3], g.stride, strict=True)]
        )
        extra = [max(e, n - f) for e, n, f in zip(extra, wanted, full, strict=True)]
        total = [f + e - n for f, e, n in zip(full, extra, wanted, strict=True)]
        low, high = [t // 2 for t in total], [t - t // 2 for t in total]
        before, after = (high, low) if auto == "SAME_LOWER" else (low, high)
    y = F.conv_transpose2d(pixels, kernels(w), **geometry)
    y = F.pad(y, ((0, 0), *((0, max(e - p, 0)) for e, p in zip(extra, after, strict=True)), (0, 0)))
    ends = [n - max(p - e, 0) for n, p, e in zip(y.shape[1:3], after, extra, strict=True)]
    y = y[:, before[0] : ends[0], before[1] : ends[1]]
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
    n, h, w, c = framed.shape
    sizes = zip((h, w), g.size, g.stride, g.dilation, strict=True)
    oh, ow = ((m - d * (k - 1) - 1) // s + 1 for m, k, s, d in sizes)
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
