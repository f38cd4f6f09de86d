"""What both ways need: the package, and which activations are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorgrad.checks import without
from tensorgrad.kernels.elementwise import SLOPE


def package(what: str) -> Any:
    """PyTorch, or an error that says how to install it."""
    try:
        import torch
    except ImportError:
        raise without(what, "the package torch", "torch") from None
    return torch


def activations(torch: Any) -> dict[str, tuple[Any, Callable[[Any], bool]]]:
    """Our activations, the modules that are the same, and for which settings."""
    nn = torch.nn
    return {
        "relu": (nn.ReLU, lambda m: True),
        "sigmoid": (nn.Sigmoid, lambda m: True),
        "tanh": (nn.Tanh, lambda m: True),
        "softmax": (nn.Softmax, lambda m: m.dim in (1, -1)),
        "leaky_relu": (nn.LeakyReLU, lambda m: m.negative_slope == SLOPE),
        "elu": (nn.ELU, lambda m: m.alpha == 1),
        "gelu": (nn.GELU, lambda m: m.approximate == "none"),
        "softplus": (nn.Softplus, lambda m: m.beta == 1),
        "swish": (nn.SiLU, lambda m: True),
    }
