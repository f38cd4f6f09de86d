"""Train a network on handwritten digits, and show it on a page: draw, look into every layer, teach it your handwriting.

python examples/draw.py                         serve the page until Ctrl-C
python examples/draw.py --output digits.html    write a page that needs no server, to mail around
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from tensorgrad import CNN
from tensorgrad.data import mnist, standardize
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d
from tensorgrad.page import serve


def main(argv: Sequence[str] | None = None) -> None:
    """Train, hold the accuracy against the target, and write or serve the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="write a page to this file, instead of serving one")
    parser.add_argument("--quick", action="store_true", help="2,000 images, and write digits.html")
    args = parser.parse_args(argv)

    (x, y), (x_test, y_test) = mnist()
    count, target = (2000, 0.8) if args.quick else (len(x), 0.95)
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=8, kernel_size=5, padding=None, activation="relu"))
    for layer in (Pool2d(), Conv2d(filters=16, activation="relu"), Pool2d(), Flatten()):
        model.add(layer)
    model.add(FFL(neurons=32, activation="relu"))
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.003, opt="adam", loss="cse")
    model.train(standardize(x[:count]), y[:count], epochs=2, val_split=0)
    accuracy = model.evaluate(standardize(x_test), y_test)["accuracy"]
    print(f"{accuracy:.1%} of {len(x_test)} test images (target {target:.0%})")
    if accuracy < target:
        raise SystemExit("below the target")
    if args.output is None and not args.quick:
        serve(model)
    else:
        path = args.output or Path("digits.html")
        model.export_html(path, title="A network that reads digits")
        print(f"The page is in {path.resolve()}; open it in a browser")


if __name__ == "__main__":
    main()
