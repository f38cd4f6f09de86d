"""Checks of arguments; every message names the operation."""

from __future__ import annotations

import importlib
import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from math import inf, isnan, prod
from os import PathLike
from types import ModuleType
from typing import Any

import numpy as np

from tensorgrad.signatures import parameters
from tensorgrad.vocabulary import did_you_mean, find, instead

__all__ = [
    "Axis", "axes", "brief", "check_function", "check_rule", "check_unmasked", "converted", "epsilon", "explained",
    "flag", "from_scipy", "ints", "is_number", "numbers", "one_axis", "one_of", "pair", "positive", "real", "told",
    "whole", "without",
]  # fmt: skip

Axis = int | tuple[int, ...] | None
_NUMBERS = (int, float, np.integer, np.floating)  # written out in isinstance, they would make a union at each call


def without(what: str, package: str, extra: str) -> ImportError:
    """The error of something that needs a package which is not installed; an extra of ours brings it."""
    return ImportError(
        f'{what} needs {package}, which the extra {extra!r} installs: pip install "tensorgrad-cnn[{extra}]"'
    )


def axes(axis: Axis, ndim: int, name: str) -> tuple[int, ...]:
    """Axes as sorted non-negative ints, each once; None means all of them."""
    if axis is None:
        return tuple(range(ndim))
    axis = axis.tolist() if isinstance(axis, np.ndarray) else axis
    given = tuple(axis) if isinstance(axis, tuple | list | range) else (axis,)
    found = tuple(one_axis(a, ndim, name) for a in given)
    if len(set(found)) != len(found):
        raise ValueError(f"{name}: axis={axis!r} names an axis twice; name each axis once")
    return tuple(sorted(found))


def one_axis(axis: int, ndim: int, name: str) -> int:
    """One axis as a non-negative int."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise TypeError(
            f"{name}: axis must be an int, or a tuple of ints where several are meant; received {brief(axis)}"
        )
    if not -ndim <= axis < ndim:
        wanted = f"expected {-ndim} to {ndim - 1}" if ndim else "it has no axes"
        raise IndexError(f"{name}: axis {axis} is out of range for a tensor of {ndim} axes; {wanted}")
    return int(axis) % ndim


def pair(value: Any, name: str, argument: str, minimum: int) -> tuple[int, int]:
    """An int, or a pair of ints, as a pair (rows, columns)."""
    if type(value) is tuple and len(value) == 2:  # layers come here for every batch, with pairs that are right
        rows, columns = value
        if type(rows) is type(columns) is int and rows >= minimum and columns >= minimum:
            return rows, columns
    value = value.tolist() if isinstance(value, np.ndarray) else value
    items = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value, value)
    if len(items) != 2 or not all(
        isinstance(i, int | np.integer) and not isinstance(i, bool) and i >= minimum for i in items
    ):
        raise ValueError(
            f"{name}: {argument} must be an int of at least {minimum}, or a pair (rows, columns) of them; "
            f"received {brief(value)}"
        )
    return int(items[0]), int(items[1])


def check_unmasked(data: Any, name: str, argument: str) -> None:
    """Raise if an array has masked values: NumPy would go on with what is below the mask."""
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        first = int(np.argwhere(np.ma.getmaskarray(data))[0][0]) if data.ndim else 0
        raise TypeError(
            f"{name}: {argument} has masked values, first at sample {first}; fill them in with "
            f"{argument}.filled(value), or leave those samples out"
        )


def numbers(data: Any, name: str, argument: str) -> np.ndarray[Any, Any]:
    """Samples or labels as an array of numbers."""
    check_unmasked(data, name, argument)
    if isinstance(data, str | bytes | PathLike | Mapping | Set):
        what = "one of its arrays" if isinstance(data, Mapping) else "an array, in which the samples have an order"
        remedy = f"give {what}" if isinstance(data, Mapping | Set) else "read the file first, as np.load or Pillow do"
        raise TypeError(f"{name}: {argument} must be an array of numbers, received {type(data).__name__}; {remedy}")
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(f"{name}: {argument} is not rectangular, its samples must have one shape: {error}") from None
    except (TypeError, RuntimeError) as error:  # of another library's arrays, such as PyTorch's that need a gradient
        raise TypeError(f"{name}: {argument}, {type(data).__name__}, gives no array: {error}") from None
    if array.dtype.kind in "fiub":
        return array
    if hasattr(data, "toarray"):  # SciPy's sparse matrices
        kind = type(data).__name__
        raise TypeError(f"{name}: {argument} is sparse, received {kind}; make it dense with {argument}.toarray()")
    if array.dtype.kind == "c":
        raise TypeError(
            f"{name}: {argument} must be real, received {array.dtype}; use {argument}.real or np.abs({argument}), or "
            f"real and imaginary parts as two channels: np.stack([{argument}.real, {argument}.imag], axis=-1)"
        )
    if array.dtype.names:
        raise TypeError(
            f"{name}: {argument} must be numbers, received records of {', '.join(array.dtype.names)}; make columns of "
            f"them with np.stack([{argument}[name] for name in {argument}.dtype.names], axis=-1)"
        )
    if array.dtype.kind == "O" and array.ndim:
        items = list(array.flat)
        missing = [i for i, item in enumerate(items) if _is_missing(item)]
        if missing:
            raise TypeError(
                f"{name}: {argument} has missing values, first at sample {missing[0] * len(array) // len(items)}; fill "
                "them in or leave those samples out"
            )
        if all(isinstance(item, np.ndarray | list | tuple) for item in items):
            raise TypeError(
                f"{name}: {argument} is an array of {type(items[0]).__name__}s, received dtype object; make one array "
                f"with np.stack({argument})"
            )
    if array.dtype.kind == "O" and not array.ndim:
        remedy = f"; make one with np.array(list({argument}))" if isinstance(data, Iterable) else ""
        raise TypeError(f"{name}: {argument} must be an array of numbers, received {type(data).__name__}{remedy}")
    classes = f"np.unique({argument}, return_inverse=True)[1] numbers classes, " if argument == "Y" else ""
    strange = next((item for item in array.flat if not _is_written_number(item)), None)
    advice = f"np.array({argument}, dtype=float) reads numbers that are written out"
    if strange is not None:
        advice = f"{str(strange)!r:.40} is none: give such columns numbers, or leave them out"
    raise TypeError(f"{name}: {argument} must be numbers, received dtype {array.dtype}; {classes}{advice}")


def _is_written_number(item: Any) -> bool:
    try:
        float(item)
    except (TypeError, ValueError):
        return False
    return True


def _is_missing(item: Any) -> bool:
    """Whether it is None, NaN, or what pandas has for them."""
    return item is None or type(item).__name__ in ("NAType", "NaTType") or (isinstance(item, float) and isnan(item))


def is_number(value: Any) -> bool:
    """Whether a value is one real number, which True and False are not."""
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def ints(value: Any, name: str, argument: str) -> tuple[int, ...]:
    """An int, or a sequence of ints, as a tuple."""
    array = None if isinstance(value, str | bytes | Mapping | Set) else np.asarray(value)
    if array is None or array.ndim > 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(f"{name}: {argument} must be an int, or a sequence of ints; received {brief(value)}")
    return tuple(array.reshape(-1).tolist())


def real(value: Any, name: str, argument: str) -> float:
    """A finite number."""
    if not (is_number(value) and -inf < value < inf):
        raise ValueError(f"{name}: {argument} must be a finite number, received {brief(value)}")
    return float(value)


def epsilon(value: Any, name: str, least: float = 1.2e-38) -> float:
    """A small number that keeps a division finite: at least the smallest normal one of float32, unless told."""
    if not (is_number(value) and least <= value < inf):
        why = " (in float32, less is 0)" if least else ""
        raise ValueError(f"{name}: eps must be a finite number of at least {least:g}{why}, received {brief(value)}")
    return float(value)


def flag(value: Any, name: str, argument: str) -> bool:
    """True or False, for which no other value stands: a word such as "no" would be true."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}: {argument} must be True or False, received {brief(value)}")
    return bool(value)


def positive(value: Any, name: str, argument: str, others: str = "") -> int:
    """A count of at least 1, which no float is; `others` says what else the caller takes."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}: {argument} must be an int of at least 1{others}, received {brief(value)}")
    return int(value)


def whole(value: Any, name: str, argument: str) -> int:
    """A count of at least 1, which may be a float such as 3.0."""
    if not is_number(value) or not (value >= 1 and value % 1 == 0):
        raise ValueError(f"{name}: {argument} must be an int of at least 1, received {brief(value)}")
    return int(value)


def one_of(value: Any, known: Iterable[str], name: str, argument: str) -> None:
    """Raise unless the value is one of the known names."""
    known = list(known)
    if not isinstance(value, str) or value not in known:
        if not isinstance(value, str) and value is not None:  # a function or a class of that name
            called = getattr(value, "__name__", type(value).__name__)
            if called in known:
                raise ValueError(f"{name}: {argument} is given by its name, {called!r}, received {brief(value)}")
        word = find(value, {"optimizer": "opt", "metric": "metrics"}.get(argument, argument))
        near = f"; {instead(word)}." if word else did_you_mean(value, known)
        names = ", ".join(map(repr, known))
        raise ValueError(
            f"{name}: unknown {argument} {brief(value)}{near + ' Known' if near else '; known'} are {names}"
        )


def explained(error: Exception, name: str, arrays: Sequence[Any]) -> Exception:
    """NumPy's error, with the operation's name, the shapes and a remedy."""
    shapes = " and ".join(str(np.shape(a)) for a in arrays)
    text = str(error)
    if text.startswith(f"{name}:"):
        return error
    if "broadcast" in text:
        text = (
            f"the shapes {shapes} do not broadcast; counted from the last axis, lengths must be equal or 1: "
            "use reshape() or expand_dims() on one of them"
        )
    else:
        text = f"{text} (received shapes {shapes})"
    kind = next(k for k in (IndexError, TypeError, ValueError) if isinstance(error, k))
    return kind(f"{name}: {text}")


def brief(value: Any) -> str:
    """A value as an error names it: in one line, and a large array by its shape."""
    shape = getattr(value, "shape", ())
    if isinstance(shape, tuple) and prod(shape) > 10:
        return f"{type(value).__name__} of shape {shape}"
    is_long = isinstance(value, str | bytes | list | tuple | dict | set) and len(value) > 100
    text = reprlib.repr(value) if is_long else repr(value)
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= 200 else f"{text[:150]} ..."


def told(error: Exception) -> str:
    """An error's text; of one that the operating system tells, the file and the reason without a number."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def check_rule(
    name: str, position: int, rule: Callable[..., Any], values: Sequence[str], metadata: Sequence[str]
) -> None:
    """Raise unless a rule can be called with these values and this metadata."""
    names, keywords = parameters(rule)
    if len(names) == len(values) and sorted(keywords) == sorted(metadata):
        return
    try:
        inspect.signature(rule).bind(*values, **dict.fromkeys(metadata))
    except TypeError as error:
        wanted = ", ".join((*values, *(["*", *metadata] if metadata else [])))
        raise TypeError(f"{name}: the rule for its input {position} must take ({wanted}): {error}") from None


def check_function(function: Any, arguments: Sequence[str], where: str) -> None:
    """Raise unless a user's function can be called with these arguments, by position."""
    wanted = ", ".join(arguments)
    if not callable(function):
        raise TypeError(f"{where} must be a function of ({wanted}), received {brief(function)}")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions written in C do not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(f"{where} must be a function of ({wanted}); it takes {signature}") from None


def converted(gradient: Any, dtype: np.dtype[Any], wanted: np.dtype[Any], name: str, position: int) -> Any:
    """A gradient in the dtype of its input; a complex gradient of a real input is refused."""
    if dtype.kind == "c" and wanted.kind != "c":
        raise TypeError(
            f"{name}: a gradient came back complex to its input {position}, which is real; the rules are not for "
            "complex numbers: compute with the real and the imaginary parts, two real tensors"
        )
    return gradient.astype(wanted)


def from_scipy(part: str, name: str) -> ModuleType:
    """A part of SciPy, imported on first use, since it takes longer to import than all of tensorgrad."""
    try:
        return importlib.import_module(f"scipy.{part}")
    except ImportError as error:
        raise ImportError(f"{name} needs SciPy, which is not installed: pip install scipy") from error
