"""NumPy's functions on tensors: each keeps the graph or says why it cannot; none loses it silently.

NumPy hands us the call (NEP 13 for ufuncs, NEP 18 for functions) as soon as one operand is a Tensor.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import engine, ops
from tensorgrad.tensor.promotion import binary, divide, matmul

_ARITHMETIC = {
    "add": ops.add,
    "subtract": ops.sub,
    "multiply": ops.mul,
    "power": ops.power,
    "maximum": ops.maximum,
    "minimum": ops.minimum,
}
_ELEMENTWISE = {
    "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "sign", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "sinh", "cosh", "tanh",
}  # fmt: skip
# How many of a function's positional arguments mean the same to NumPy and to us; the others must be named.
_FUNCTIONS = {
    "sum": 2, "mean": 2, "var": 2, "std": 2, "max": 2, "min": 2, "prod": 2, "cumsum": 2, "sort": 2, "argmax": 2,
    "argmin": 2, "any": 2, "all": 2, "reshape": 2, "transpose": 2, "moveaxis": 3, "swapaxes": 3, "squeeze": 2,
    "expand_dims": 2, "broadcast_to": 2, "concatenate": 2, "stack": 2, "split": 3, "flip": 2, "roll": 3, "repeat": 3,
    "tile": 2, "take": 3, "where": 3, "clip": 3, "dot": 2, "outer": 2, "tensordot": 3, "einsum": None, "pad": 3,
}  # fmt: skip
_ALIASES = {"amax": "max", "amin": "min"}
_KEYWORDS = {
    "a": "x", "ary": "x", "array": "x", "arr": "x", "m": "x", "A": "x", "arrays": "xs", "a_min": "low", "a_max": "high",
    "min": "low", "max": "high", "indices_or_sections": "parts", "pad_width": "widths", "constant_values": "constant",
}  # fmt: skip
# What has no gradient in any case gives a plain array, as the comparison operators of Tensor do.
_PLAIN_UFUNCS = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "signbit",
    "logical_and", "logical_or", "logical_not", "logical_xor", "floor", "ceil", "rint", "trunc", "floor_divide",
}  # fmt: skip
_PLAIN_FUNCTIONS = {
    "shape", "ndim", "size", "allclose", "isclose", "array_equal", "array_equiv", "array_repr", "array_str",
    "array2string", "result_type", "can_cast", "shares_memory", "may_share_memory", "iscomplexobj", "isrealobj",
    "zeros_like", "ones_like", "full_like", "empty_like", "argsort", "nonzero", "count_nonzero", "round", "around",
}  # fmt: skip


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Carry out a NumPy ufunc of which at least one operand is a tensor."""
    from tensorgrad import functional

    name = ufunc.__name__
    out = kwargs.get("out")
    if method == "__call__" and (name in _PLAIN_UFUNCS or _only_writes(inputs, out)):
        return getattr(ufunc, method)(*map(engine.value, inputs), **kwargs)
    if method != "__call__" or kwargs:
        how = f"np.{name}.{method}" if method != "__call__" else f"np.{name} with {', '.join(kwargs)}="
        raise TypeError(f"{how} cannot keep a Tensor's graph; use Tensor's own methods, or .numpy() to leave the graph")
    if name in _ARITHMETIC:
        return binary(_ARITHMETIC[name], *inputs)
    if name == "divide":
        return divide(*inputs)
    if name == "matmul":
        return matmul(*inputs)
    if name in ("absolute", "fabs"):
        return abs(inputs[0])
    if name == "negative":
        return -inputs[0]
    if name == "positive":
        return inputs[0]
    if name in _ELEMENTWISE:
        return getattr(functional, name)(*inputs)
    raise TypeError(f"np.{name} has no gradient here; use .numpy() to leave the graph, or write a primitive for it")


def _only_writes(inputs: tuple[Any, ...], out: Any) -> bool:
    """``array += constant tensor``: a write into a plain array, from operands that have no graph to lose."""
    return (
        out is not None
        and not any(isinstance(o, engine.Traced) for o in out)
        and not any(isinstance(x, engine.Traced) and x.needs_grad for x in inputs)
    )


def apply_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Carry out another NumPy function of which at least one argument is, or holds, a tensor."""
    from tensorgrad import functional

    name = _ALIASES.get(function.__name__, function.__name__)
    if function.__module__ == "numpy" and name in _FUNCTIONS:
        ours = getattr(functional, name)
        kwargs = {_KEYWORDS.get(key, key): value for key, value in kwargs.items()}
        same = _FUNCTIONS[name]
        try:
            if same is not None and len(args) > same:
                raise TypeError(f"only the first {same} arguments may go without their name")
            inspect.signature(ours).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"np.{name} on a Tensor: {error}; ours takes {inspect.signature(ours)}") from None
        return ours(*args, **kwargs)
    if function.__module__ == "numpy" and name in _PLAIN_FUNCTIONS:
        return function(*_values(args), **{key: _values(value) for key, value in kwargs.items()})
    whole = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
    raise TypeError(f"{whole} would lose the Tensor's graph; use tensorgrad's own, or .numpy() to leave it")


def _values(x: Any) -> Any:
    """Arrays in place of tensors, also inside of lists and tuples."""
    if isinstance(x, list | tuple):
        return type(x)(map(_values, x))
    return engine.value(x)
