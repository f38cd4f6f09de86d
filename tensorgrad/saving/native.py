"""The native file: all of a model, and all that training needs to go on as if it had never stopped."""

from __future__ import annotations

import os
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.layers import Layer
from tensorgrad.layers.layer import as_tuple
from tensorgrad.saving import architecture, container, random_state, training_state, validation, weights
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.tensor import Array, Tensor

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN

MAX_LAYERS = 1000  # with those that are part of others
MAX_SAMPLE = 2**25  # numbers that one sample may have on its way through a layer
REQUIRED = ("format", "version", "tensorgrad", "layers", "frozen", "seed", "random", "history", "shown", "training")


def save(model: CNN, path: str | os.PathLike[str]) -> None:
    """Write a model to a native file, whole or not at all."""
    import tensorgrad

    if not model.layers:
        raise ValueError("save: the model has no layers yet; add them first")
    layers = [_encode(layer) for layer in model.layers]
    for layer in model.layers:
        check_size(layer)
    if _count(layers) > MAX_LAYERS:
        raise ValueError(f"save: the model has more than {MAX_LAYERS} layers, counting those that are part of others")
    state = weights.named(model)
    arrays = {weights.STATE + name: array for name, array in weights.arrays(model).items()}
    training = None
    if model.iscompiled:
        training, slots = training_state.encode_training(model, state)
        arrays |= slots
    header = {
        "format": container.MODEL,
        "version": container.VERSION,
        "tensorgrad": tensorgrad.__version__,
        "layers": layers,
        "frozen": [name for name, item in state.items() if isinstance(item, Tensor) and not item.requires_grad],
        "seed": model.seed,
        "random": [random_state.encode(rng) for rng in random_state.generators(model)],
        "history": training_state.encode_history(model.history),
        "shown": training_state.encode_shown(model),
        "training": training,
    }
    container.write(path, header, arrays)


def load(path: str | os.PathLike[str]) -> CNN:
    """Read a model from a native file."""
    with reading(path):
        header, arrays = container.read(path)
        if header.get("format") == container.WEIGHTS:
            raise ModelFileError("it holds weights alone; make the model, then call its load_weights(path)")
        container.check_origin(header, container.MODEL)
        validation.keys(header, container.HEADER, REQUIRED)
        state = {name.removeprefix(weights.STATE): a for name, a in arrays.items() if name.startswith(weights.STATE)}
        rest = {name: a for name, a in arrays.items() if not name.startswith(weights.STATE)}
        model = _build(header, state)
        if header["training"] is not None:
            training_state.restore_training(model, header["training"], rest)
        elif rest:
            raise ModelFileError(f"it has arrays that belong to nothing: {sorted(rest)[:5]}")
        frozen = _frozen(header)
        for name, item in weights.named(model).items():
            if isinstance(item, Tensor):
                item.requires_grad = name not in frozen
        random_state.restore(model, header["random"], "random")
        training_state.restore_history(model, header["history"], header["shown"])
        return model


def _encode(layer: Layer) -> dict[str, Any]:
    shape = layer.input_shape
    return architecture.encode_layer(layer, layer.title) | {
        "name": validation.text(layer.name, f"save: the name of {type(layer).__name__}"),
        "input_shape": shape if isinstance(shape, int) else list(as_tuple(shape or ())),
    }


def _build(header: dict[str, Any], state: dict[str, Array]) -> CNN:
    """The model with its parameters. They are compared with the layers before anything of their size is made."""
    from tensorgrad.cnn import CNN

    model = CNN(seed=validation.whole(header["seed"], "seed", high=2**256))
    if _count(header["layers"]) > MAX_LAYERS:
        raise ModelFileError(f"it has more than {MAX_LAYERS} layers")
    of_layer: dict[str, dict[str, Array]] = {}
    for name, array in state.items():
        number, _, inner = name.partition(".")
        of_layer.setdefault(number, {})[inner] = array
    for i, entry in enumerate(validation.items(header["layers"], "layers")):
        where = f"layer {i}"
        found = validation.keys(entry, where, ("layer", "config", "name", "input_shape"))
        layer = architecture.make({key: found[key] for key in ("layer", "config")}, "layer", where)
        shape = validation.shape(found["input_shape"], f"{where}, input_shape")
        if prod(as_tuple(shape)) > MAX_SAMPLE:
            raise ModelFileError(f"{where}: samples of shape {shape} have more than {MAX_SAMPLE} numbers")
        if i == 0:
            layer.input_shape = shape
        add(model, layer, of_layer.get(str(i), {}), where)
        if as_tuple(layer.input_shape or ()) != as_tuple(shape):
            raise ModelFileError(f"{where}: it gets samples of shape {layer.input_shape}, but was made for {shape}")
    if not model.layers:
        raise ModelFileError("it has no layers")
    for layer, entry in zip(model.layers, header["layers"], strict=True):
        layer.name = validation.text(entry["name"], "name")
    _fill(model, state, _frozen(header))
    return model


def add(model: CNN, layer: Layer, values: dict[str, Array], where: str) -> None:
    """Add a layer to a model, its parameters being those of a file instead of new ones."""
    try:
        layer.preset(values)
        for part in layer.walk():
            if part.built and getattr(part, part.built[0], None) is None:
                raise ModelFileError(f"the weights of {part.title} are missing")
        check_size(layer)
        model.add(layer)
        check_size(layer)
    except (RecursionError, MemoryError):
        raise
    except Exception as error:
        raise ModelFileError(f"{where}: {error}") from error


def check_size(layer: Layer) -> None:
    """Refuse layers through which a single sample would need gigabytes, or numbers that overflow."""
    for part in layer.walk():
        before, after = as_tuple(part.input_shape or 1), as_tuple(part.output_shape or 1)
        if max(part.extents()) > MAX_SAMPLE:
            raise ModelFileError(
                f"{part.title} turns one sample of shape {before} into {after}; in a file, a sample can have "
                f"{MAX_SAMPLE} numbers, with the layer's padding, and a window can be as large or as far from the next"
            )


def _frozen(header: dict[str, Any]) -> set[str]:
    return {validation.text(name, "frozen") for name in validation.items(header["frozen"], "frozen")}


def _count(value: Any) -> int:
    """How many layers there are in a part of a header."""
    if isinstance(value, dict):
        return ("layer" in value) + sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 0


def _fill(model: CNN, state: dict[str, Array], frozen: set[str]) -> None:
    """Give the model's tensors and buffers the values of the file."""
    here = weights.arrays(model)
    values = {name: a for name, a in state.items() if name in here or name not in frozen}  # less what forward keeps
    weights.refuse(weights.problems(here, values, dtypes=False))
    for name, item in weights.named(model).items():
        value = values[name]
        if isinstance(item, Tensor):
            if item.dtype.kind != value.dtype.kind or not isinstance(item.array, np.ndarray):
                raise ModelFileError(f"state {name!r} must be of a dtype like {item.dtype}, received {value.dtype}")
            weights.replace(item, value)
        elif item.dtype != value.dtype:
            raise ModelFileError(f"state {name!r} must be of dtype {item.dtype}, received {value.dtype}")
        else:
            item[...] = value
