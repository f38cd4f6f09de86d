"""Files: what was exported in onnxruntime against ours, and what was loaded against what was built here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import tensorgrad
from benchmarks import nets
from benchmarks.case import Case, Group, agree
from benchmarks.nets import Net
from tensorgrad import CNN
from tensorgrad.layers import Rescale
from tensorgrad.losses import one_hot


def session(model: CNN, folder: str) -> Any:
    """The model in onnxruntime, on one thread."""
    path = Path(folder) / "model.onnx"
    tensorgrad.onnx.export(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def runtime(net: Net, batch: int) -> Case:
    """Prediction, of images that each side has in its own order."""
    images, _ = net.data(batch)
    x = images.reshape(batch, *net.shape)
    model = nets.ours(net)
    with tempfile.TemporaryDirectory() as folder:
        theirs = session(model, folder)
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    ours = model.predictor(1) if batch == 1 else model.predict
    name = f"{net.name}, " + ("one image, prepared" if batch == 1 else f"{batch} images")

    def predict() -> Any:
        return theirs.run(None, {"input": first})[0]

    return Case(
        name, lambda: ours(x), [predict], lambda: agree(name, ours(x), predict()), peer="onnxruntime", threads=[1]
    )


def both(net: Net, whole: bool) -> tuple[CNN, CNN]:
    """A network that is exported and loaded, and the same built here; as one Graph, if it is not to be plain layers."""
    model = CNN(seed=0)
    for layer in nets.ours(net).layers:
        model.add(layer)
    if whole:
        model.add(Rescale(1.0))  # which is no layer in the midst of a file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        tensorgrad.onnx.export(model, path)
        loaded = tensorgrad.onnx.load(path)
    for each in (loaded, model):
        each.compile_model(opt="adam", lr=net.lr, loss="mse")
    return loaded, model


def there_and_back(net: Net, whole: bool, batch: int) -> Iterator[Case]:
    """Prediction and an epoch of what was loaded, against the network that it was."""
    loaded, built = both(net, whole)
    x, labels = net.data(8 * batch)
    y = one_hot(labels, 10)
    name = f"{net.name}, loaded as {'a Graph' if whole else 'layers'}"

    def epoch(model: CNN) -> None:
        model.train(x, y, batch_size=batch, val_split=0, verbose=0)

    def check() -> None:
        agree(name, loaded.predict(x), built.predict(x))

    few = x[:batch]
    yield Case(
        f"{name}, {batch} images",
        lambda: loaded.predict(few),
        [lambda: built.predict(few)],
        check,
        peer="ours",
        threads=[1],
    )
    yield Case(
        f"{name}, an epoch", lambda: epoch(loaded), [lambda: epoch(built)], lambda: None, peer="ours", threads=[1]
    )


def cases(quick: bool) -> Iterator[Case]:
    """Two experiments, LeNet-5 and larger ones."""
    networks = (nets.EXPERIMENTS[1], nets.EXPERIMENTS[3], nets.LENET)
    for batch in (1, 64, 256):
        for net in networks if quick or batch == 256 else (*networks, nets.VGG, nets.RESNET):
            yield runtime(net, batch)
    for net in (nets.EXPERIMENTS[3].without_dropout(), nets.RESNET):
        for whole in (False, True):
            yield from there_and_back(net, whole, 64)


GROUP = Group("Files: onnxruntime, and what was loaded", cases)
