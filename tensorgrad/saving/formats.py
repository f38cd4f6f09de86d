"""The formats of files, by suffix: one table."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tensorgrad.saving import native, safetensors_file, tutorial
from tensorgrad.saving.protocols import Buildable, Trainable
from tensorgrad.saving.weights import PathLike
from tensorgrad.tensor import Array

Way: TypeAlias = tuple[Callable[[Trainable], Any], Callable[[PathLike, Any], None]]


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    save : pair of callables, or None
        The first makes of a model what the second writes to a path. None for files that hold weights alone.
    load : callable, or None
        Fill a model without layers from a path.
    save_weights : callable, or None
        Write the weights of a network to a path. None for files that hold whole models alone.
    read_weights : callable
        Return the arrays of a file by name, such as ``"0.weights"``.
    """

    save: Way | None
    load: Callable[[PathLike, Trainable], None] | None
    save_weights: Callable[[Buildable, PathLike], None] | None
    read_weights: Callable[[PathLike], dict[str, Array]]


# for every other suffix
NATIVE = Format((native.encode, native.write), native.load, native.save_weights, native.read_weights)
FORMATS = {
    ".json": Format((tutorial.encode, tutorial.write), tutorial.load, None, tutorial.read_weights),
    ".safetensors": Format(None, None, safetensors_file.save_weights, safetensors_file.read_weights),
}


def by_suffix(path: PathLike) -> Format:
    """The format of a file with this name."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"saving: expected a path, received {type(path).__name__}")
    return FORMATS.get(Path(path).suffix.lower(), NATIVE)
