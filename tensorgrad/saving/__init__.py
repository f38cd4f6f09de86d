"""Models in files: all of a model, the text's JSON, or weights alone. Nothing that is read is ever run.

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
from pathlib import Path
from typing import TYPE_CHECKING

from tensorgrad.saving.errors import ModelFileError as ModelFileError
from tensorgrad.saving.registry import register as register

if TYPE_CHECKING:
    from tensorgrad.cnn import CNN


def save_model(model: CNN, path: str | os.PathLike[str] = "model.json") -> None:
    """Save a model: see :meth:`tensorgrad.CNN.save_model`."""
    suffix = Path(path).suffix.lower()
    if suffix == ".safetensors":
        raise ValueError("save_model: a .safetensors file holds weights alone; use save_weights, or another suffix")
    if suffix == ".json":
        from tensorgrad.saving import tutorial_writer  # here, so that a program that saves nothing need not wait for it

        tutorial_writer.save(model, path)
    else:
        from tensorgrad.saving import native

        native.save(model, path)


def load_model(path: str | os.PathLike[str] = "model.json") -> CNN:
    """Load a model that :meth:`tensorgrad.CNN.save_model` has saved, or the text's code.

    Nothing in a file is run, and no class is made that is not registered (:func:`register`). Memory and time are
    bounded by the file's length and its number of parameters.

    Parameters
    ----------
    path : path
        A file that ends in ``.json`` is the text's JSON: its weights become float32 if all of them are exactly that,
        and float64 otherwise. Any other is our own.

    Returns
    -------
    CNN
        It predicts, to the bit, what the model predicted that was saved. From a file of our own it is compiled as that
        was, and trains on: see :meth:`tensorgrad.CNN.resume`.

    Raises
    ------
    ModelFileError
        If it is no model, damaged, of a newer version, or has a layer that is not registered.
    OSError
        If the file cannot be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".safetensors":
        raise ModelFileError(
            f"{path}: a .safetensors file holds weights alone; make the model, then call its load_weights(path)"
        )
    if suffix == ".json":
        from tensorgrad.saving import tutorial_reader

        return tutorial_reader.load(path)
    from tensorgrad.saving import native

    return native.load(path)
