"""The tutorial's four experiments on MNIST, on the data that comes with the package.

python examples/experiments.py 4                     train one of them, 1 to 4
python examples/experiments.py all --seeds 0 1 2 3 4 the table of all four
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tensorgrad import CNN, plot
from tensorgrad.data import mnist, one_hot, standardize
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Layer, Pool2d
from tensorgrad.training.history import History


@dataclass(frozen=True)
class Experiment:
    """A network, how it is trained, and the validation accuracy that it reaches."""

    layers: Callable[[], list[Layer]]
    lr: float
    samples: int
    validation: int
    epochs: int
    target: float


EXPERIMENTS = {
    1: Experiment(
        lambda: [
            Conv2d(input_shape=(28, 28, 1), filters=8, padding=None, kernel_size=(3, 3), activation="relu"),
            Flatten(),
            FFL(neurons=10, activation="softmax"),
        ],
        lr=0.01, samples=1000, validation=100, epochs=10, target=0.88,
    ),
    2: Experiment(
        lambda: [
            Conv2d(input_shape=(28, 28, 1), filters=8, padding=None, kernel_size=(3, 3), activation="relu"),
            Conv2d(filters=16, kernel_size=(3, 3), padding=None, activation="relu"),
            Flatten(),
            FFL(neurons=10, activation="softmax"),
        ],
        lr=0.01, samples=10000, validation=500, epochs=5, target=0.95,
    ),
    3: Experiment(
        lambda: [
            Conv2d(input_shape=(28, 28, 1), filters=4, padding=None, kernel_size=(3, 3), activation="relu"),
            Pool2d(kernel_size=(2, 2)),
            Conv2d(filters=8, kernel_size=(3, 3), padding=None, activation="relu"),
            Dropout(0.2),
            Flatten(),
            FFL(neurons=10, activation="softmax"),
        ],
        lr=0.001, samples=5000, validation=500, epochs=10, target=0.94,
    ),
    4: Experiment(
        lambda: [
            Conv2d(input_shape=(28, 28, 1), filters=4, padding=None, kernel_size=(3, 3), activation="relu"),
            Conv2d(filters=8, kernel_size=(3, 3), padding=None, activation="relu"),
            Pool2d(kernel_size=(2, 2)),
            Flatten(),
            FFL(neurons=64, activation="relu"),
            Dropout(0.1),
            FFL(neurons=10, activation="softmax"),
        ],
        lr=0.01, samples=10000, validation=500, epochs=6, target=0.95,
    ),
}  # fmt: skip


def build(number: int, seed: int) -> CNN:
    """The network of an experiment, ready to be trained."""
    experiment = EXPERIMENTS[number]
    model = CNN(seed=seed)
    for layer in experiment.layers():
        model.add(layer)
    model.compile_model(lr=experiment.lr, opt="adam", loss="cse")
    return model


def run(number: int, seed: int, *, quick: bool = False, verbose: str | int = "auto") -> tuple[CNN, History]:
    """Train an experiment's network on its samples."""
    experiment = EXPERIMENTS[number]
    (x, y), (x_test, y_test) = mnist()
    n, v = (500, 100) if quick else (experiment.samples, experiment.validation)
    model = build(number, seed)
    history = model.train(
        standardize(x[:n]),
        one_hot(y[:n], 10),
        epochs=1 if quick else experiment.epochs,
        batch_size=32,
        val_x=standardize(x_test[:v]),
        val_y=one_hot(y_test[:v], 10),
        verbose=verbose,
    )
    return model, history


def save_pictures(model: CNN, folder: Path) -> None:
    """Draw the training curves, the filters, and one image on its way through the layers."""
    folder.mkdir(parents=True, exist_ok=True)
    image = standardize(mnist().test.images[:1])[0]
    model.visualize().savefig(folder / "training_curves.png")
    plot.filters(model).savefig(folder / "filters.png")
    plot.feature_maps(model, image).savefig(folder / "feature_maps.png")
    print(f"Pictures: {', '.join(str(path) for path in sorted(folder.glob('*.png')))}")


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the arguments, train, and hold the result against the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=[*map(str, EXPERIMENTS), "all"], help="which of the four")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="train once for each of these seeds")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="draw what was learned (needs matplotlib)")
    parser.add_argument("--quick", action="store_true", help="500 samples, one epoch, no target")
    args = parser.parse_args(argv)

    numbers = list(EXPERIMENTS) if args.experiment == "all" else [int(args.experiment)]
    alone = len(numbers) == len(args.seeds) == 1
    rows = []
    for number in numbers:
        best, seconds = [], []
        for seed in args.seeds:
            started = time.perf_counter()
            if alone:
                build(number, seed).summary()
            model, history = run(number, seed, quick=args.quick, verbose="auto" if alone else 0)
            seconds.append((time.perf_counter() - started) / len(history))
            best.append(max(history["val_accuracy"]))
        rows.append((number, EXPERIMENTS[number], float(np.mean(best)), min(best), float(np.median(seconds))))
    if args.pictures:
        save_pictures(model, args.pictures)

    print("\nexperiment  epochs  seeds  validation accuracy: mean    min  target  seconds an epoch")
    for number, experiment, mean, least, per_epoch in rows:
        print(f"{number:>10}  {experiment.epochs:>6}  {len(args.seeds):>5}  {mean:>25.1%}  {least:.1%}"
              f"  {experiment.target:>6.0%}  {per_epoch:>16.2f}")  # fmt: skip
    if not args.quick:
        missed = [number for number, experiment, mean, _, _ in rows if mean < experiment.target]
        if missed:
            raise SystemExit(f"Below the target: experiment {', '.join(map(str, missed))}")


if __name__ == "__main__":
    main()
