"""Operands: what may be combined with a tensor, and in which dtype.

Arrays keep their dtype. Python numbers, NumPy scalars and arrays of no axes take the tensor's. Integers beside
floats become those floats. So float32 never becomes float64 unless a float64 array with axes comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np
import numpy.typing as npt

from tensorgrad import ops
from tensorgrad.checks import brief, check_unmasked
from tensorgrad.engine import Traced, value

DEFAULT_DTYPE = np.dtype(np.float32)
T = TypeVar("T", bound=Traced)
Array: TypeAlias = npt.NDArray[Any]


def to_array(data: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """A fresh array of the data; Python numbers and lists of them are float32."""
    given = data
    if isinstance(data, Traced):
        data = data.array
    elif isinstance(data, np.ma.MaskedArray):
        check_unmasked(data, "tensor", "data")
    elif not isinstance(data, np.ndarray | np.generic):
        if isinstance(data, list | tuple):
            _check_items(data)
        try:
            data = np.asarray(data)
        except ValueError as error:
            raise ValueError(f"tensor: the data is not rectangular: {error}") from None
        if dtype is None and data.dtype.kind in "iuf":
            dtype = DEFAULT_DTYPE
        elif dtype is None and data.dtype.kind == "c":
            dtype = np.complex64
    array = np.array(data, dtype=dtype)
    if array.dtype.kind not in "fciub":
        raise TypeError(f"tensor: expected numbers, received {brief(given)}, which makes dtype {array.dtype}")
    return array


def _check_items(data: Iterable[Any]) -> None:
    """Raise if a list has items, at any depth, that NumPy would take for what they are not."""
    for item in data:
        if isinstance(item, Traced):
            raise TypeError("tensor: a list of tensors would lose their graphs; join them with stack()")
        if isinstance(item, list | tuple):
            _check_items(item)
        elif isinstance(item, np.ndarray):
            check_unmasked(item, "tensor", "data")


def is_floating(x: Any) -> bool:
    """Whether a tensor or number is floating or complex, so that it can have a gradient."""
    return x.array.dtype.kind in "fc" if isinstance(x, Traced) else isinstance(x, float | complex)


def floating(x: Any) -> Any:
    """Integer tensors as float32; anything else unchanged."""
    return x if not isinstance(x, Traced) or is_floating(x) else ops.cast(x, dtype=DEFAULT_DTYPE)


def agree(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands, at least one of them a tensor, as tensors or Python numbers that agree on a dtype."""
    if isinstance(x, Traced) and isinstance(y, Traced):
        if x.array.dtype is y.array.dtype:
            return x, y
    elif isinstance(x, Traced):
        y = _beside(x, y)
        if type(y) is float and x.array.dtype.kind == "f":
            return x, y
    else:
        x = _beside(y, x)
    if x is NotImplemented or y is NotImplemented:
        return NotImplemented, NotImplemented
    if is_floating(x) and isinstance(y, Traced) and not is_floating(y):
        y = ops.cast(y, dtype=x.array.dtype if isinstance(x, Traced) else DEFAULT_DTYPE)
    elif is_floating(y) and isinstance(x, Traced) and not is_floating(x):
        x = ops.cast(x, dtype=y.array.dtype if isinstance(y, Traced) else DEFAULT_DTYPE)
    return x, y


def _beside(tensor: Traced, other: Any) -> Any:
    """The other operand: a number as a Python number, so that it takes the tensor's dtype; arrays as tensors."""
    if type(other) in (float, int, bool, complex):
        return other
    if isinstance(other, np.generic | np.ndarray) and other.dtype.kind in "fciub":
        check_unmasked(other, "operand", "data")
        return other.item() if other.ndim == 0 else tensor.wrap(np.array(other))  # copied: it may be written to
    if isinstance(other, list | tuple):
        dtype = tensor.array.dtype
        return tensor.wrap(to_array(other, dtype if dtype.kind in "fc" else None))
    return NotImplemented


@overload
def binary(op: Callable[[Any, Any], Any], x: T, y: object) -> T: ...
@overload
def binary(op: Callable[[Any, Any], Any], x: object, y: T) -> T: ...
def binary(op: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    """Apply to two operands, of which at least one is a tensor, after agreeing on a dtype."""
    x, y = agree(x, y)
    return op(x, y) if x is not NotImplemented else NotImplemented


def both(op: Callable[[Any, Any], Any], x: T, y: object) -> T:
    """As :func:`binary`, for a function: there is no reflected operator to try, so it raises."""
    result = binary(op, x, y)
    if result is NotImplemented:
        raise TypeError(f"expected numbers, arrays or tensors; received {type(x).__name__} and {type(y).__name__}")
    return result


@overload
def divide(x: T, y: object) -> T: ...
@overload
def divide(x: object, y: T) -> T: ...
def divide(x: Any, y: Any) -> Any:
    """``x / y``, element by element; integers are divided as float32."""
    return binary(ops.div, floating(x), floating(y))


@overload
def matmul(x: T, y: object) -> T: ...
@overload
def matmul(x: object, y: T) -> T: ...
def matmul(x: Any, y: Any) -> Any:
    """The matrix product, as ``numpy.matmul`` has it: 1-d operands are vectors, leading axes broadcast."""
    a, b = agree(x, y)
    if a is NotImplemented:
        return NotImplemented
    shapes = np.shape(value(a)), np.shape(value(b))
    if not all(shapes):
        raise ValueError(f"matmul: expected operands of at least one axis, received shapes {shapes[0]} and {shapes[1]}")
    inner = shapes[1][-2:][0]
    if shapes[0][-1] != inner:
        raise ValueError(
            f"matmul: the last axis of x has length {shapes[0][-1]}, but y takes {inner} "
            f"(x.shape={shapes[0]}, y.shape={shapes[1]})"
        )
    left = a if len(shapes[0]) > 1 else ops.reshape(a, shape=(1, inner))
    right = b if len(shapes[1]) > 1 else ops.reshape(b, shape=(inner, 1))
    batch: tuple[int, ...] = left.array.shape[:-1]
    if len(batch) > 1 and len(right.array.shape) == 2:  # one large product instead of many small ones
        rows = ops.reshape(left, shape=(prod(batch), inner))
        out = ops.reshape(ops.matmul(rows, right), shape=(*batch, right.array.shape[-1]))
    else:
        out = ops.matmul(left, right)
    shape = out.array.shape
    if len(shapes[0]) == 1:
        shape = (*shape[:-2], shape[-1])
    if len(shapes[1]) == 1:
        shape = shape[:-1]
    return ops.reshape(out, shape=shape) if shape != out.array.shape else out


def whole_shape(wanted: Any, size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape for that many elements, with its -1 replaced."""
    given = wanted[0] if len(wanted) == 1 and not isinstance(wanted[0], int | np.integer | Traced) else wanted
    try:
        new = tuple(n.__index__() for n in given)
    except (TypeError, AttributeError):
        raise TypeError(f"reshape: expected ints, or one tuple of ints; received {brief(wanted)}") from None
    known = prod(n for n in new if n != -1)
    if new.count(-1) == 1 and known > 0 and size % known == 0:
        new = tuple(size // known if n == -1 else n for n in new)
    if any(n < 0 for n in new) or prod(new) != size:
        raise ValueError(f"reshape: {size} elements of shape {shape} do not fit the shape {brief(new)}")
    return new


def plain_index(index: Any) -> Any:
    """An index of NumPy's own types, with copies of its arrays, which a user could write to later."""
    if isinstance(index, tuple):
        return tuple(plain_index(part) for part in index)
    if isinstance(index, Traced | np.ndarray | list):
        array = np.array(value(index))
        if isinstance(index, list) and not array.size:
            array = array.astype(int)
        if array.dtype.kind not in "iub":
            raise IndexError(f"getitem: an index must be of integers or booleans, received {array.dtype}")
        return array
    return index
