"""Matrix products. Both are bilinear: the rule by one operand is the same product with the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine import primitive
from tensorgrad.kernels import matrix
from tensorgrad.kernels.half import in_float32
from tensorgrad.kernels.memory import Array
from tensorgrad.ops.activation import (
    LastStep,
    activated,
    before_activation,
    in_place,
    parts_of,
    written_before_activation,
)
from tensorgrad.ops.channels import channel_sums, shift_channels
from tensorgrad.ops.shaping import transpose

__all__ = ["affine", "einsum", "matmul"]


def _swap(x: Any) -> Any:
    """Transpose the last two axes."""
    n = len(x.shape)
    return transpose(x, axes=(*range(n - 2), n - 1, n - 2))


@primitive
def matmul(x: Array, y: Any) -> Array:
    """``x @ y``, for operands of at least two axes; the leading ones broadcast"""
    return matrix.matmul(x, y)


matmul.rules(lambda g, _z, _x, y: matmul(g, _swap(y)), lambda g, _z, x, _y: matmul(_swap(x), g))


@primitive
def affine(x: Array, w: Any, b: Any, *, activation: LastStep | None) -> Array:
    """``activation(x @ w + b)`` for matrices, without a pass over memory for each"""
    return matrix.affine(x, w, b, in_place(activation))


affine.rules(
    lambda g, _y, _x, w, _b, **_: matmul(g, _swap(w)),
    lambda g, _y, x, _w, _b, **_: matmul(_swap(x), g),
    lambda g, _y, _x, _w, _b, **_: channel_sums(g),
)
affine.ends_with(
    lambda g, y, _x, _w, _b, *, activation: before_activation(g, y, activation),
    in_place=written_before_activation,
)
affine.stands_for(
    lambda x, w, b, *, activation: activated(shift_channels(matmul(x, w), b), activation),
    lambda activation: (matmul, shift_channels, *parts_of(activation)),
)


@primitive
@in_float32
def einsum(*xs: Any, subscripts: str) -> Any:
    """Einstein's sum, in explicit form ("ij,jk->ik"), every index of an operand unique in it and found elsewhere"""
    return np.einsum(subscripts, *xs, optimize=len(xs) > 2)


def _contract_others(position: int, g: Any, _y: Any, *xs: Any, subscripts: str) -> Any:
    """The gradient takes the place of the operand, and the operand's indices that of the result's."""
    inputs, output = subscripts.split("->")
    names = inputs.split(",")
    wanted = names[position]
    names[position] = output
    operands = [g if i == position else x for i, x in enumerate(xs)]
    return einsum(*operands, subscripts=",".join(names) + "->" + wanted)


einsum.rule_for_each(_contract_others)
