"""Operators that standardize."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import functional as F
from tensorgrad.engine import value
from tensorgrad.onnx.operators.placed import CHANNELS_LAST, Attributes, Placed, aligned, operator
from tensorgrad.tensor import Tensor


def channels_last(x: Placed) -> Placed:
    """The same with its channels, the file's axis 1, at the end."""
    if x.ndim < 3:
        return x
    axes = CHANNELS_LAST.get(x.ndim, (0, *range(2, x.ndim), 1))
    return Placed(x.laid(axes), axes)


def per_channel(x: Placed, numbers: Placed) -> Tensor:
    """A number for each channel, of a shape that goes with `x`, whose channels may stand anywhere."""
    shape = [1] * x.ndim
    shape[x.at(1)] = -1
    return numbers.array.reshape(tuple(shape))


def times(x: Placed, weight: Placed) -> Placed:
    """The product, as the file's axes broadcast."""
    arrays, axes = aligned(x, weight)
    return Placed(arrays[0] * arrays[1], axes)


@operator
def BatchNormalization(a: Attributes, x: Placed, weight: Placed, bias: Placed, mean: Placed, var: Placed) -> Any:
    """By the batch's statistics while training, otherwise by those that are kept.

    In a network the layer says whether it is training, and the kept statistics are mixed as PyTorch mixes them. A node
    by itself that has `training_mode` returns them instead, mixed as ONNX says.
    """
    images, momentum = channels_last(x), a.get("momentum", 0.9)
    alone = "training" not in a and bool(a.get("training_mode", 0))
    means, variances = value(mean.array), value(var.array)
    if alone:
        means, variances = means.copy(), variances.copy()
    y = F.batch_norm(
        images.array, weight.array, bias.array, running_mean=means, running_var=variances,
        training=alone or bool(a.get("training")), momentum=1 - momentum, eps=a.get("epsilon", 1e-5),
    )  # fmt: skip
    if not alone:
        return images.like(y)
    count = x.array.size // x.shape[1]  # ONNX keeps the biased variance, PyTorch the unbiased one
    kept = value(var.array) * momentum
    biased = kept + (variances - kept) * (count - 1) / count
    return images.like(y), Placed(means), Placed(biased.astype(variances.dtype))


@operator
def LayerNormalization(a: Attributes, x: Placed, weight: Placed, bias: Placed | None = None) -> Any:
    """Over an axis and all that follow; the means and the inverse deviations come second and third."""
    first, eps = a.get("axis", -1) % x.ndim, a.get("epsilon", 1e-5)
    over = tuple(x.axes.index(axis) for axis in range(first, x.ndim))
    mean = x.array.mean(over, keepdims=True)
    centred = x.array - mean
    inverse = 1 / (F.square(centred).mean(over, keepdims=True) + eps).sqrt()
    y = times(x.like(centred * inverse), weight)
    if bias is not None:
        arrays, axes = aligned(y, bias)
        y = Placed(arrays[0] + arrays[1], axes)
    return y, x.like(mean), x.like(inverse)


@operator
def RMSNormalization(a: Attributes, x: Placed, weight: Placed) -> Placed:
    """Over the root of the mean square, along an axis and all that follow."""
    over = tuple(x.axes.index(axis) for axis in range(a.get("axis", -1) % x.ndim, x.ndim))
    scale = (F.square(x.array).mean(over, keepdims=True) + a.get("epsilon", 1e-5)).sqrt()
    return times(x.like(x.array / scale), weight)


@operator
def InstanceNormalization(a: Attributes, x: Placed, weight: Placed, bias: Placed) -> Placed:
    """Each channel of each sample by itself."""
    over = tuple(x.axes.index(axis) for axis in range(2, x.ndim))
    y = F.layer_norm(x.array, axis=over, eps=a.get("epsilon", 1e-5))
    return x.like(y * per_channel(x, weight) + per_channel(x, bias))


@operator
def GroupNormalization(a: Attributes, x: Placed, weight: Placed, bias: Placed) -> Placed:
    """Groups of channels of each sample by themselves; before opset 21 a scale is for a group."""
    images, groups = channels_last(x), a["num_groups"]
    n, *pixels, c = images.array.shape
    grouped = images.array.reshape((n, *pixels, groups, c // groups))
    over = (*range(1, 1 + len(pixels)), grouped.ndim - 1)
    y = F.layer_norm(grouped, axis=over, eps=a.get("epsilon", 1e-5)).reshape(images.array.shape)
    if weight.shape[0] == groups != c:
        weight, bias = (Placed(F.repeat(p.array, c // groups, 0)) for p in (weight, bias))
    return images.like(y * weight.array + bias.array)


@operator
def MeanVarianceNormalization(a: Attributes, x: Placed) -> Placed:
    """Mean 0 and deviation 1 over axes."""
    axes = tuple(x.at(axis) for axis in a.get("axes", (0, 2, 3)))
    return x.like((x.array - x.array.mean(axes, keepdims=True)) / (x.array.std(axes, keepdims=True) + 1e-9))


@operator
def LRN(a: Attributes, x: Placed) -> Placed:
    """Over a power of the squares of the channels around each (Krizhevsky et al. 2012)."""
    size, axis = a["size"], x.at(1)
    before = (size - 1) // 2
    widths = [(0, 0)] * x.ndim
    widths[axis] = (before, size - 1 - before)
    squares = F.cumsum(F.pad(F.square(x.array), [(w[0] + (i == axis), w[1]) for i, w in enumerate(widths)]), axis)
    count = x.array.shape[axis]
    total = F.take(squares, np.arange(size, size + count), axis) - F.take(squares, np.arange(count), axis)
    share = a.get("alpha", 1e-4) / size
    return x.like(x.array / (a.get("bias", 1.0) + share * total) ** a.get("beta", 0.75))
