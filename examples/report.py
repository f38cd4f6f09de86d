"""Train a small network on handwritten digits, look into it in every way there is, and write it all on one page.

python examples/report.py                        train for a few epochs, and write report.html
python examples/report.py --model saved.tgrad    look into a saved model of 28 x 28 images instead
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tensorgrad import CNN, load_model
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Dropout, Flatten, Pool2d
from tensorgrad.plot import write_report


def build() -> CNN:
    """A network with two convolutions, small enough to look at every filter."""
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=8, kernel_size=5, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Conv2d(filters=16, kernel_size=5, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    model.add(Dropout(0.2))
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.003, opt="adam", loss="cse")
    return model


def main(argv: Sequence[str] | None = None) -> None:
    """Train or load, hold the accuracy against the target, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a saved model to look into, instead of training one")
    parser.add_argument("--output", type=Path, default=Path("report.html"), help="where to write the page")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="1,500 images and two epochs")
    args = parser.parse_args(argv)

    (x_train, y_train), (x_test, y_test) = mnist()
    x_test = standardize(x_test)
    target = 0.75 if args.quick else 0.96
    if args.model:
        model = load_model(args.model)
    else:
        n, epochs = (1500, 2) if args.quick else (len(x_train), args.epochs)
        model = build()
        model.train(standardize(x_train[:n]), y_train[:n], epochs=epochs, val_x=x_test, val_y=y_test)
    accuracy = float((model.predict(x_test).argmax(1) == y_test).mean())
    print(f"{accuracy:.1%} of {len(x_test)} test images" + ("" if args.model else f" (target {target:.0%})"))

    args.output.parent.mkdir(parents=True, exist_ok=True)
    title = "A look into a network that reads digits"
    write_report(args.output, model, x_test, y_test, history=model.history, title=title)
    print(f"The report is in {args.output.resolve()} ({args.output.stat().st_size / 1e6:.1f} MB); open it in a browser")
    if accuracy < target and not args.model:
        raise SystemExit("below the target")


if __name__ == "__main__":
    main()
