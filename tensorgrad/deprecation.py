"""How something that users call is given up: with a warning that names what replaces it and when it goes."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["deprecated", "level_outside", "warn"]

P = ParamSpec("P")
R = TypeVar("R")


def warn(what: str, *, instead: str, removed_in: str, changes: bool = False) -> None:
    """Warn that something will be gone, or will mean something else, in a later version.

    The warning points at the line outside of the library that led here, and Python shows it once for each such line.

    Parameters
    ----------
    what : str
        What is given up, as the user wrote it: ``"Conv2d(padding=None)"``.
    instead : str
        What to write instead.
    removed_in : str
        The version without it: ``"0.4"``.
    changes : bool
        Whether the same program will go on to run, with another result. Such a warning is a FutureWarning, which
        everybody sees; otherwise it is a DeprecationWarning, which tests and the main program see.

    """
    fate = "changes its meaning" if changes else "is removed"
    warnings.warn(
        f"{what} {fate} in tensorgrad {removed_in}; use {instead}",
        FutureWarning if changes else DeprecationWarning,
        stacklevel=level_outside(),
    )


def deprecated(*, instead: str, removed_in: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function warn whenever it is called: a decorator.

    >>> @deprecated(instead="area()", removed_in="0.4")
    ... def surface():
    ...     return 3
    >>> with warnings.catch_warnings(record=True, action="always") as seen:
    ...     surface()
    3
    >>> print(seen[0].message)
    surface() is removed in tensorgrad 0.4; use area()
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def warned(*args: P.args, **kwargs: P.kwargs) -> R:
            warn(f"{function.__qualname__}()", instead=instead, removed_in=removed_in)
            return function(*args, **kwargs)

        return warned

    return decorate


def level_outside() -> int:
    """The stack level, seen from the caller, of the first frame outside of the library."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == __name__.partition(".")[0]
