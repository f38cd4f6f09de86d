"""What the commands do."""

from __future__ import annotations

import argparse
import copy
import json
import platform
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad import designs
from tensorgrad.atomic_file import check_target
from tensorgrad.checks import told
from tensorgrad.cnn import CNN, load_model
from tensorgrad.command_line import sources
from tensorgrad.command_line.sources import Samples, Source
from tensorgrad.data import Augment, DataError
from tensorgrad.data.images import SUFFIXES, pictures_in
from tensorgrad.kernels.threads import get_num_threads
from tensorgrad.layers import FFL, Layer, Rescale
from tensorgrad.layers.shapes import as_tuple
from tensorgrad.optim import Cosine, WarmUp
from tensorgrad.parallel import leads
from tensorgrad.training.callbacks import Callback, EarlyStopping, ModelCheckpoint
from tensorgrad.training.terminal import Progress
from tensorgrad.version import __version__

EXPORTS = (".onnx", ".html", ".json", ".safetensors")
SAMPLE = 2000  # pictures whose pixels say how a network's input is to be scaled ...
BLOCK = 2**22  # ... and how many of their numbers are read at once
WARM_UP = 100  # steps


def version() -> str:
    """The line of ``--version``."""
    return f"tensorgrad {__version__}"


# -- train ---------------------------------------------------------------------------------------------------------


def train(options: argparse.Namespace) -> int:
    """Train a network on pictures, and save it after each epoch. Where MPI has started several, the first does that."""
    if options.freeze and not options.base:
        raise ValueError("--freeze needs --from: a new network has nothing to keep")
    for path in (options.output, options.report):  # before the work, and not after it
        if path is not None:
            check_target(path)
    leading = leads()
    before = _load(options.output) if options.resume else _load(options.base) if options.base else None
    source = _source(options.data, before, options, same_classes=bool(options.resume))
    if options.patience and not options.validation and source.test is None:
        raise ValueError("--patience needs pictures to validate with: leave --validation 0 out")
    model = before if options.resume and before is not None else _network(options, source, before)
    if leading and not options.quiet:
        counts = np.bincount(source.train.y, minlength=len(source.classes))
        print(f"{len(source.train.x)} pictures of {len(source.classes)} classes:")
        print("\n".join(f"  {name}: {count}" for name, count in zip(source.classes, counts, strict=True)))
        model.summary()
    callbacks: list[Callback] = [ModelCheckpoint(options.output)]
    if options.patience:
        callbacks.insert(0, EarlyStopping("val_loss", patience=options.patience))
    validation: dict[str, Any] = {"val_split": options.validation}
    if source.test is not None:
        validation = {"val_x": source.test.x, "val_y": source.test.y}
    farthest = round(0.08 * max(source.train.x.shape[1:3]))
    augment = Augment(shift=farthest, rotate=8, zoom=(0.92, 1.08)) if options.augment else None
    model.resume(
        source.train.x, source.train.y, options.epochs, batch_size=options.batch_size, augment=augment,
        callbacks=callbacks, verbose=0 if options.quiet else "auto", processes=options.processes, **validation,
    )  # fmt: skip
    if not leading:
        return 0
    model.save_model(options.output)
    done = len(model.history)
    shown = model.history.history
    best = "val_accuracy" if "val_accuracy" in shown else "accuracy"
    print(f"{options.output}: {best.replace('_', ' ')} {shown[best][-1]:.2%} after {done} epochs")
    if options.report:
        _write_report(model, source.test or source.train, options.report)
        print(f"{options.report}: the report")
    if done < options.epochs and not options.patience:
        print(f"stopped; go on with: tensorgrad train {options.data} -o {options.output} --resume", file=sys.stderr)
        return 130
    return 0


def _network(options: argparse.Namespace, source: Source, before: CNN | None) -> CNN:
    """A new network, or a copy of one with a last layer for other classes; compiled."""
    shape = tuple(source.train.x.shape[1:])
    output = FFL(neurons=len(source.classes), activation="softmax")
    model = CNN(seed=options.seed)
    if before is None:
        design = designs.suggested(shape) if options.layers is None else options.layers
        scaling = _scaling(source.train.x)
        scaling.input_shape = shape
        for layer in [scaling, *designs.from_text(design, shape, output)]:
            model.add(layer)
    else:
        kept: list[Layer] = copy.deepcopy(before.layers)
        if as_tuple(before.layers[-1].output_shape or ()) != (len(source.classes),) or before.classes != source.classes:
            kept[-1] = output
        for layer in kept:
            model.add(layer)
        if options.freeze:
            for layer in model.layers[:-1]:
                layer.trainable = False
    model.classes = source.classes
    if source.reader is not None:
        model.picture_fit = source.reader.fit
    steps = options.epochs * -(-len(source.train.x) // options.batch_size)
    schedule = WarmUp(min(WARM_UP, steps // 10 + 1), then=Cosine(options.lr, steps))
    model.compile_model(lr=schedule, opt="adam", loss="cse")
    return model


def _scaling(x: Any) -> Rescale:
    """A layer that gives each channel about mean 0 and deviation 1, going by some of the pictures."""
    some = np.linspace(0, len(x) - 1, min(len(x), SAMPLE)).astype(np.int64)
    step = max(1, BLOCK // prod(x.shape[1:]))
    blocks = (np.asarray(x[some[i : i + step]], np.float64) for i in range(0, len(some), step))
    counts, means, variances = zip(*((len(b), b.mean((0, 1, 2)), b.var((0, 1, 2))) for b in blocks), strict=True)
    mean = np.average(means, axis=0, weights=counts)
    deviation = np.sqrt(np.average(variances + (means - mean) ** 2, axis=0, weights=counts))
    if not np.isfinite(deviation).all():
        raise ValueError("the pictures hold NaN or infinity, or pixels whose squares overflow; clean the data first")
    deviation[deviation == 0] = 1
    return Rescale(tuple(1 / deviation), tuple(-mean / deviation))


# -- the others ------------------------------------------------------------------------------------------------------


def evaluate(options: argparse.Namespace) -> int:
    """Print how good a model is."""
    model = _load(options.model)
    samples = _held_out(_source(options.data, model))
    found = model.evaluate(samples.x, samples.y)
    if options.json:
        confusion = None if found.confusion is None else found.confusion.tolist()
        print(json.dumps(dict(found) | {"samples": len(samples.x), "confusion": confusion}))
    else:
        print(f"{len(samples.x)} pictures")
        print(found)
    return 0


def predict(options: argparse.Namespace) -> int:
    """Print what is on pictures; 1 if any of them cannot be read."""
    model = _load(options.model)
    images = [name for path in options.images for name in _pictures(path)]
    width = max(len(name) for name in images)
    found: list[dict[str, Any]] = []
    for name in images:
        try:
            shares = model.classify(name)
        except (DataError, OSError) as error:  # the other pictures may be whole
            print(f"tensorgrad predict: error: {told(error)}", file=sys.stderr)
            continue
        found.append({"image": name, "probabilities": shares})
        if not options.json:
            best = list(shares.items())[: options.top]
            print(f"{name:<{width}}  " + "  ".join(f"{label} {share:.1%}" for label, share in best))
    if options.json:
        print(json.dumps(found))
    return int(len(found) < len(images))


def _pictures(path: str) -> list[str]:
    """A picture's own path, or those of all pictures in a folder."""
    if not Path(path).is_dir():
        return [path]
    found = [str(file) for file in pictures_in(Path(path))]
    if not found:
        raise ValueError(f"{path}: expected pictures in this folder ({', '.join(SUFFIXES)}), found none")
    return found


def summary(options: argparse.Namespace) -> int:
    """Print the layers of a model, and its classes."""
    model = _load(options.model)
    model.summary()
    if model.classes:
        print(f"Classes: {', '.join(model.classes)}")
    return 0


def report(options: argparse.Namespace) -> int:
    """Write a page about a model."""
    model = _load(options.model)
    _write_report(model, _held_out(_source(options.data, model)), options.output)
    print(options.output)
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a model in another format."""
    suffix = Path(options.output).suffix.lower()
    if suffix not in EXPORTS:
        raise ValueError(f"{options.output}: expected a name that ends in {', '.join(EXPORTS)}")
    model = _load(options.model)
    if suffix == ".onnx":
        from tensorgrad import onnx

        onnx.export(model, options.output)
    elif suffix == ".html":
        model.export_html(options.output, classes=model.classes or None)
    elif suffix == ".safetensors":
        model.save_weights(options.output)
    else:
        model.save_model(options.output)
    print(options.output)
    return 0


def serve(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from tensorgrad.page import serve as serve_page

    model = _load(options.model)
    serve_page(model, options.port, classes=model.classes or None, open_browser=not options.no_browser)
    return 0


def info(options: argparse.Namespace) -> int:
    """Print what may matter to speed and to the report of a fault."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    from tensorgrad.kernels import blas

    rows = [("tensorgrad", __version__), ("Python", platform.python_version())]
    for name in ("numpy", "scipy", "matplotlib", "pillow", "onnx", "scikit-learn", "safetensors", "mpi4py", "torch"):
        try:
            rows.append((name, version_of(name)))
        except PackageNotFoundError:
            rows.append((name, "-"))
    library = blas.library()
    rows.append(("BLAS", "not OpenBLAS" if library is None else f"OpenBLAS, kernels for {library.core}"))
    rows.append(("threads", str(get_num_threads())))
    rows.append(("machine", f"{platform.machine()}, {platform.system()}"))
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {text}" for name, text in rows))
    return 0


def _load(path: str) -> CNN:
    return load_model(path)


def _source(
    path: str, model: CNN | None, options: argparse.Namespace | None = None, *, same_classes: bool = True
) -> Source:
    """The data of a path, read as a model wants them, if there is one."""
    size, channels, fit = (None, None, "stretch") if options is None else (options.size, options.channels, options.fit)
    classes = None
    if model is not None:
        shape = as_tuple(model.layers[0].input_shape or ())
        if len(shape) != 3:
            raise ValueError(f"the model takes samples of shape {shape}, which are no pictures")
        size, channels = (shape[0], shape[1]), shape[2]
        fit = model.picture_fit
        classes = (model.classes or None) if same_classes else None
    cache = None if options is None else options.cache
    found = sources.load(path, size=size, channels=channels, fit=fit, classes=classes, cache=cache)
    if model is not None and tuple(found.train.x.shape[1:]) != shape:
        raise ValueError(f"{path} has pictures of shape {found.train.x.shape[1:]}, but the model takes {shape}")
    return found


def _held_out(source: Source) -> Samples:
    return source.train if source.test is None else source.test


def _write_report(model: CNN, samples: Samples, path: str) -> None:
    from tensorgrad.plot import write_report

    progress = Progress(stream=sys.stderr)  # the other stream has results, which a program may read

    def drawn(what: str) -> None:
        progress.rewrite(f"Drawn: {what}")

    names, history = model.classes or None, model.history
    try:
        write_report(path, model, samples.x, samples.y, names=names, history=history, progress=drawn)
    finally:
        progress.clear()
