"""Models to and from PyTorch, for what ``torch.nn.Sequential`` and our layers have in common.

Everything else goes by way of ONNX: see :mod:`tensorgrad.onnx`.
"""

from tensorgrad.torch.incoming import from_torch
from tensorgrad.torch.outgoing import to_torch

__all__ = ["from_torch", "to_torch"]


def __dir__() -> list[str]:
    return sorted(__all__)
