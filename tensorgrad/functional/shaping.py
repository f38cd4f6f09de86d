"""Other shapes, parts, and joins of tensors."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad import ops
from tensorgrad.checks import Axis, one_axis, one_of
from tensorgrad.tensor import Tensor, TensorLike, as_tensor


def reshape(x: TensorLike, shape: int | Sequence[int]) -> Tensor:
    """The elements, row-major, in another shape; one -1 is worked out."""
    return as_tensor(x).reshape(shape)


def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """The axes in another order; reversed if none is given."""
    return as_tensor(x).transpose(axes)


def moveaxis(x: TensorLike, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """The axes at `source` moved to `destination`; the others keep their order."""
    return as_tensor(x).moveaxis(source, destination)


def swapaxes(x: TensorLike, first: int, second: int) -> Tensor:
    """Two axes exchanged."""
    return as_tensor(x).swapaxes(first, second)


def squeeze(x: TensorLike, axis: Axis = None) -> Tensor:
    """Without the axes of length 1, or without those named."""
    return as_tensor(x).squeeze(axis)


def expand_dims(x: TensorLike, axis: int | tuple[int, ...]) -> Tensor:
    """With new axes of length 1 at the places named, counted in the result."""
    return as_tensor(x).expand_dims(axis)


def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Repeated along new axes and axes of length 1, without a copy."""
    return as_tensor(x).broadcast_to(tuple(shape))


def concatenate(xs: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors one after the other along an axis; they agree in all others."""
    tensors = _joinable(xs, "concatenate")
    along = one_axis(axis, tensors[0].ndim, "concatenate")
    shapes = [t.shape for t in tensors]
    if len({(len(s), s[:along], s[along + 1 :]) for s in shapes}) > 1:
        raise ValueError(f"concatenate: the shapes may differ along axis {along} only; received {shapes}")
    return ops.concatenate(*tensors, axis=along)


def stack(xs: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """The tensors, all of one shape, along a new axis."""
    tensors = _joinable(xs, "stack")
    shapes = [t.shape for t in tensors]
    if len(set(shapes)) > 1:
        raise ValueError(f"stack: expected tensors of one shape, received {shapes}")
    along = one_axis(axis, tensors[0].ndim + 1, "stack")
    return ops.concatenate(*(t.expand_dims(along) for t in tensors), axis=along)


def _joinable(xs: Sequence[TensorLike], name: str) -> list[Tensor]:
    tensors = [as_tensor(x) for x in xs]
    if not tensors:
        raise ValueError(f"{name}: expected at least one tensor, received none")
    if any(t.dtype.kind in "fc" for t in tensors):
        floats = np.result_type(*(t.dtype for t in tensors if t.dtype.kind in "fc"))
        tensors = [t if t.dtype.kind in "fc" else t.astype(floats) for t in tensors]
    return tensors


def split(x: TensorLike, parts: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """Cut along an axis: into that many equal parts, or before each of the indices given."""
    return as_tensor(x).split(parts, axis)


def pad(x: TensorLike, widths: int | Sequence[Any], mode: str = "constant", constant: float = 0.0) -> Tensor:
    """Frame a tensor.

    Parameters
    ----------
    x : array_like
    widths : int, or a pair, or a pair per axis
        How many elements to put before and after, as ``numpy.pad`` has it.
    mode : "constant", "edge" or "reflect"
        Frame with a constant, with the outermost elements, or with the elements mirrored at them.
    constant : float
        What "constant" puts.

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
            f"received {widths!r}"
        )
    frame = tuple((int(before), int(after)) for before, after in table)
    if mode == "constant":
        return ops.pad(t, widths=frame, constant=constant)
    for axis, (before, after) in enumerate(frame):
        size = t.shape[axis]
        if before or after:
            limit = size - 1 if mode == "reflect" else (np.inf if size else -1)
            if builtins.max(before, after) > limit:
                raise ValueError(
                    f"pad: {mode!r} cannot make ({before}, {after}) elements from axis {axis} of length {size}"
                )
            t = ops.take(t, indices=np.pad(np.arange(size), (before, after), mode=mode), axis=axis)  # type: ignore[call-overload]
    return t


def flip(x: TensorLike, axis: Axis = None) -> Tensor:
    """In reverse order along the axes, or along all."""
    return as_tensor(x).flip(axis)


def roll(x: TensorLike, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """Shifted along the axis, with what leaves at one end entering at the other; row-major if there is no axis."""
    return as_tensor(x).roll(shift, axis)


def repeat(x: TensorLike, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
    """Each element of the axis several times in a row: as often as `repeats`, or its entry there, says."""
    return as_tensor(x).repeat(repeats, axis)


def tile(x: TensorLike, reps: int | Sequence[int]) -> Tensor:
    """The whole tensor several times along each axis, as ``numpy.tile`` has it."""
    return as_tensor(x).tile(reps)


def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """The slices at the indices, along one axis; single elements, row-major, if there is none."""
    return as_tensor(x).take(indices, axis)
