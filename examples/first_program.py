"""The README's first program: train a small network on handwritten digits, and look at what it says.

python examples/first_program.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tensorgrad import CNN
from tensorgrad.data import mnist, one_hot, standardize
from tensorgrad.layers import FFL, Conv2d, Flatten, Pool2d


def main(argv: Sequence[str] | None = None) -> None:
    """Train, evaluate, predict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 samples instead of 10,000, a lower target")
    args = parser.parse_args(argv)

    (x_train, y_train), (x_test, y_test) = mnist()
    n = 1000 if args.quick else len(x_train)

    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=8, padding=None, activation="relu"))
    model.add(Pool2d())
    model.add(Flatten())
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.005, opt="adam", loss="cse")
    model.summary()
    model.train(standardize(x_train[:n]), one_hot(y_train[:n], 10), epochs=3)

    found = model.evaluate(standardize(x_test), y_test)
    print(f"On {len(x_test)} images that it has not seen: {found['accuracy']:.1%} right")
    print("It says", model.predict(standardize(x_test[:10])).argmax(axis=1), "of the first ten, which are", y_test[:10])
    target = 0.80 if args.quick else 0.94
    if found["accuracy"] < target:
        raise SystemExit(f"below the target of {target:.0%}")


if __name__ == "__main__":
    main()
