"""PyTorch's modules as models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tensorgrad.cnn import CNN
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
from tensorgrad.layers.shapes import Shape, as_tuple, check_shape
from tensorgrad.layers.weighted import Weighted
from tensorgrad.saving.torch_layout import Placed, chain
from tensorgrad.tensor import Tensor
from tensorgrad.torch.shared import activations, package

if TYPE_CHECKING:
    import torch

ONNX = "export it with torch.onnx.export and load the file with tensorgrad.onnx.load"


def from_torch(module: torch.nn.Module, input_shape: Shape | None = None) -> CNN:
    """Make a model that computes what a PyTorch module does, with copies of its weights and running statistics.

    Parameters
    ----------
    module : torch.nn.Sequential, or one of the modules that it may have
        Convolutions of images, of sequences and transposed ones, linear layers, batch and layer normalization, pools,
        Flatten, Unflatten, Dropout, Upsample, ZeroPad2d, activations, and further ``Sequential``.
    input_shape : (height, width, channels), (length, channels) or int, optional
        Of one sample, as the model takes it: channels last. Not needed if the first module is linear.

    Returns
    -------
    CNN

    Raises
    ------
    ImportError
        Without the extra "torch".
    ValueError
        If a module has no layer of its kind here, or the input's shape is not known.

    """
    torch = package("from_torch")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"from_torch: expected a torch.nn.Module, received {type(module).__name__}")
    modules = list(_flat(torch, module, "module"))
    layers: list[Layer] = []
    sources: list[tuple[str, Any]] = []
    for i, (name, part) in enumerate(modules):
        for made in _layers(torch, name, part, modules[i + 1][1] if i + 1 < len(modules) else None):
            last = layers[-1] if layers else None
            if isinstance(made, Flatten) and isinstance(last, GlobalPool):
                continue
            if made == "softmax" and part.dim != 1 and not isinstance(last, FFL):
                raise _unlike(name, part)
            if isinstance(made, str) and isinstance(last, Weighted) and last.activation is None:
                last.activation = made
                continue
            layers.append(Activation(made) if isinstance(made, str) else made)
            sources.append((name, part))
    if not layers:
        raise ValueError("from_torch: the module has no layers")
    first = modules[0][1]
    shape = first.in_features if input_shape is None and isinstance(first, torch.nn.Linear) else input_shape
    if shape is None:
        raise ValueError(
            f"from_torch: {type(first).__name__} does not say how large its images are; give "
            "input_shape=(height, width, channels)"
        )
    layers[0].input_shape = check_shape(shape, "from_torch")
    model = CNN()
    for layer in layers:
        model.add(layer)
    for placed, (name, source) in zip(chain(model.layers), sources, strict=True):
        _check_place(torch, placed, name, source)
        _copy(placed, source)
    return model


def _flat(torch: Any, module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Modules in order, those of a Sequential in its place."""
    if isinstance(module, torch.nn.Sequential) and type(module).forward is torch.nn.Sequential.forward:
        for part, inner in module.named_children():
            yield from _flat(torch, inner, f"{name}.{part}")
    else:
        yield name, module


def _unlike(name: str, m: Any) -> ValueError:
    said = type(m).__name__ if any(True for _ in m.children()) else repr(m)
    return ValueError(f"from_torch: {name}, {said}, has no layer of its kind here; {ONNX}")


def _layers(torch: Any, name: str, m: Any, after: Any) -> list[Layer | str]:
    """The layers for a module, or the name of an activation; nothing for what does nothing."""
    for kind, (fits, make) in _table(torch.nn).items():
        if isinstance(m, kind) and type(m).forward is kind.forward:
            try:
                made = make(m) if fits(m) else None
            except ValueError:  # a padding that is not PyTorch's
                made = None
            if made is None:
                raise _unlike(name, m)
            keeps_axes = isinstance(made, GlobalPool) and not isinstance(after, torch.nn.Flatten)
            return [made, Reshape((1, 1, -1))] if keeps_axes else [made]
    if type(m) is torch.nn.Identity:
        return []
    found = [ours for ours, (kind, fits) in activations(torch).items() if type(m) is kind and fits(m)]
    if not found:
        raise _unlike(name, m)
    return [found[0]]


def _table(nn: Any) -> dict[Any, tuple[Callable[[Any], bool], Callable[[Any], Layer]]]:
    """By class of modules: whether its settings are among ours, and the layer that it is."""
    return {
        nn.Conv2d: (lambda m: m.padding_mode in ("zeros", "replicate"), _conv2d),
        nn.Conv1d: (lambda m: m.padding_mode == "zeros", _conv1d),
        nn.ConvTranspose2d: (lambda m: True, _conv_transpose2d),
        nn.Linear: (lambda m: True, lambda m: FFL(neurons=m.out_features, is_bias=m.bias is not None)),
        nn.BatchNorm1d: (_has_statistics, lambda m: BatchNorm(m.momentum, m.eps)),
        nn.BatchNorm2d: (_has_statistics, lambda m: BatchNorm(m.momentum, m.eps)),
        nn.SyncBatchNorm: (_has_statistics, lambda m: BatchNorm(m.momentum, m.eps, synchronized=True)),
        nn.LayerNorm: (
            lambda m: m.elementwise_affine and len(m.normalized_shape) == 1 and m.bias is not None,
            lambda m: LayerNorm(eps=m.eps),
        ),
        nn.MaxPool2d: (
            lambda m: _pair(m.dilation) == (1, 1) and not m.return_indices,
            lambda m: Pool2d(_pair(m.kernel_size), _pair(m.stride), "max", _pair(m.padding), m.ceil_mode),
        ),
        nn.AvgPool2d: (
            lambda m: m.divisor_override is None and _leaves_out_frame(m),
            lambda m: Pool2d(_pair(m.kernel_size), _pair(m.stride), "average", _pair(m.padding), m.ceil_mode),
        ),
        nn.MaxPool1d: (
            lambda m: _one(m.dilation) == 1 and not m.return_indices,
            lambda m: Pool1d(_one(m.kernel_size), _one(m.stride), "max", _one(m.padding), m.ceil_mode),
        ),
        nn.AvgPool1d: (
            _leaves_out_frame,
            lambda m: Pool1d(_one(m.kernel_size), _one(m.stride), "average", _one(m.padding), m.ceil_mode),
        ),
        nn.AdaptiveAvgPool2d: (lambda m: _pair(m.output_size) == (1, 1), lambda m: GlobalPool("average")),
        nn.AdaptiveMaxPool2d: (
            lambda m: _pair(m.output_size) == (1, 1) and not m.return_indices,
            lambda m: GlobalPool("max"),
        ),
        nn.Flatten: (lambda m: (m.start_dim, m.end_dim) == (1, -1), lambda m: Flatten()),
        nn.Unflatten: (
            lambda m: m.dim == 1 and len(m.unflattened_size) in (2, 3),
            lambda m: Reshape((*m.unflattened_size[1:], m.unflattened_size[0])),
        ),
        nn.Dropout: (lambda m: m.p < 1, lambda m: Dropout(m.p)),
        nn.Upsample: (
            lambda m: m.mode == "nearest" and m.scale_factor is not None and _is_whole(m.scale_factor),
            lambda m: Upsample((int(_pair(m.scale_factor)[0]), int(_pair(m.scale_factor)[1]))),
        ),
        nn.ZeroPad2d: (lambda m: min(m.padding) >= 0, lambda m: ZeroPadding2d((m.padding[2:], m.padding[:2]))),
    }


def _has_statistics(m: Any) -> bool:
    return bool(m.affine and m.track_running_stats and m.momentum is not None)


def _leaves_out_frame(m: Any) -> bool:
    """Whether averages are over pixels of the image alone."""
    return not (m.count_include_pad and any(_pair(m.padding)))


def _is_whole(factors: Any) -> bool:
    return all(factor == int(factor) for factor in _pair(factors))


def _conv2d(m: Any) -> Conv2d:
    padding: Any = _sides(m)
    if m.padding_mode == "replicate":
        if padding not in (((1, 1), (1, 1)), (1, 1)):
            raise ValueError("one pixel of repeated edges is all that there is here")
        padding = "same"
    return Conv2d(
        filters=m.out_channels, kernel_size=m.kernel_size, isbias=m.bias is not None, stride=m.stride,
        padding=padding, dilation=m.dilation, groups=m.groups,
    )  # fmt: skip


def _conv1d(m: Any) -> Conv1d:
    padding = _sides(m)
    return Conv1d(
        filters=m.out_channels, kernel_size=_one(m.kernel_size), isbias=m.bias is not None, stride=_one(m.stride),
        padding=padding[0], dilation=_one(m.dilation), groups=m.groups,
    )  # fmt: skip


def _conv_transpose2d(m: Any) -> ConvTranspose2d:
    return ConvTranspose2d(
        filters=m.out_channels, kernel_size=m.kernel_size, isbias=m.bias is not None, stride=m.stride,
        padding=m.padding, output_padding=m.output_padding, dilation=m.dilation, groups=m.groups,
    )  # fmt: skip


def _sides(m: Any) -> tuple[Any, ...]:
    """The padding of a convolution: for each axis a number, or one for each side where PyTorch's "same" has them."""
    if m.padding == "valid":
        return (0,) * len(m.kernel_size)
    if m.padding == "same":
        reach = [d * (k - 1) for d, k in zip(m.dilation, m.kernel_size, strict=True)]
        return tuple((n // 2, n - n // 2) for n in reach)
    return tuple(m.padding)


def _pair(n: Any) -> Any:
    return tuple(n) if isinstance(n, tuple | list) else (n, n)


def _one(n: Any) -> int:
    return int(n[0] if isinstance(n, tuple | list) else n)


def _check_place(torch: Any, placed: Placed, name: str, source: Any) -> None:
    """Raise if a layer would work along another axis than the module does, or on numbers in another order."""
    layer = placed.layer
    if isinstance(layer, LayerNorm) and len(as_tuple(layer.input_shape or ())) > 1:
        raise _unlike(name, source)  # PyTorch's is over columns, ours over channels
    if isinstance(source, torch.nn.Unflatten) and not placed.unflattens:
        raise ValueError(
            f"from_torch: {name}, {source!r}, needs a Linear before it, whose units can be put into our order; {ONNX}"
        )


def _copy(placed: Placed, source: Any) -> None:
    """Copy a module's arrays into a layer."""
    for name, theirs, array in placed.arrays():
        values = placed.from_torch(getattr(source, theirs).detach().cpu().numpy())
        attribute = name.rpartition(".")[2]
        held = getattr(placed.layer, attribute)
        if isinstance(held, Tensor):
            held.data = values
        else:
            array[...] = values
