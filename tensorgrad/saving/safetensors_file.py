"""Weights as Hugging Face's safetensors: https://huggingface.co/docs/safetensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.atomic_file import replacing
from tensorgrad.checks import without
from tensorgrad.saving import container, weights
from tensorgrad.saving.protocols import Buildable
from tensorgrad.saving.weights import PathLike
from tensorgrad.tensor import Array


def save_weights(network: Buildable, path: PathLike) -> None:
    """Write parameters and running statistics."""
    package = _package()
    # the package corrupts arrays that are not contiguous
    arrays = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in weights.arrays(network).items()}
    data = package.save(arrays, metadata={"format": container.WEIGHTS})
    with replacing(path) as file:
        file.write(data)


def read_weights(path: PathLike) -> dict[str, Array]:
    """Read the arrays by name."""
    return dict(_package().load(container.read_bytes(path, container.MAX_BYTES)))


def _package() -> Any:
    try:
        import safetensors.numpy as package
    except ImportError:
        raise without("a file that ends in .safetensors", "the package safetensors", "safetensors") from None
    return package
