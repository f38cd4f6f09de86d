"""The arrays of a model, by name: collected, compared with those of a file, and written back. Nothing in part."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import engine
from tensorgrad.atomic_file import replacing
from tensorgrad.saving import container
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.tensor import Array, Tensor

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

STATE = "state/"  # what the names of these arrays begin with in a native file


def named(model: CNN) -> dict[str, Tensor | Array]:
    """Parameters, trained or not, and buffers, as ``"0.weights"``: the layer's number, the name in the layer."""
    found: dict[str, Tensor | Array] = {}
    owners: dict[int, str] = {}
    for i, layer in enumerate(model.layers):
        for inner, item in layer.named_state():
            name = f"{i}.{inner}"
            if name in found or id(item) in owners:
                raise ValueError(
                    f"save: {layer.title} has {inner!r} twice, or shares it with {owners.get(id(item), 'itself')!r}; "
                    "a file holds each array once, under a name of its own"
                )
            found[name] = item
            owners[id(item)] = name
    return found


def arrays(model: CNN) -> dict[str, Array]:
    """The same, as arrays."""
    return {name: _array(item) for name, item in named(model).items()}


def _array(item: Tensor | Array) -> Array:
    return np.asarray(item.array if isinstance(item, Tensor) else item)


def problems(here: Mapping[str, Array], there: Mapping[str, Array], dtypes: bool = True) -> list[str]:
    """What is missing in a file, what is unexpected, what has another shape or dtype: a line for each."""
    found = [f"missing: {name}, {_kind(here[name])}" for name in here if name not in there]
    found += [f"unexpected: {name}, {_kind(there[name])}" for name in there if name not in here]
    for name in here:
        if name in there:
            a, b = here[name], there[name]
            if a.shape != b.shape or (dtypes and a.dtype != b.dtype):
                found.append(f"different: {name} is {_kind(a)} in the model, {_kind(b)} in the file")
    return found


def _kind(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"


def refuse(found: list[str]) -> None:
    """Raise if there are problems, with a list of them."""
    if found:
        more = [f"and {len(found) - 20} more"] if len(found) > 20 else []
        listed = "".join(f"\n  {line[:200]}" for line in found[:20] + more)
        raise ModelFileError(
            f"its arrays are not those of the model; load them into a model with the same layers{listed}"
        )


def write_back(model: CNN, values: Mapping[str, Array]) -> None:
    """Write arrays, which were compared by now, into the ones that are there."""
    for name, item in named(model).items():
        if isinstance(item, Tensor):
            item.data = values[name]
        else:
            item[...] = values[name]


def save_weights(model: CNN, path: str | os.PathLike[str]) -> None:
    """Save parameters and buffers alone: as ``.safetensors``, or as a native file of nothing else."""
    import tensorgrad

    _check_has_layers(model)
    if _is_safetensors(path):
        from_extra = _safetensors()
        copies = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays(model).items()}
        data = from_extra.save(copies, metadata={"format": container.WEIGHTS})  # corrupts what is not contiguous
        with replacing(path) as file:
            file.write(data)
    else:
        header = {"format": container.WEIGHTS, "version": container.VERSION, "tensorgrad": tensorgrad.__version__}
        container.write(path, header, {STATE + name: array for name, array in arrays(model).items()})


def load_weights(model: CNN, path: str | os.PathLike[str]) -> None:
    """Load parameters and buffers into a model: all of them, or none."""
    _check_has_layers(model)
    with reading(path):
        values = _read(path)
        refuse(problems(arrays(model), values))
    write_back(model, values)


def _read(path: str | os.PathLike[str]) -> dict[str, Array]:
    if _is_safetensors(path):
        from_extra = _safetensors()
        return dict(from_extra.load(container.read_bytes(path, container.MAX_BYTES)))
    if Path(path).suffix.lower() == ".json":
        from tensorgrad.saving import tutorial_reader

        return arrays(tutorial_reader.load(path))
    header, found = container.read(path)
    container.check_origin(header, container.MODEL, container.WEIGHTS)
    return {name.removeprefix(STATE): array for name, array in found.items() if name.startswith(STATE)}


def _check_has_layers(model: CNN) -> None:
    if not model.layers:
        raise ValueError("weights: the model has no layers yet; add them first")


def _is_safetensors(path: str | os.PathLike[str]) -> bool:
    return Path(path).suffix.lower() == ".safetensors"


def _safetensors() -> Any:
    try:
        import safetensors.numpy as from_extra
    except ImportError:
        raise ImportError(
            "files that end in .safetensors need the package safetensors, which the extra 'safetensors' installs: "
            'pip install ".[safetensors]" in a checkout; or use another suffix'
        ) from None
    return from_extra


def replace(item: Tensor, value: Array) -> None:
    """Give a tensor of a model that was just made an array of its own, also of another dtype."""
    item.array = value
    engine.wrote(item)
