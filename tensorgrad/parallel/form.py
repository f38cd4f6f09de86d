"""What the ranks on one machine are: processes, or threads where Python runs without its lock."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Literal, TypeAlias, get_args

from tensorgrad.recording import Switch

Form: TypeAlias = Literal["processes", "threads"]

_form: ContextVar[Form | None] = ContextVar("tensorgrad_form", default=None)


def form() -> Form:
    """What :func:`ranks_as` says; else threads if Python's lock is off, which keeps threads from running at once."""
    return _form.get() or ("processes" if locked() else "threads")


def locked() -> bool:
    """Whether Python's lock is on, as it always is but in free-threaded CPython."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def ranks_as(form: Form) -> Switch[Form | None]:
    """Let ``train(..., processes=n)`` use processes or threads inside a ``with`` block or a decorated function.

    By default they are threads where Python runs without its lock (free-threaded CPython), and processes elsewhere.
    With the lock, threads give the same result, but take longer than one rank alone.

    Parameters
    ----------
    form : "processes" or "threads"

    Raises
    ------
    ValueError
        If it is neither.

    Examples
    --------
    >>> import tensorgrad
    >>> with tensorgrad.parallel.ranks_as("threads"):
    ...     pass  # model.train(x, y, processes=2)
    """
    if form not in get_args(Form):
        raise ValueError(f"ranks_as: expected 'processes' or 'threads', received {form!r}")
    return Switch(_form, form)
