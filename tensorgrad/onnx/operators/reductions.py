"""Operators that work along axes: sums and their like, softmax, the largest of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functional as F
from tensorgrad.engine import value
from tensorgrad.onnx.operators.placed import OPERATORS, Attributes, Placed, in_file_order, ints, operator
from tensorgrad.tensor import Tensor


def reduction(name: str, f: Callable[..., Any], nothing: float | None = None) -> None:
    """An operator that takes `f(x, axes, keepdims)` over some of the file's axes; `nothing` is its value of nothing."""

    def reduce(a: Attributes, x: Placed, axes: Placed | None = None) -> Placed:
        given = ints(axes) or list(a.get("axes", ()))
        keep = bool(a.get("keepdims", 1))
        if not given and not a.get("noop_with_empty_axes", 0):
            given = list(range(x.ndim))
        over = tuple(x.at(axis) for axis in given)
        array = x.array
        if nothing is not None and not array.size and given:
            shape = [1 if i in over else n for i, n in enumerate(array.shape)]
            empty = Tensor.wrap(np.full(shape, nothing if array.dtype.kind == "f" else 0, array.dtype))
            y = empty if keep else empty.reshape([n for i, n in enumerate(shape) if i not in over])
        else:
            y = f(array, over, keep)
        y = y if isinstance(y, Tensor) else Tensor.wrap(np.asarray(y))
        return x.like(y) if keep or not given else x.without(y, {axis % x.ndim for axis in given})

    OPERATORS[name] = reduce


def _extreme(f: Callable[..., Any], of_bools: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axes, keep: (of_bools if x.dtype == bool else f)(x, axes, keep)


reduction("ReduceSum", F.sum)
reduction("ReduceMean", F.mean)
reduction("ReduceMax", _extreme(F.max, F.any), -np.inf)
reduction("ReduceMin", _extreme(F.min, F.all), np.inf)
reduction("ReduceProd", F.prod)
reduction("ReduceL1", lambda x, axes, keep: F.norm(x, 1, axes, keep))
reduction("ReduceL2", lambda x, axes, keep: F.norm(x, 2, axes, keep))
reduction("ReduceLogSum", lambda x, axes, keep: F.log(F.sum(x, axes, keep)))
reduction("ReduceLogSumExp", F.logsumexp)
reduction("ReduceSumSquare", lambda x, axes, keep: F.sum(F.square(x), axes, keep))


def softmax(name: str, f: Callable[..., Any]) -> None:
    """Softmax along an axis; before opset 13 over it and all that follow, which attribute `flat` tells."""

    def apply(a: Attributes, x: Placed) -> Placed:
        axis = a.get("axis", -1)
        if not a.get("flat"):
            return x.like(f(x.array, x.at(axis)))
        over = tuple(x.axes.index(i) for i in range(axis % x.ndim, x.ndim))
        return x.like(f(x.array, over))

    OPERATORS[name] = apply


softmax("Softmax", F.softmax)
softmax("LogSoftmax", F.log_softmax)


@operator
def Hardmax(a: Attributes, x: Placed) -> Placed:
    """1 at the first of the largest along an axis, else 0."""
    axis, array = x.at(a.get("axis", -1)), value(x.array)
    first = np.expand_dims(array.argmax(axis), axis)
    return x.like(Tensor.wrap((np.indices(array.shape)[axis] == first).astype(array.dtype)))


def arg(name: str, find: Callable[..., Any]) -> None:
    """The index of the largest or smallest element along an axis; by default of the first of equal ones."""

    def extreme(a: Attributes, x: Any) -> Any:
        axis = a.get("axis", 0)
        found = value(find(x, axis))
        if a.get("select_last_index", 0):
            found = x.shape[axis] - 1 - value(find(F.flip(x, axis), axis))
        return np.expand_dims(found, axis) if a.get("keepdims", 1) else found

    extreme.__name__ = name
    in_file_order(extreme)


arg("ArgMax", F.argmax)
arg("ArgMin", F.argmin)


@in_file_order
def CumSum(a: Attributes, x: Any, axis: Any) -> Any:
    """Sums of all up to each number, or up to the one before it."""
    along = int(axis.item()) % x.ndim
    if a.get("reverse", 0):
        x = F.flip(x, along)
    y = F.cumsum(x, along)
    if a.get("exclusive", 0):
        y = y - x
    return F.flip(y, along) if a.get("reverse", 0) else y


@in_file_order
def CumProd(a: Attributes, x: Any, axis: Any) -> Any:
    """Products of all up to each number, or up to the one before it."""
    along, array = int(axis.item()), value(x)
    if a.get("reverse", 0):
        array = np.flip(array, along)
    if a.get("exclusive", 0):
        head = np.ones_like(np.take(array, [0], along))
        array = np.concatenate([head, np.delete(array, -1, along)], along)
    y = np.cumprod(array, along, dtype=array.dtype)
    return np.flip(y, along) if a.get("reverse", 0) else y


@in_file_order
def TopK(a: Attributes, x: Any, k: Any) -> Any:
    """The k largest or smallest along an axis, in order, and where they are."""
    axis, array = a.get("axis", -1), value(x)
    wide = array.astype(np.float64) if array.dtype.kind == "f" else array.astype(np.int64)
    order = np.argsort(-wide if a.get("largest", 1) else wide, axis, kind="stable")
    where = np.take(order, range(int(k.item())), axis)
    index = list(np.indices(where.shape))
    index[axis] = where
    return x[tuple(index)], where


@operator
def LpNormalization(a: Attributes, x: Placed) -> Placed:
    """Each row along an axis over its length; a row of zeros stays."""
    length = F.norm(x.array, a.get("p", 2), x.at(a.get("axis", -1)), keepdims=True)
    zero = value(length) == 0
    return x.like(F.where(zero, 0.0, x.array / F.where(zero, 1.0, length)))


@in_file_order
def Einsum(a: Attributes, *xs: Any) -> Any:
    """Sums of products, by Einstein's notation."""
    return F.einsum(a["equation"], *xs)


@operator
def MatMul(a: Attributes, x: Placed, y: Placed) -> Placed:
    """The matrix product, of the last two axes."""
    return Placed(F.matmul(x.logical, y.logical))


@operator
def Gemm(a: Attributes, x: Placed, y: Placed, c: Placed | None = None) -> Placed:
    """``alpha x y + beta c``, each of the first two transposed if told so."""
    left = x.logical.T if a.get("transA", 0) else x.logical
    right = y.laid((1, 0)) if a.get("transB", 0) else y.logical
    alpha, beta = a.get("alpha", 1.0), a.get("beta", 1.0)
    if alpha == beta == 1 and c is not None and c.ndim == 1 and c.shape == (right.shape[-1],):
        return Placed(F.affine(left, right, c.array, activation=a.get("activation")))
    product = left @ right if alpha == 1 else alpha * (left @ right)
    z = product if c is None else product + (c.logical if beta == 1 else beta * c.logical)
    return Placed(getattr(F, a["activation"])(z) if "activation" in a else z)


@in_file_order
def OneHot(a: Attributes, indices: Any, depth: Any, values: Any) -> Any:
    """A vector for each index, "off" everywhere but there; all of it "off" if the index is out of range."""
    classes, (off, on) = int(depth.item()), value(values)
    index = np.asarray(value(indices)).astype(int)
    axis = a.get("axis", -1) % (index.ndim + 1)
    known = (index >= -classes) & (index < classes)
    hit = (index[..., None] % classes == np.arange(classes)) & known[..., None]
    spread: Any = np.where(hit, on, off)
    return np.moveaxis(spread, -1, axis)


@in_file_order
def Trilu(a: Attributes, x: Any, k: Any = None) -> Any:
    """One triangle of each matrix; zeros in the other."""
    shift, ones = (0 if k is None else int(k.item())), np.ones(x.shape[-2:], bool)
    return F.where(np.triu(ones, shift) if a.get("upper", 1) else np.tril(ones, shift), x, 0)


@in_file_order
def EyeLike(a: Attributes, x: Any) -> Any:
    """Ones on a diagonal of a matrix of the input's shape."""
    from tensorgrad.onnx.operators.elementwise import DTYPES

    rows, columns = x.shape
    return np.eye(rows, columns, k=a.get("k", 0), dtype=DTYPES.get(a.get("dtype", 0), x.dtype))


@operator
def Det(a: Attributes, x: Placed) -> Placed:
    """The determinant of each matrix."""
    return Placed(np.linalg.det(value(x.logical)).astype(x.array.dtype))
