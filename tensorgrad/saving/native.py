"""The native format: a whole model, with all that training needs to go on as if it had never stopped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import prod
from typing import Any

import numpy as np

from tensorgrad import engine
from tensorgrad.data.reader import FITS
from tensorgrad.layers import Layer
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.rows import MAX_SAMPLE
from tensorgrad.saving import architecture, assembly, container, random_state, training_state, validation, weights
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.saving.protocols import Buildable, Trainable
from tensorgrad.saving.weights import PathLike
from tensorgrad.tensor import Array, Tensor
from tensorgrad.version import __version__

STATE = "state/"  # begins the names of parameters and running statistics
# since version 2: the paths of frozen layers; the names of the classes, and how pictures are fitted
OPTIONAL = ("untrainable", "pictures")
REQUIRED = ("format", "version", "tensorgrad", "layers", "frozen", "seed", "random", "history", "shown", "training")


def encode(model: Trainable) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header of a model's file, and its arrays by name."""
    encoder = architecture.Encoder()
    layers = [_encode(layer, encoder) for layer in model.layers]
    for layer in model.layers:
        assembly.check_extents(layer)
    if architecture.expanded(layers) > assembly.MAX_LAYERS:
        raise ValueError(
            f"save: the model has more than {assembly.MAX_LAYERS} layers, counting those inside of others; "
            "save its weights alone"
        )
    state = weights.named(model)
    arrays = {STATE + name: array for name, array in weights.arrays(model).items()}
    training = None
    if model.iscompiled:
        training, slots = training_state.encode_training(model, state)
        arrays |= slots
    untrainable = [path for path, layer in model.named_layers() if not layer.trainable]
    held = {id(parameter) for layer in model.layers for parameter in layer.frozen_parameters()}
    contents = {
        "layers": layers,
        "frozen": [
            name
            for name, item in state.items()
            if isinstance(item, Tensor) and not item.requires_grad and id(item) not in held
        ],
        "seed": model.seed,
        "random": [random_state.encode(rng) for rng in random_state.generators(model)],
        "history": training_state.encode_history(model.history),
        "shown": training_state.encode_shown(model),
        "training": training,
    }
    if untrainable:
        contents["untrainable"] = untrainable
    if model.classes:
        contents["pictures"] = {"classes": list(model.classes), "fit": model.picture_fit}
    version = 2 if encoder.shared or untrainable or model.classes else 1
    return _origin(container.MODEL, version) | contents, arrays


def write(path: PathLike, encoded: tuple[dict[str, Any], dict[str, Array]]) -> None:
    """Write a file, whole or not at all."""
    container.write(path, *encoded)


def load(path: PathLike, model: Trainable) -> None:
    """Fill a model that has no layers yet from a file."""
    with reading(path):
        header, arrays = container.read(path)
        if header.get("format") == container.WEIGHTS:
            raise ModelFileError("it holds weights alone; make the model, then call its load_weights(path)")
        container.check_origin(header, container.MODEL)
        validation.keys(header, container.HEADER, REQUIRED, OPTIONAL)
        rest = {name: array for name, array in arrays.items() if not name.startswith(STATE)}
        frozen = {validation.text(name, "frozen") for name in validation.items(header["frozen"], "frozen")}
        model.seed = validation.whole(header["seed"], "seed", high=2**256)
        _build(model, header["layers"], _state(arrays))
        _fill(model, _state(arrays), frozen)
        if header["training"] is not None:
            training_state.restore_training(model, header["training"], rest)
        elif rest:
            raise ModelFileError(f"it has arrays that belong to nothing: {sorted(rest)[:5]}")
        for name, item in weights.named(model).items():
            if isinstance(item, Tensor):
                item.requires_grad = name not in frozen
        _freeze(model, header.get("untrainable", []))
        random_state.restore(model, header["random"], "random")
        training_state.restore_history(model, header["history"], header["shown"])
        if "pictures" in header:
            _restore_pictures(model, header["pictures"])


def _restore_pictures(model: Trainable, pictures: Any) -> None:
    """Restore the names of the classes, and how pictures are fitted to the input."""
    found = validation.keys(pictures, "pictures", ("classes", "fit"))
    fit = validation.text(found["fit"], "pictures, fit")
    if fit not in FITS:
        validation.wrong("pictures, fit", f"one of {', '.join(FITS)}", fit)
    names = [validation.text(name, "classes") for name in validation.items(found["classes"], "pictures, classes")]
    try:
        model.classes = tuple(names)
    except ValueError as error:
        raise ModelFileError(f"pictures: {error}") from None
    model.picture_fit = fit


def save_weights(network: Buildable, path: PathLike) -> None:
    """Write parameters and running statistics alone."""
    arrays = {STATE + name: array for name, array in weights.arrays(network).items()}
    container.write(path, _origin(container.WEIGHTS, 1), arrays)


def read_weights(path: PathLike) -> dict[str, Array]:
    """Read the parameters and running statistics of a model, or of weights alone."""
    header, arrays = container.read(path)
    container.check_origin(header, container.MODEL, container.WEIGHTS)
    return _state(arrays)


def _origin(what: str, version: int) -> dict[str, Any]:
    """The keys with which every header begins."""
    return {"format": what, "version": version, "tensorgrad": __version__}


def _state(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(STATE): array for name, array in arrays.items() if name.startswith(STATE)}


def _encode(layer: Layer, encoder: architecture.Encoder) -> dict[str, Any]:
    shape = layer.input_shape
    encoded = encoder.layer(layer, layer.title)
    encoded["name"] = validation.text(layer.name, f"save: the name of {type(layer).__name__}")
    encoded["input_shape"] = shape if isinstance(shape, int) else list(as_tuple(shape or ()))
    return encoded


def _build(model: Buildable, entries: Any, state: Mapping[str, Array]) -> None:
    """Add the layers. They get the file's parameters before they could make any themselves, of whatever size."""
    if architecture.expanded(entries) > assembly.MAX_LAYERS:
        raise ModelFileError(f"it has more than {assembly.MAX_LAYERS} layers")
    of_layer: dict[str, dict[str, Array]] = {}
    for name, array in state.items():
        number, _, inner = name.partition(".")
        of_layer.setdefault(number, {})[inner] = array
    names = []
    decoder = architecture.Decoder()
    for i, entry in enumerate(validation.items(entries, "layers")):
        where = f"layer {i}"
        found = dict(validation.keys(entry, where, ("name", "input_shape"), architecture.KEYS))
        name = validation.text(found.pop("name"), f"{where}, name")
        shape = validation.shape(found.pop("input_shape"), f"{where}, input_shape")
        layer = decoder.layer(found, where)
        if prod(as_tuple(shape)) > MAX_SAMPLE:
            raise ModelFileError(f"{where}: samples of shape {shape} have more than {MAX_SAMPLE} numbers")
        if i == 0:
            assembly.check_extents(layer)  # for the input that its settings may name
            layer.input_shape = shape
        assembly.append(model, layer, of_layer.get(str(i), {}), where)
        if as_tuple(layer.input_shape or ()) != as_tuple(shape):
            raise ModelFileError(f"{where}: it gets samples of shape {layer.input_shape}, but was made for {shape}")
        names.append(name)
    if not names:
        raise ModelFileError("it has no layers")
    for layer, name in zip(model.layers, names, strict=True):
        layer.name = name


def _freeze(model: Buildable, paths: Any) -> None:
    """Freeze the layers with these paths, and no others."""
    untrainable = {validation.text(path, "untrainable") for path in validation.items(paths, "untrainable")}
    layers = dict(model.named_layers())
    unknown = sorted(untrainable - layers.keys())
    if unknown:
        raise ModelFileError(f"untrainable: there are no layers {unknown[:5]}")
    for path, layer in layers.items():  # each comes before the layers inside of it, which it freezes too
        layer.trainable = path not in untrainable


def _fill(model: Buildable, state: Mapping[str, Array], frozen: Collection[str]) -> None:
    """Give the model's tensors and buffers the values of the file."""
    here = weights.arrays(model)
    # tensors that a layer keeps from its forward pass are in the file too, but not in a new layer
    values = {name: array for name, array in state.items() if name in here or name not in frozen}
    weights.refuse(weights.differences(here, values, dtypes=False))
    layers = dict(model.named_layers())
    for name, item in weights.named(model).items():
        value = values[name]
        if isinstance(item, Tensor):
            if item.dtype.kind != value.dtype.kind or not isinstance(item.array, np.ndarray):
                raise ModelFileError(f"state {name!r} must be of a dtype like {item.dtype}, received {value.dtype}")
            item.array = value  # instead of a copy into it, because the dtypes may differ
            engine.wrote(item)
        elif item.dtype.kind != value.dtype.kind:
            raise ModelFileError(f"state {name!r} must be of a dtype like {item.dtype}, received {value.dtype}")
        elif item.dtype == value.dtype:
            item[...] = value
        else:
            path, _, attribute = name.rpartition(".")
            layer = layers[path]
            setattr(layer, next(each for each in layer.buffers if each.lstrip("_") == attribute), value)
