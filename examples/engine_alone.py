"""The engine without any layer: fit a curve by gradient steps of one's own, then ask for its second derivative.

python examples/engine_alone.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import tensorgrad


def main(argv: Sequence[str] | None = None) -> None:
    """Fit a sum of bumps to a sine, by plain gradient descent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="gradient steps")
    parser.add_argument("--quick", action="store_true", help="500 steps, a lower target")
    args = parser.parse_args(argv)
    if args.steps < 5:
        parser.error(f"--steps must be at least 5, received {args.steps}")

    x = np.linspace(-3, 3, 121)
    target = np.sin(x)
    centres = np.linspace(-4, 4, 13)
    heights = tensorgrad.tensor(np.zeros(13), requires_grad=True)

    def curve(at: tensorgrad.Tensor) -> tensorgrad.Tensor:
        away = at.reshape(-1, 1) - centres  # (points, bumps)
        return (-away * away).exp() @ heights

    steps = 500 if args.quick else args.steps
    for step in range(steps):
        loss = tensorgrad.mse(curve(tensorgrad.tensor(x)), target)
        loss.backward()
        heights.data -= 1.0 * heights.grad.data  # type: ignore[union-attr]  # a step down the slope
        heights.zero_grad()
        if step % (steps // 5) == 0:
            print(f"step {step:>5}  mean squared error {loss.item():.6f}")
    print(f"step {steps:>5}  mean squared error {loss.item():.6f}")

    # The fitted curve can be differentiated like anything else, and its derivative again: sin'' = -sin.
    at = tensorgrad.tensor(np.linspace(-2, 2, 9), requires_grad=True)
    (slope,) = tensorgrad.grad(curve(at).sum(), at, create_graph=True)
    (bend,) = tensorgrad.grad(slope.sum(), at)
    print("\n     x    curve      sin  curve'      cos  curve''     -sin")
    for row in zip(at.data, curve(at).data, np.sin(at.data), slope.data, np.cos(at.data), bend.data, strict=True):
        print("{:6.2f} {:8.4f} {:8.4f} {:7.3f} {:8.3f} {:8.3f} {:8.3f}".format(*row, -row[2]))

    limit = 0.05 if args.quick else 0.02
    worst = float(np.abs(slope.data - np.cos(at.data)).max())
    print(f"\nThe derivative is off by {worst:.4f} at most (limit {limit})")
    if worst > limit:
        raise SystemExit("above the limit")


if __name__ == "__main__":
    main()
