"""Appending layers from a file to a network, within bounds on memory."""

from __future__ import annotations

from collections.abc import Mapping

from tensorgrad.layers import Layer
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.rows import MAX_SAMPLE
from tensorgrad.saving.errors import ModelFileError
from tensorgrad.saving.protocols import Buildable
from tensorgrad.tensor import Array

MAX_LAYERS = 1000  # including those inside of others


def append(network: Buildable, layer: Layer, parameters: Mapping[str, Array], where: str) -> None:
    """Append a layer that starts with a file's parameters instead of drawing its own."""
    try:
        layer.preset(parameters)
        for part in layer.walk():
            if not part.is_built:
                raise ModelFileError(f"the weights of {part.title} are missing")
        check_extents(layer)
        network.add(layer)
        check_extents(layer)  # again, now that it knows its input
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        raise ModelFileError(f"{where}: {error}") from error


def check_extents(layer: Layer) -> None:
    """Refuse layers through which a single sample would need gigabytes, or whose numbers would overflow."""
    for part in layer.walk():
        if max(part.extents()) > MAX_SAMPLE:
            before, after = as_tuple(part.input_shape or 1), as_tuple(part.output_shape or 1)
            raise ModelFileError(
                f"{part.title} turns one sample of shape {before} into {after}; in a file, a sample can have "
                f"{MAX_SAMPLE} numbers, with the layer's padding, and a window can be as large or as far from the next"
            )
