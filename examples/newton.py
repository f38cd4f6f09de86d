"""Second derivatives at work: Newton's method on a narrow valley, without ever making the Hessian.

Each step solves (Hessian) p = -(gradient) by conjugate gradients, which needs no more than Hessian-vector products:
two walks over the graph each, in any number of dimensions.

python examples/newton.py
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

import tensorgrad
from tensorgrad import Tensor


def rosenbrock(x: Tensor) -> Tensor:
    """A valley with steep walls and a flat floor that leads to (1, ..., 1), where the function is 0."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def main(argv: Sequence[str] | None = None) -> None:
    """Go down the valley."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimensions", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="20 dimensions")
    args = parser.parse_args(argv)
    if args.dimensions < 2:
        parser.error(f"--dimensions must be at least 2, received {args.dimensions}")

    n = 20 if args.quick else args.dimensions
    x = np.full(n, 2.0)
    for step in range(100):
        at = tensorgrad.tensor(x, requires_grad=True)
        value = rosenbrock(at)
        value.backward()
        slope = at.grad.numpy()  # type: ignore[union-attr]
        length = float(np.abs(slope).max())
        print(f"step {step:>3}  f = {value.item():.3e}  largest slope {length:.1e}")
        if length < 1e-9:
            break
        hessian = LinearOperator((n, n), matvec=lambda v, x=x: tensorgrad.hvp(rosenbrock, x, v).numpy())
        direction = cg(hessian, -slope, rtol=1e-3, maxiter=2 * n)[0]
        if direction @ slope > 0:
            direction = -slope  # the valley is not convex everywhere: then straight down
        size = 1.0
        while rosenbrock(tensorgrad.tensor(x + size * direction)).item() > value.item() and size > 1e-10:
            size /= 2
        x = x + size * direction

    distance = float(np.abs(x - 1).max())
    print(f"\nAfter {step} steps in {n} dimensions, {distance:.1e} from the minimum (limit 1e-8)")
    if distance > 1e-8:
        raise SystemExit("above the limit")


if __name__ == "__main__":
    main()
