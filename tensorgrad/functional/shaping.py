"""Changing the shape of tensors, and joining them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad import ops
from tensorgrad.checks import brief, one_axis, one_of
from tensorgrad.functional.of_method import of_method
from tensorgrad.tensor import Tensor, TensorLike, as_tensor
from tensorgrad.tensor.numpy_protocol import implements
from tensorgrad.vocabulary import speaks

__all__ = [
    "broadcast_to", "concatenate", "expand_dims", "flip", "moveaxis", "pad", "repeat", "reshape", "roll", "split",
    "squeeze", "stack", "swapaxes", "take", "tile", "transpose",
]  # fmt: skip


@implements(np.reshape, newshape="shape")
def reshape(x: TensorLike, shape: int | Sequence[int]) -> Tensor:
    """The elements, row-major, in another shape; one -1 is worked out."""
    return as_tensor(x).reshape(shape)


@implements(np.transpose)
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order; reversed if none is given."""
    return as_tensor(x).transpose(axes)


moveaxis = of_method(Tensor.moveaxis, np.moveaxis)
swapaxes = of_method(Tensor.swapaxes, np.swapaxes, axis1="first", axis2="second")
squeeze = of_method(Tensor.squeeze, np.squeeze)
expand_dims = of_method(Tensor.expand_dims, np.expand_dims)
broadcast_to = of_method(Tensor.broadcast_to, np.broadcast_to)


@implements(np.concatenate)
@speaks("concatenate")
def concatenate(xs: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors one after the other along an axis; they agree in all others."""
    tensors = _joinable(xs, "concatenate")
    along = one_axis(axis, tensors[0].ndim, "concatenate")
    shapes = [t.shape for t in tensors]
    if len({(len(s), s[:along], s[along + 1 :]) for s in shapes}) > 1:
        raise ValueError(f"concatenate: the shapes may differ along axis {along} only; received {shapes}")
    return ops.concatenate(*tensors, axis=along)


@implements(np.stack)
@speaks("stack")
def stack(xs: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new axis."""
    tensors = _joinable(xs, "stack")
    shapes = [t.shape for t in tensors]
    if len(set(shapes)) > 1:
        raise ValueError(f"stack: expected tensors of one shape, received {shapes}")
    along = one_axis(axis, tensors[0].ndim + 1, "stack")
    return ops.concatenate(*(t.expand_dims(along) for t in tensors), axis=along)


def _joinable(xs: Sequence[TensorLike], name: str) -> list[Tensor]:
    items: Any = np.asarray(xs) if hasattr(xs, "columns") else xs  # a table would give its columns' names, one by one
    tensors = [as_tensor(x) for x in items]
    if not tensors:
        raise ValueError(f"{name}: expected at least one tensor, received none")
    if any(t.dtype.kind in "fc" for t in tensors):
        floats = np.result_type(*(t.dtype for t in tensors if t.dtype.kind in "fc"))
        tensors = [t if t.dtype.kind in "fc" else t.astype(floats) for t in tensors]
    return tensors


split = of_method(Tensor.split, np.split, indices_or_sections="parts")


@implements(np.pad, pad_width="widths", constant_values="constant")
def pad(x: TensorLike, widths: int | Sequence[Any], mode: str = "constant", constant: float = 0.0) -> Tensor:
    """Frame a tensor.

    Parameters
    ----------
    x : array_like
    widths : int, or a pair, or a pair per axis
        How many elements to put before and after, as in ``numpy.pad``.
    mode : "constant", "edge" or "reflect"
        Frame with a constant, with the outermost elements, or with the elements mirrored at them.
    constant : float
        The constant of that mode.

    """
    t = as_tensor(x)
    one_of(mode, ("constant", "edge", "reflect"), "pad", "mode")
    try:
        table = np.broadcast_to(np.asarray(widths, dtype=int), (t.ndim, 2))
    except (ValueError, TypeError):
        table = np.full((t.ndim, 2), -1)
    if (table < 0).any():
        raise ValueError(
            f"pad: widths must be non-negative ints, one, a pair, or a pair for each of {t.ndim} axes; "
            f"received {brief(widths)}"
        )
    frame = tuple((int(before), int(after)) for before, after in table)
    if mode == "constant":
        return ops.pad(t, widths=frame, constant=constant)
    for axis, (before, after) in enumerate(frame):
        size = t.shape[axis]
        if before or after:
            limit = size - 1 if mode == "reflect" else (np.inf if size else -1)
            if max(before, after) > limit:
                raise ValueError(
                    f"pad: {mode!r} cannot make ({before}, {after}) elements from axis {axis} of length {size}"
                )
            t = ops.take(t, indices=np.pad(np.arange(size), (before, after), mode=mode), axis=axis)  # type: ignore[call-overload]
    return t


flip = of_method(Tensor.flip, np.flip)
roll = of_method(Tensor.roll, np.roll)
repeat = of_method(Tensor.repeat, np.repeat)
tile = of_method(Tensor.tile, np.tile)
take = of_method(Tensor.take, np.take)
