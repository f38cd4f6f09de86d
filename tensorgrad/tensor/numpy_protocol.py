"""NumPy's functions on tensors: each keeps the graph or says why it cannot; none loses it silently.

NumPy hands us the call (NEP 13 for ufuncs, NEP 18 for functions) as soon as one operand is a Tensor. What is called
instead is registered beside its definition, with :func:`implements`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import numpy as np

from tensorgrad import engine

F = TypeVar("F", bound=Callable[..., Any])

_OURS: dict[Callable[..., Any], Callable[..., Any]] = {}
_WORDS: dict[Callable[..., Any], Mapping[str, str]] = {}
# What has no gradient in any case gives a plain array, as the comparison operators of Tensor do.
_PLAIN = {
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.isfinite, np.isinf, np.isnan,
    np.signbit, np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.floor, np.ceil, np.rint, np.trunc,
    np.floor_divide, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert,
    np.shape, np.ndim, np.size, np.allclose, np.isclose, np.array_equal, np.array_equiv,
    np.array_repr, np.array_str, np.array2string, np.result_type, np.can_cast, np.shares_memory, np.may_share_memory,
    np.iscomplexobj, np.isrealobj, np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.argsort, np.nonzero,
    np.count_nonzero, np.round, np.around,
}  # fmt: skip


def implements(*functions: Callable[..., Any], **words: str) -> Callable[[F], F]:
    """Register the function that follows as what NumPy's `functions` do when they are given a tensor.

    The first parameter of NumPy's function is the first of ours. `words` has NumPy's names of others, and ours for
    them, where they differ: ``@implements(np.pad, pad_width="widths")``.
    """

    def register(ours: F) -> F:
        for function in functions:
            _OURS[function] = ours
            _WORDS[function] = words
        return ours

    return register


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Carry out a NumPy ufunc of which at least one operand is a tensor."""
    name = ufunc.__name__
    if method == "__call__" and (ufunc in _PLAIN or _only_writes(inputs, kwargs.get("out"))):
        return ufunc(*map(engine.value, inputs), **kwargs)
    if method != "__call__" or kwargs:
        how = f"np.{name}.{method}" if method != "__call__" else f"np.{name} with {', '.join(kwargs)}="
        raise TypeError(f"{how} cannot keep a Tensor's graph; use Tensor's own methods, or .numpy() to leave the graph")
    if ufunc not in _OURS:
        raise TypeError(f"np.{name} has no gradient here; use .numpy() to leave the graph, or write a primitive for it")
    return _OURS[ufunc](*inputs)


def _only_writes(inputs: tuple[Any, ...], out: Any) -> bool:
    """``array += constant tensor``: a write into a plain array, from operands that have no graph to lose."""
    return (
        out is not None
        and not any(isinstance(o, engine.Traced) for o in out)
        and not any(isinstance(x, engine.Traced) and x.needs_grad for x in inputs)
    )


def apply_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Carry out another NumPy function of which at least one argument is, or holds, a tensor."""
    if function in _PLAIN:
        return function(*_values(args), **{key: _values(value) for key, value in kwargs.items()})
    if function not in _OURS:
        whole = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        raise TypeError(f"{whole} would lose the Tensor's graph; use tensorgrad's own, or .numpy() to leave it")
    ours, names = _OURS[function], _positional(function)
    signature = inspect.signature(ours)
    words = {**dict(zip(names[:1], signature.parameters, strict=False)), **_WORDS[function]}
    if names:
        kwargs = {**dict(zip(names, args, strict=False)), **kwargs}
        args = args[len(names) :]
    named = {words.get(key, key): value for key, value in kwargs.items()}
    try:
        signature.bind(*args, **named)
    except TypeError as error:
        raise TypeError(f"np.{function.__name__} on a Tensor: {error}; ours takes {signature}") from None
    return ours(*args, **named)


@cache
def _positional(function: Callable[..., Any]) -> list[str]:
    """The names of a NumPy function's positional parameters; none where NumPy does not tell them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, before NumPy 2.4
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _values(x: Any) -> Any:
    """Arrays in place of tensors, also inside of lists and tuples."""
    if isinstance(x, list | tuple):
        return type(x)(map(_values, x))
    return engine.value(x)
