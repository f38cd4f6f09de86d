"""Operators on trial: what they would give, at little cost.

Before a file becomes a model, its graph is run to learn the shapes. The images are arrays of zeros that hold one number
and only seem to repeat it. An operator that works number by number is run on that number, a convolution on one window,
a product on one row: their errors are the usual ones. The result again only seems to be as large as its shape says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.engine import value
from tensorgrad.onnx.operators.elementwise import NUMBER_BY_NUMBER
from tensorgrad.onnx.operators.placed import CHANNELS_LAST, OPERATORS, Attributes, Operator, Placed, bounded
from tensorgrad.onnx.operators.windows import Geometry, Transposed, images
from tensorgrad.tensor import Tensor

ZERO = np.float32(0)


def seeming(shape: Sequence[int], axes: tuple[int, ...] | None = None, *, number: Any = ZERO) -> Placed:
    """An array that seems to hold a number, or a smaller array, as often as its shape says; in memory it is there once.

    The shape is in the order of `axes`; see :class:`Placed`.
    """
    return Placed(Tensor.wrap(np.broadcast_to(number, tuple(shape))), axes)


def is_seeming(x: Placed) -> bool:
    """Whether there is less in memory than there seems to be."""
    array = value(x.array)
    return any(n > 1 and step == 0 for n, step in zip(array.shape, array.strides, strict=True))


def _once(x: Placed | None) -> Placed | None:
    """What is really in memory."""
    if x is None or not is_seeming(x):
        return x
    array = value(x.array)
    return x.like(Tensor.wrap(array[tuple(slice(None) if step else slice(1) for step in array.strides)]))


def _number_by_number(name: str) -> Operator:
    """What an operator makes of each number, once."""

    def attempt(a: Attributes, *inputs: Placed | None) -> Any:
        made = OPERATORS[name](a, *map(_once, inputs))
        shape = np.broadcast_shapes(*(x.shape for x in inputs if x is not None))
        return seeming([shape[axis] for axis in made.axes], made.axes, number=value(made.array))

    return attempt


def _conv(a: Attributes, x: Placed, w: Placed, b: Placed | None = None) -> Placed:
    """One window, the first."""
    images(x)  # which looks at its axes
    g = Geometry(a, x.shape[2:], w.shape[2:])
    pixels = [min(n, r) for n, r in zip(g.pixels, g.reach, strict=True)]
    first = [min(p, r - n) for p, r, n in zip(g.before, g.reach, pixels, strict=True)]
    last = [r - n - p for r, n, p in zip(g.reach, pixels, first, strict=True)]
    real = slice(len(g.one), None)
    one = seeming([1, x.shape[1], *pixels[real]], number=np.zeros((), x.array.dtype))
    window = {k: setting for k, setting in a.items() if k != "auto_pad"} | {"pads": first[real] + last[real]}
    made = OPERATORS["Conv"](window, one, w, b)
    return _images(made, (x.shape[0], made.shape[1], *g.positions[real]))


def _pool(a: Attributes, x: Placed) -> Placed:
    """None of its windows: only the shape is in question."""
    images(x)
    g = Geometry(a, x.shape[2:], a["kernel_shape"])
    return _images(x, (*x.shape[:2], *g.positions[len(g.one) :]))


def _images(made: Placed, shape: tuple[int, ...]) -> Placed:
    bounded(shape)
    axes = CHANNELS_LAST[len(shape)]
    return seeming([shape[axis] for axis in axes], axes, number=np.zeros((), made.array.dtype))


def _conv_transpose(a: Attributes, x: Placed, w: Placed, b: Placed | None = None) -> Placed:
    """One pixel, spread out."""
    images(x)
    g = Transposed(a, x.shape[2:], w.shape)
    one = seeming([1, x.shape[1], *[1] * (x.ndim - 2)], number=np.zeros((), x.array.dtype))
    plain = {k: a[k] for k in ("strides", "dilations", "group") if k in a}
    made = OPERATORS["ConvTranspose"](plain, one, w, b)
    return _images(made, (x.shape[0], made.shape[1], *g.positions[len(g.one) :]))


def _matmul(a: Attributes, x: Placed, y: Placed) -> Placed:
    """The first row with the first column."""
    if x.ndim < 2 or y.ndim < 2:
        return OPERATORS["MatMul"](a, x, y)  # type: ignore[no-any-return]
    left, right = value(x.logical), value(y.logical)
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1])
    bounded(shape)
    row, column = left[(*[slice(1)] * (x.ndim - 1),)], right[(*[slice(1)] * (y.ndim - 2), slice(None), slice(1))]
    made = OPERATORS["MatMul"](a, Placed(row), Placed(column))
    return seeming(shape, number=np.zeros((), made.array.dtype))


def _gemm(a: Attributes, x: Placed, y: Placed, c: Placed | None = None) -> Placed:
    """The first row."""
    array = value(x.logical)
    rows = array.shape[1 if a.get("transA", 0) else 0]
    made = OPERATORS["Gemm"](a, Placed(array[:, :1] if a.get("transA", 0) else array[:1]), y, c)
    return seeming(bounded((rows, made.shape[1])), number=value(made.array))


TRIALS: dict[str, Operator] = (
    OPERATORS
    | {name: _number_by_number(name) for name in NUMBER_BY_NUMBER}
    | dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool)
    | {"Conv": _conv, "ConvTranspose": _conv_transpose, "MatMul": _matmul, "Gemm": _gemm}
)
