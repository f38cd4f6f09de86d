"""Experiment 4's network on all of MNIST: at least 98.5 % of the 10,000 test images after 5 epochs.

python examples/full_mnist.py --folder path/to/mnist   the four IDX files, gzipped or not
python examples/full_mnist.py --download               fetched once, checked, and kept in a cache
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tensorgrad import CNN
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Pool2d


def build(seed: int) -> CNN:
    """The network of experiment 4."""
    model = CNN(seed=seed)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=4, padding=None, activation="relu"))
    model.add(Conv2d(filters=8, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    model.add(FFL(neurons=64, activation="relu"))
    model.add(Dropout(0.1))
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.001, opt="adam", loss="cse")
    return model


def main(argv: Sequence[str] | None = None) -> None:
    """Train on 60,000 images and hold the accuracy on 10,000 others, the mean over the seeds, against the target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", help="where the IDX files are")
    parser.add_argument("--download", action="store_true", help="fetch them")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="train once for each")
    parser.add_argument("--quick", action="store_true", help="one epoch of the data that comes with the package")
    args = parser.parse_args(argv)
    if not (args.folder or args.download or args.quick):
        parser.error("say where all of MNIST is: --folder FOLDER or --download (or try --quick)")
    if args.quick:
        args.epochs, args.seeds = 1, args.seeds[:1]

    (x_train, y_train), (x_test, y_test) = mnist() if args.quick else mnist(args.folder, download=args.download)
    x, x_val = standardize(x_train), standardize(x_test)
    accuracies = []
    for seed in args.seeds:
        history = build(seed).train(x, y_train, epochs=args.epochs, val_x=x_val, val_y=y_test)
        accuracies.append(history["val_accuracy"][-1])
        print(f"seed {seed}: {accuracies[-1]:.2%} of {len(x_test)} test images after {args.epochs} epochs\n")

    target = 0.85 if args.quick else 0.985
    mean = sum(accuracies) / len(accuracies)
    print(f"mean of {len(accuracies)} seeds: {mean:.2%} (target {target:.1%})")
    if mean < target:
        raise SystemExit("below the target")


if __name__ == "__main__":
    main()
