"""Sums, products, extremes and norms over axes."""

from __future__ import annotations

from typing import Any

from tensorgrad.checks import Axis
from tensorgrad.tensor import Tensor, TensorLike, as_tensor


def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over the axes, or over all."""
    return as_tensor(x).sum(axis, keepdims)


def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over the axes, or over all."""
    return as_tensor(x).mean(axis, keepdims)


def var(x: TensorLike, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over the axes: the squared distances from the mean, divided by (count - `ddof`)."""
    return as_tensor(x).var(axis, ddof, keepdims)


def std(x: TensorLike, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over the axes."""
    return as_tensor(x).std(axis, ddof, keepdims)


def max(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element over the axes; equal ones share the gradient."""
    return as_tensor(x).max(axis, keepdims)


def min(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element over the axes; equal ones share the gradient."""
    return as_tensor(x).min(axis, keepdims)


def prod(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product over the axes, or over all; right by any number of zeros."""
    return as_tensor(x).prod(axis, keepdims)


def cumsum(x: TensorLike, axis: int | None = None) -> Tensor:
    """The running sum along the axis; of all elements, row-major, if there is none."""
    return as_tensor(x).cumsum(axis)


def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Ln sum(e^x) over the axes, without overflow."""
    return as_tensor(x).logsumexp(axis, keepdims)


def norm(x: TensorLike, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The vector norm over the axes: (sum |x|^ord)^(1/ord), or max |x| for ord=inf. The gradient at 0 is 0."""
    return as_tensor(x).norm(ord, axis, keepdims)


def argmax(x: TensorLike, axis: int | None = None) -> Any:
    """Where the largest element is: a plain array, which has no gradient."""
    return as_tensor(x).argmax(axis)


def argmin(x: TensorLike, axis: int | None = None) -> Any:
    """Where the smallest element is: a plain array, which has no gradient."""
    return as_tensor(x).argmin(axis)


def any(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether any element over the axes is not 0: a plain array, which has no gradient."""
    return as_tensor(x).any(axis, keepdims)


def all(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether all elements over the axes are not 0: a plain array, which has no gradient."""
    return as_tensor(x).all(axis, keepdims)


def sort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """The elements in rising order along the axis, or all, row-major; equal ones keep their order."""
    return as_tensor(x).sort(axis)
