"""Models to and from PyTorch, for what ``torch.nn.Sequential`` and our layers have in common.

Everything else goes by way of ONNX: see :mod:`tensorgrad.onnx`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.cnn import CNN
from tensorgrad.kernels.elementwise import SLOPE
from tensorgrad.layers import (
    FFL,
    Activation,
    BatchNorm,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LayerNorm,
    Pool2d,
    Upsample,
)
from tensorgrad.layers.layer import Shape, as_tuple, check_shape
from tensorgrad.network import Network
from tensorgrad.saving.torch_layout import Placed, chain
from tensorgrad.tensor import Tensor

if TYPE_CHECKING:
    import torch

__all__ = ["from_torch", "to_torch"]

OUT = "write the model with tensorgrad.onnx.export instead"
ONNX = "export it with torch.onnx.export and load the file with tensorgrad.onnx.load"


def _package(what: str) -> Any:
    try:
        import torch
    except ImportError:
        raise ImportError(
            f"{what} needs the package torch, which the extra 'torch' installs: pip install \".[torch]\" in a checkout"
        ) from None
    return torch


# -- from PyTorch -----------------------------------------------------------------------------------------------------


def from_torch(module: torch.nn.Module, input_shape: Shape | None = None) -> CNN:
    """Make a model that computes what a PyTorch module does, with copies of its weights and running statistics.

    Parameters
    ----------
    module : torch.nn.Sequential, or one of the modules that it may have
        Convolutions, linear layers, batch and layer normalization, pools, Flatten, Dropout, Upsample, activations, and
        further ``Sequential``.
    input_shape : (height, width, channels) or int, optional
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
    torch = _package("from_torch")
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"from_torch: expected a torch.nn.Module, received {type(module).__name__}")
    modules = list(_flat(torch, module, "module"))
    layers: list[Layer] = []
    sources: list[Any] = []
    i = 0
    while i < len(modules):
        name, part = modules[i]
        after = modules[i + 1][1] if i + 1 < len(modules) else None
        made = _layer(torch, name, part, after)
        i += 1
        if isinstance(made, GlobalPool):
            i += 1  # the Flatten after it
        if isinstance(made, str):
            if layers and isinstance(layers[-1], Conv2d | FFL) and layers[-1].activation is None:
                layers[-1].activation = made
                continue
            made = Activation(made)
        if made is not None:
            layers.append(made)
            sources.append(part)
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
    for placed, source in zip(chain(model.layers), sources, strict=True):
        _copy(placed, source)
    return model


def _flat(torch: Any, module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Modules in order, those of a Sequential in its place."""
    if type(module) is torch.nn.Sequential:
        for part, inner in module.named_children():
            yield from _flat(torch, inner, f"{name}.{part}")
    else:
        yield name, module


def _layer(torch: Any, name: str, m: Any, after: Any) -> Layer | str | None:
    """The layer for a module; the name of an activation; None for what does nothing."""
    nn = torch.nn
    unlike = ValueError(f"from_torch: {name}, {m!r}, has no layer of its kind here; {ONNX}")
    made: Layer | str | None
    match m:
        case nn.Conv2d() if m.padding_mode in ("zeros", "replicate"):
            made = Conv2d(
                filters=m.out_channels, kernel_size=m.kernel_size, isbias=m.bias is not None, stride=m.stride,
                padding=_padding(m, unlike), dilation=m.dilation, groups=m.groups,
            )  # fmt: skip
        case nn.Linear():
            made = FFL(neurons=m.out_features, is_bias=m.bias is not None)
        case nn.BatchNorm1d() | nn.BatchNorm2d() if m.affine and m.track_running_stats and m.momentum is not None:
            made = BatchNorm(momentum=m.momentum, eps=m.eps)
        case nn.LayerNorm() if m.elementwise_affine and len(m.normalized_shape) == 1 and m.bias is not None:
            made = LayerNorm(eps=m.eps)
        case nn.MaxPool2d() if _pair(m.dilation) == (1, 1) and not m.ceil_mode and not m.return_indices:
            made = Pool2d(_pair(m.kernel_size), _pair(m.stride), "max", _pair(m.padding))
        case nn.AvgPool2d() if not m.ceil_mode and m.divisor_override is None:
            if m.count_include_pad and _pair(m.padding) != (0, 0):
                raise unlike
            made = Pool2d(_pair(m.kernel_size), _pair(m.stride), "average", _pair(m.padding))
        case nn.AdaptiveAvgPool2d() | nn.AdaptiveMaxPool2d() if (
            _pair(m.output_size) == (1, 1) and type(after) is nn.Flatten
        ):
            made = GlobalPool("average" if isinstance(m, nn.AdaptiveAvgPool2d) else "max")
        case nn.Flatten() if m.start_dim == 1 and m.end_dim == -1:
            made = Flatten()
        case nn.Dropout():
            made = Dropout(m.p)
        case nn.Upsample() if m.mode == "nearest" and m.scale_factor is not None:
            factors = _pair(m.scale_factor)
            if any(factor != int(factor) for factor in factors):
                raise unlike
            made = Upsample((int(factors[0]), int(factors[1])))
        case nn.Identity():
            made = None
        case _:
            found = [name for name, (kind, fits) in _activations(torch).items() if type(m) is kind and fits(m)]
            if not found:
                raise unlike
            made = found[0]
    return made


def _padding(m: Any, unlike: ValueError) -> Any:
    if m.padding_mode == "replicate":
        if _pair(m.padding) != (1, 1):
            raise unlike
        return "same"
    if m.padding == "valid":
        return None
    if m.padding == "same":
        reach = [d * (k - 1) for d, k in zip(m.dilation, m.kernel_size, strict=True)]
        if any(n % 2 for n in reach):
            raise unlike
        return reach[0] // 2, reach[1] // 2
    return m.padding


def _pair(n: Any) -> Any:
    return tuple(n) if isinstance(n, tuple | list) else (n, n)


def _activations(torch: Any) -> dict[str, tuple[Any, Callable[[Any], bool]]]:
    """Our activations, the modules that are the same, and for which settings."""
    nn = torch.nn
    return {
        "relu": (nn.ReLU, lambda m: True),
        "sigmoid": (nn.Sigmoid, lambda m: True),
        "tanh": (nn.Tanh, lambda m: True),
        "softmax": (nn.Softmax, lambda m: m.dim == 1),
        "leaky_relu": (nn.LeakyReLU, lambda m: m.negative_slope == SLOPE),
        "elu": (nn.ELU, lambda m: m.alpha == 1),
        "gelu": (nn.GELU, lambda m: m.approximate == "none"),
        "softplus": (nn.Softplus, lambda m: m.beta == 1),
        "swish": (nn.SiLU, lambda m: True),
    }


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


# -- to PyTorch -------------------------------------------------------------------------------------------------------


def to_torch(model: Network) -> torch.nn.Sequential:
    """Make a ``torch.nn.Sequential`` that computes what a model does, with copies of its weights and statistics.

    It takes images with their channels first, as PyTorch does, and is in training mode, as new modules are.

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
    torch = _package("to_torch")
    if not isinstance(model, Network):
        raise TypeError(f"to_torch: expected a model, received {type(model).__name__}")
    if not model.layers:
        raise ValueError("to_torch: the model has no layers yet; add them first")
    modules: list[Any] = []
    placed = None
    for placed in chain(model.layers):
        made = _modules(torch, placed.layer)
        for _, theirs, array in placed.arrays():
            held = getattr(made[0], theirs)
            held.data = torch.from_numpy(np.array(placed.to_torch(array), order="C"))
        modules += made
        if placed.layer.activation is not None and placed.layer.activation != "linear":
            modules.append(_activation(torch, placed.layer))
    if placed is not None and isinstance(placed.layer, Flatten) and len(as_tuple(placed.layer.input_shape or ())) == 3:
        raise ValueError(
            f"to_torch: {placed.layer.title} is the last layer, and PyTorch would flatten images in another order; "
            "leave it out, or put a fully connected layer behind it"
        )
    return torch.nn.Sequential(*modules)  # type: ignore[no-any-return]


def _activation(torch: Any, layer: Layer) -> Any:
    kind, _ = _activations(torch).get(layer.activation or "", (None, None))
    if kind is None:
        raise ValueError(
            f"to_torch: {layer.title} has the activation {layer.activation!r}, which PyTorch has no module of"
        )
    return kind(dim=1) if layer.activation == "softmax" else kind()


def _even(layer: Conv2d | Pool2d) -> tuple[int, int]:
    """The pixels on both sides, which PyTorch's modules have equal."""
    (top, bottom), (left, right) = layer.frame
    if top != bottom or left != right:
        raise ValueError(f"to_torch: {layer.title} has another padding on each side, {layer.frame}; {OUT}")
    return top, left


def _modules(torch: Any, layer: Layer) -> list[Any]:
    """The modules for a layer, without its activation; the first has its arrays."""
    nn, shape = torch.nn, as_tuple(layer.input_shape or ())
    image = len(shape) == 3
    match layer:
        case Conv2d():
            repeat = layer.padding == "same"
            return [
                nn.Conv2d(
                    shape[2], layer.filters, layer.kernel_size, layer.stride, 1 if repeat else _even(layer),
                    layer.dilation, layer.groups, layer.isbias, "replicate" if repeat else "zeros",
                )
            ]  # fmt: skip
        case FFL():
            return [nn.Linear(shape[0], layer.neurons, layer.isbias)]
        case BatchNorm() if image or len(shape) == 1:
            kind = nn.BatchNorm2d if image else nn.BatchNorm1d
            return [kind(shape[-1], layer.eps, layer.momentum)]
        case LayerNorm() if len(shape) == 1:
            return [nn.LayerNorm(shape[0], layer.eps)]
        case Pool2d(kind="max"):
            return [nn.MaxPool2d(layer.kernel_size, layer.stride, _even(layer))]
        case Pool2d(kind="average"):
            return [nn.AvgPool2d(layer.kernel_size, layer.stride, _even(layer), count_include_pad=False)]
        case GlobalPool(kind="average" | "max"):
            return [nn.AdaptiveAvgPool2d(1) if layer.kind == "average" else nn.AdaptiveMaxPool2d(1), nn.Flatten()]
        case Flatten():
            return [nn.Flatten()]
        case Dropout():
            return [nn.Dropout(layer.prob)]
        case Upsample():
            return [nn.Upsample(scale_factor=layer.kernel_size, mode="nearest")]
        case Activation():
            return []
    raise ValueError(f"to_torch: {layer.title} has no module of its kind in torch.nn.Sequential; {OUT}")
