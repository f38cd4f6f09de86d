"""What was written to, and when, so that no write between forward and backward falsifies a gradient unnoticed.

There is one clock. Every recording and every write takes its next tick, and the engine refuses to apply a rule that
would read a value written to after its recording (see :func:`tensorgrad.engine.gradients`).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

__all__ = ["Memory", "is_view", "owner", "tick"]

tick = itertools.count(1).__next__  # the next moment


class Memory:
    """The memory of an array, and of all views of it: when it was last written to.

    The library reports its own writes with :meth:`write`. A write through an array that was handed out cannot
    be seen as it happens. Such memory keeps a copy of its contents, which :meth:`look` compares.
    """

    __slots__ = ("array", "contents", "written")

    def __init__(self, array: Any) -> None:
        self.array = owner(array)
        self.contents: bytes | None = None  # only of memory that was handed out
        self.written = 0

    def hand_out(self) -> None:
        """Watch the contents from now on, since a user holds the array."""
        if self.contents is None:
            self.contents = self.array.tobytes()

    def write(self) -> None:
        """Note that the contents changed just now."""
        self.written = tick()
        if self.contents is not None:
            self.contents = self.array.tobytes()

    def is_written_since(self, moment: int) -> bool:
        """Whether the contents changed after a moment."""
        self.look()
        return self.written > moment

    def look(self) -> None:
        """Note a write that was made through an array that was handed out."""
        if self.contents is not None and self.contents != self.array.tobytes():
            self.write()


def owner(array: Any) -> Any:
    """The array that owns the memory of a view; an array that is no view itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def is_view(array: Any) -> bool:
    """Whether an array shows another one's memory. An array in a buffer, which is of a class of its own, does not."""
    return type(array.base) is np.ndarray
