"""Change a gradient and see what happens: guided backpropagation, and a clipped gradient of convolution kernels."""

import argparse
from typing import Any

import numpy as np

import tensorgrad
from tensorgrad import ops
from tensorgrad.layers import Conv2d, GlobalPool, Sequential

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--limit", type=float, default=0.01, help="largest gradient of a number in a kernel")
parser.add_argument("--quick", action="store_true", help="as in the other examples; this one takes no time anyway")
limit = parser.parse_args().limit

tensorgrad.seed(0)
net = Sequential([Conv2d(filters=8, activation="relu"), Conv2d(filters=8, activation="relu"), GlobalPool()])
image = tensorgrad.tensor(np.random.default_rng(0).random((1, 16, 16, 1)), requires_grad=True)
(plain,) = tensorgrad.grad(net(image).sum(), image)


def positive(g: Any, y: Any, _x: Any) -> Any:
    """Of a relu: nothing negative passes, neither forward nor back."""
    return g * (g > 0) * (y > 0)


def clipped(g: Any, _y: Any, x: Any, w: Any, **geometry: Any) -> Any:
    """Of a convolution, by its kernels."""
    return ops.conv2d_weight(x, g, size=w.shape[:2], **geometry).clip(-limit, limit)


with tensorgrad.override_rule(ops.relu, 0, positive), tensorgrad.override_rule(ops.conv2d, 1, clipped):
    guided, *kernels = tensorgrad.grad(net(image).sum(), [image, *(p for p in net.parameters() if p.ndim == 4)])
changed = ((guided - plain).abs().max() / plain.abs().max()).item()
largest = max(k.abs().max().item() for k in kernels)
print(f"by the image: {changed:.0%} from the plain gradient;  by the kernels: at most {largest:.3f} (limit {limit})")
if changed < 0.1 or not np.isclose(largest, limit):
    raise SystemExit("the rules did not count")
