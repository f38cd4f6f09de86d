"""A layer and an operation of your own, checked and trained.

python examples/your_own.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad import CNN, Tensor, primitive
from tensorgrad.data import mnist, one_hot, standardize
from tensorgrad.layers import FFL, Conv2d, Flatten, Layer, Pool2d
from tensorgrad.testing import gradcheck


# An operation is a NumPy function and its rule, a pure function of (g, y, *inputs): g is the gradient of the
# result y. An input whose value the rule does not read begins with an underscore.
@primitive
def softsign(x: Any) -> Any:
    """x / (1 + |x|)"""  # noqa: D400, D403
    return x / (1 + np.abs(x))


softsign.rules(lambda g, y, _x: g * (1 - abs(y)) ** 2)


# A layer is a class with one method. Tensors that require a gradient are its parameters.
class Softsign(Layer):
    """``scale * softsign(x)``, with a scale that is learned."""

    def __init__(self) -> None:
        self.scale = Tensor(1.0, requires_grad=True)

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Squash."""
        return self.scale * softsign(x)


def main(argv: Sequence[str] | None = None) -> None:
    """Check the operation's gradients, then train a network with the layer in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="500 samples, one epoch, no target")
    args = parser.parse_args(argv)

    gradcheck(softsign, Tensor([-2.0, -0.5, 0.5, 3.0], dtype="float64"), order=2, method="difference")
    print("softsign: its gradients of order 1 and 2 agree with differences")

    (x, y), (x_test, y_test) = mnist()
    n = 500 if args.quick else 5000
    model = CNN(seed=0)
    model.add(Conv2d(input_shape=(28, 28, 1), filters=6, padding=None))
    model.add(Softsign())
    model.add(Pool2d())
    model.add(Flatten())
    model.add(FFL(neurons=10, activation="softmax"))
    model.compile_model(lr=0.005, opt="adam", loss="cse")
    model.summary()
    history = model.train(
        standardize(x[:n]),
        one_hot(y[:n], 10),
        epochs=1 if args.quick else 3,
        val_x=standardize(x_test[:500]),
        val_y=y_test[:500],
    )
    accuracy = history["val_accuracy"][-1]
    print(f"{accuracy:.1%} of 500 test images, and the learned scale is {model.layers[1].parameters()[0].item():.3f}")
    if not args.quick and accuracy < 0.90:
        raise SystemExit("below the target of 90 %")


if __name__ == "__main__":
    main()
