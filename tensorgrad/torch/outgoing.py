"""Models as PyTorch's modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.functional.padding import rounded_up
from tensorgrad.kernels.lowering import output_sizes
from tensorgrad.layers import (
    FFL,
    Activation,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool1d,
    Pool2d,
    Reshape,
    Upsample,
    ZeroPadding2d,
)
from tensorgrad.layers.shapes import as_tuple, by
from tensorgrad.network import Network
from tensorgrad.saving.torch_layout import Placed, chain
from tensorgrad.torch.shared import activations, package

if TYPE_CHECKING:
    import torch

OUT = "write the model with tensorgrad.onnx.export instead"


def to_torch(model: Network) -> torch.nn.Sequential:
    """Make a ``torch.nn.Sequential`` that computes what a model does, with copies of its weights and statistics.

    It takes images and sequences with their channels first, as PyTorch does, and is in training mode, as new modules
    are.

    Parameters
    ----------
    model : CNN or Network

    Raises
    ------
    ImportError
        Without the extra "torch".
    ValueError
        If a layer has no module of its kind, such as those with branches: with its name.
    """
    torch = package("to_torch")
    if not isinstance(model, Network):
        raise TypeError(f"to_torch: expected a model, received {type(model).__name__}")
    if not model.layers:
        raise ValueError("to_torch: the model has no layers yet; add them first")
    modules: list[Any] = []
    placed = None
    for placed in chain(model.layers):
        made = _modules(torch, placed)
        for _, theirs, array in placed.arrays():
            held = getattr(made[0], theirs)
            held.data = torch.from_numpy(np.array(placed.to_torch(array), order="C"))
        modules += made
        if placed.layer.activation is not None and placed.layer.activation != "linear":
            modules.append(_activation(torch, placed.layer))
    if placed is not None and placed.given is not None:
        raise ValueError(
            f"to_torch: {placed.layer.title} is the last layer, and PyTorch would flatten images in another order; "
            "leave out the Flatten, or put a fully connected layer behind it"
        )
    return torch.nn.Sequential(*modules)  # type: ignore[no-any-return]


def _activation(torch: Any, layer: Layer) -> Any:
    kind, _ = activations(torch).get(layer.activation or "", (None, None))
    if kind is None:
        raise ValueError(
            f"to_torch: {layer.title} has the activation {layer.activation!r}, which PyTorch has no module of"
        )
    return kind(dim=1) if layer.activation == "softmax" else kind()


def _even(layer: Layer, frame: Any) -> tuple[int, ...]:
    """The pixels on both sides, which PyTorch's modules have equal."""
    if any(before != after for before, after in frame):
        raise ValueError(f"to_torch: {layer.title} has another padding on each side, {frame}; {OUT}")
    return tuple(before for before, _ in frame)


def _modules(torch: Any, placed: Placed) -> list[Any]:
    """The modules for a layer, without its activation; the first has its arrays."""
    layer = placed.layer
    nn, shape = torch.nn, as_tuple(layer.input_shape or ())
    match layer:
        case Conv2d():
            mode, padding = ("replicate", 1) if layer.padding == "same" else ("zeros", _padding(layer, layer.frame))
            return [
                nn.Conv2d(
                    shape[2], layer.filters, layer.kernel_size, layer.stride, padding, layer.dilation, layer.groups,
                    layer.isbias, mode,
                )
            ]  # fmt: skip
        case Conv1d():
            return [
                nn.Conv1d(
                    shape[1], layer.filters, layer.kernel_size, layer.stride,
                    _padding(layer, layer.frame_of(shape[0])[:1]), layer.dilation, layer.groups, layer.isbias,
                )
            ]  # fmt: skip
        case ConvTranspose2d():
            return [
                nn.ConvTranspose2d(
                    shape[2], layer.filters, layer.kernel_size, layer.stride, _even(layer, layer.frame),
                    layer.output_padding, layer.groups, layer.isbias, layer.dilation,
                )
            ]  # fmt: skip
        case FFL():
            return [nn.Linear(shape[0], layer.neurons, layer.isbias)]
        case BatchNorm() if len(shape) <= 3:
            kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            kind = nn.SyncBatchNorm if layer.synchronized else kind
            return [kind(shape[-1], layer.eps, layer.momentum)]
        case LayerNorm() if len(shape) == 1:
            return [nn.LayerNorm(shape[0], layer.eps)]
        case Pool2d(kind="max" | "average"):
            return [_pool(layer, nn.MaxPool2d, nn.AvgPool2d, layer.frame, shape[:2])]
        case Pool1d(kind="max" | "average"):
            return [_pool(layer, nn.MaxPool1d, nn.AvgPool1d, layer.frame_of(shape[0]), (shape[0], 1))]
        case GlobalPool(kind="average" | "max"):
            return [nn.AdaptiveAvgPool2d(1) if layer.kind == "average" else nn.AdaptiveMaxPool2d(1), nn.Flatten()]
        case Flatten():
            return [nn.Flatten()]
        case Reshape() if placed.unflattens:
            *pixels, channels = as_tuple(layer.output_shape or ())
            return [nn.Unflatten(1, (channels, *pixels))]
        case Dropout():
            return [nn.Dropout(layer.prob)]
        case Upsample():
            return [nn.Upsample(scale_factor=layer.kernel_size, mode="nearest")]
        case ZeroPadding2d():
            (top, bottom), (left, right) = layer.frame
            return [nn.ZeroPad2d((left, right, top, bottom))]
        case Activation():
            return []
    raise ValueError(f"to_torch: {layer.title} has no module of its kind in torch.nn.Sequential; {OUT}")


def _padding(layer: Conv2d | Conv1d, frame: Any) -> Any:
    """The padding of a convolution: that of both sides, or the "same" that is uneven for even kernels."""
    each = zip(as_tuple(layer.kernel_size), as_tuple(layer.dilation), strict=True)
    reach = [d * (k - 1) for k, d in each]
    is_same = set(as_tuple(layer.stride)) == {1} and list(frame) == [(n // 2, n - n // 2) for n in reach]
    return "same" if is_same and any(n % 2 for n in reach) else _even(layer, frame)


def _pool(layer: Pool2d | Pool1d, largest: Any, average: Any, frame: Any, image: tuple[int, ...]) -> Any:
    """A pool. What is around the image counts in none, so that PyTorch's must only have as many windows."""
    size, stride = as_tuple(layer.kernel_size), as_tuple(layer.stride)
    axes, one = len(size), (1,) * (2 - len(size))  # a sequence is an image of one column
    even: Any = tuple((before, before) for before, _ in frame)
    geometry: tuple[Any, Any, Any] = image, (*size, *one), (*stride, *one)
    frames = frame, even, rounded_up(even, *geometry)
    ours, floor, ceil = (output_sizes(*geometry, around, (1, 1)) for around in frames)
    padding = _even(layer, even if ours in (floor, ceil) else frame)[:axes]
    if any(2 * p > k for p, k in zip(padding, size, strict=True)):
        raise ValueError(
            f"to_torch: {layer.title} has {by(padding)} pixels of padding, and PyTorch takes no more than half of the "
            f"window, {by(size)}; {OUT}"
        )
    if layer.kind == "max":
        return largest(size, stride, padding, ceil_mode=ours != floor)
    return average(size, stride, padding, ours != floor, count_include_pad=False)
