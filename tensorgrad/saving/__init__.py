"""Models in files: all of a model, the tutorial's JSON, or weights alone. Nothing in a file is ever run.

>>> import tempfile, tensorgrad
>>> from tensorgrad.layers import FFL
>>> model = tensorgrad.CNN(seed=0)
>>> model.add(FFL(input_shape=2, neurons=1))
>>> with tempfile.TemporaryDirectory() as folder:
...     model.save_model(f"{folder}/model.tgrad")
...     again = tensorgrad.load_model(f"{folder}/model.tgrad")
>>> (again.predict([[1, 2]]) == model.predict([[1, 2]])).all()
np.True_
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tensorgrad.layers import Layer
from tensorgrad.layers.state import StateDifference
from tensorgrad.network import Network
from tensorgrad.saving.errors import ModelFileError, reading
from tensorgrad.saving.registry import register

if TYPE_CHECKING:
    from tensorgrad.saving.formats import Format, Way
    from tensorgrad.saving.protocols import Trainable

__all__ = ["ModelFileError", "check_model", "load_model", "load_weights", "register", "save_model", "save_weights"]

ALONE = "a .safetensors file holds weights alone"
EXPORTS = {".onnx": "tensorgrad.onnx.export(model, path)"} | dict.fromkeys(
    (".html", ".htm"), "model.export_html(path)"
)  # what is no model's file here, but written by another function


def __dir__() -> list[str]:
    return sorted(__all__)


def save_model(model: Trainable, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, in the format of the file's suffix; see :meth:`tensorgrad.CNN.save_model`."""
    encode, write = _way_of_saving(model, path)
    write(path, encode(model))


def check_model(model: Trainable, path: str | os.PathLike[str]) -> None:
    """Raise what :func:`save_model` would, without writing a file; see :meth:`tensorgrad.CNN.check_saving`."""
    from tensorgrad.atomic_file import check_target

    encode, _ = _way_of_saving(model, path)
    encode(model)
    check_target(path)


def _way_of_saving(model: Trainable, path: str | os.PathLike[str]) -> Way:
    _check_network(model, "save_model")
    if not hasattr(model, "iscompiled"):
        raise TypeError("save_model: expected a CNN, received a Network; use save_weights, or add its layers to a CNN")
    if not model.layers:
        raise ValueError("save: the model has no layers yet; add them first")
    way = _format(path).save
    if way is None:
        raise ValueError(f"save_model: {ALONE}; use save_weights, or another suffix")
    suffix = os.path.splitext(path)[1].lower()
    if suffix in EXPORTS:
        raise ValueError(f"save_model: {os.fspath(path)!r} is a name for another format; use {EXPORTS[suffix]}")
    return way


def load_model(path: str | os.PathLike[str], model: Trainable) -> None:
    """Fill a model that has no layers yet from a file; see :func:`tensorgrad.load_model`.

    After an error the model may have some of the layers.
    """
    load = _format(path).load
    if load is None:
        raise ModelFileError(f"{path}: {ALONE}; make the model, then call its load_weights(path)")
    load(path, model)


def save_weights(network: Network, path: str | os.PathLike[str]) -> None:
    """Write parameters and running statistics to a file; see :meth:`tensorgrad.CNN.save_weights`."""
    _check_has_layers(network, "save_weights")
    save = _format(path).save_weights
    if save is None:
        raise ValueError("save_weights: a .json file holds a whole model; use save_model, or another suffix")
    save(network, path)


def load_weights(
    network: Network, path: str | os.PathLike[str], strict: bool = True, layout: str | None = None
) -> StateDifference:
    """Copy parameters and running statistics from a file; see :meth:`tensorgrad.CNN.load_weights`."""
    from tensorgrad.saving import torch_layout, weights

    _check_has_layers(network, "load_weights")
    if layout not in (None, "torch"):
        raise ValueError(f"load_weights: unknown layout {layout!r}; known are 'torch' and None")
    with reading(path):
        values = _format(path).read_weights(path)
        return weights.load(network, values if layout is None else torch_layout.translated(network, values), strict)


def _check_network(model: Any, owner: str) -> None:
    if not isinstance(model, Network):
        hint = "; make an instance of it" if isinstance(model, type) else ""
        if isinstance(model, Layer):
            hint = "; add it to a CNN: model.add(...)"
        elif isinstance(model, str | os.PathLike):
            hint = "; the model comes first, then the path"
        raise TypeError(f"{owner}: expected a CNN, received {type(model).__name__}{hint}")


def _check_has_layers(network: Network, owner: str) -> None:
    _check_network(network, owner)
    if not network.layers:
        raise ValueError("weights: the model has no layers yet; add them first")


def _format(path: str | os.PathLike[str]) -> Format:
    from tensorgrad.saving.formats import by_suffix  # here, because programs without files need not wait for it

    return by_suffix(path)
