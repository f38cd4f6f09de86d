"""Counting the multiply-adds of a forward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from tensorgrad.engine import Node, Traced, no_grad, watch
from tensorgrad.tensor import Tensor


def counted(forward: Callable[[Tensor, bool], Tensor], shape: tuple[int, ...]) -> int:
    """Multiply-adds of a layer's forward pass, per sample of a shape.

    A sample of zeros goes through, and each convolution, matrix product and Einstein sum on the way is counted:
    ``OH OW F KH KW C / groups`` for a convolution. Biases, activations, pools and norms are not counted, by the
    convention of the field.
    """
    counter = _Counter()
    x = Tensor.wrap(np.zeros((1, *shape), np.float32))
    with watch(counter), no_grad(), np.errstate(all="ignore"):
        forward(x, False)
    return counter.total


class _Counter:
    """A watcher that adds up the multiply-adds of each operation."""

    total = 0

    def computed(self, y: Traced, node: Node, arrays: Sequence[Any]) -> None:
        count = _PRODUCTS.get(node.primitive.name)
        if count is not None:
            self.total += count(y.array.size, [np.shape(a) for a in arrays], node.params)

    def differentiated(self, gradient: Any, node: Node, position: int) -> None:
        """Never called: nothing is differentiated."""


def _of_einsum(_size: int, shapes: list[tuple[int, ...]], params: dict[str, Any]) -> int:
    names = params["subscripts"].split("->")[0].split(",")
    lengths = {
        index: n for name, shape in zip(names, shapes, strict=True) for index, n in zip(name, shape, strict=True)
    }
    return prod(lengths.values()) * (len(shapes) - 1)


_PRODUCTS: dict[str, Callable[[int, list[tuple[int, ...]], dict[str, Any]], int]] = {
    "conv2d": lambda size, shapes, _: size * prod(shapes[1][:3]),  # the kernels are (KH, KW, C / groups, F)
    "conv2d_bias": lambda size, shapes, _: size * prod(shapes[1][:3]),
    "conv2d_input": lambda _, shapes, __: prod(shapes[0]) * prod(shapes[1][:3]),
    "matmul": lambda size, shapes, _: size * shapes[0][-1],
    "affine": lambda size, shapes, _: size * shapes[0][-1],
    "einsum": _of_einsum,
}
