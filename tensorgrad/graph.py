"""What a graph consists of: values, and the nodes that say how they were computed.

A node keeps what the rules of its primitive read. What they do not read is freed as soon as nothing else needs it, even
while the graph lives: the inputs of a sum, for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tensorgrad.rules import Reads, Ruled
from tensorgrad.writes import Memory, owner, tick

__all__ = ["Hook", "Node", "Traced", "goal_of", "memory", "origin", "value", "wrote"]

Hook = Callable[[Any], Any]  # from a gradient to another, or to None

SMALL = 1 << 12  # bytes; an array below this takes less time to keep than to let go
_NAN = b"\xff" * 32  # in any floating dtype


class Traced:
    """A value in a graph. :class:`tensorgrad.Tensor` adds the operators; the engine needs only what is here.

    ``array`` is the value, without the bookkeeping that ``Tensor.data`` does for writers.
    """

    __slots__ = ("__weakref__", "array", "grad", "hooks", "memory", "needs_grad", "node")

    array: npt.NDArray[Any]
    grad: Self | None
    hooks: dict[int, Hook] | None  # of a leaf
    memory: Memory | None
    needs_grad: bool
    node: Node | None

    @classmethod
    def wrap(cls, array: Any) -> Self:
        """A constant around ``array``, which is not copied; nothing else may write to it."""
        new = cls.__new__(cls)
        new.array = array
        new.grad = new.hooks = new.memory = new.node = None
        new.needs_grad = False
        return new


class Node:
    """How a value was computed: ``primitive(*args, **params)``, at one tick of the clock.

    Attributes
    ----------
    args : sequence, optional
        The inputs; of a large one that was computed and that no rule reads, its node alone. None once the graph behind
        it was freed.
    result : array, optional
        The result, if a rule reads it, or if it and the inputs are small. The value around it is not kept, as that
        refers to this node.
    memory : Memory, optional
        The record of writes to a result that is kept.
    shape, dtype
        The result's; the dtype only of large values.
    recorded : int
        When, by the clock of :mod:`tensorgrad.writes`.
    hooks : dict, optional
        The result's.
    note
        Left by a watcher.
    """

    __slots__ = ("args", "dtype", "hooks", "memory", "note", "params", "primitive", "recorded", "result", "shape")

    def __init__(self, primitive: Ruled, args: tuple[Any, ...], params: dict[str, Any], y: Traced, large: bool) -> None:
        """Record; ``large`` tells whether one of the inputs is."""
        array = y.array
        self.primitive = primitive
        self.args: Sequence[Any] | None = args
        self.params = params
        self.result: Any = array
        self.memory = y.memory
        self.shape = array.shape
        self.recorded = tick()
        self.hooks: dict[int, Hook] | None = None
        self.note: Any = None
        if large or array.nbytes >= SMALL:
            self.dtype = array.dtype
            self._let_go(args)

    def _let_go(self, args: tuple[Any, ...]) -> None:
        """Drop what no rule reads: the result, and of a large input all but its node."""
        wanted = sum(1 << i for i, a in enumerate(args) if isinstance(a, Traced) and a.needs_grad)
        keeps_result, unread = self.primitive.kept(wanted, len(args))
        if not keeps_result:
            self.result = self.memory = None
        for i in unread:
            a = args[i]
            if isinstance(a, Traced) and a.node is not None and a.array.nbytes >= SMALL:
                args = (*args[:i], a.node, *args[i + 1 :])
        self.args = args

    def recall(self) -> tuple[list[Node | Traced | None], list[Any], list[int]]:
        """What a walk needs of it.

        Returns
        -------
        goals : list of Node, Traced or None
            Where the gradients by the inputs go.
        arrays : list
            The result and the inputs; those that were not kept are all NaN, and take no memory.
        written : list of int
            Which of these arrays were written to since they were recorded.
        """
        goals: list[Node | Traced | None] = []
        arrays = [_nothing(self.shape, self.dtype) if self.result is None else self.result]
        written = [0] if self.memory is not None and self.memory.is_written_since(self.recorded) else []
        for i, a in enumerate(self.args or (), 1):
            if isinstance(a, Traced):
                goals.append((a.node or a) if a.needs_grad else None)
                arrays.append(a.array)
                if a.memory is not None and a.memory.is_written_since(self.recorded):
                    written.append(i)
            else:
                goals.append(goal_of(a))
                arrays.append(_kept(a))
        return goals, arrays, written

    def values(self, kind: type[Traced]) -> list[Any]:
        """The result and the inputs as values in the graph, for rules that are recorded in turn."""
        y: Any = self
        if self.result is not None:
            y = kind.wrap(self.result)
            y.memory = self.memory = self.memory or Memory(self.result)  # one for both, whichever is written to
            y.node, y.needs_grad = self, True
        return [_kept(a) for a in (y, *(self.args or ()))]

    def absent(self) -> list[int]:
        """Which of the result (0) and the inputs (1 and up) were not kept."""
        found = [index for index, a in enumerate(self.args or (), 1) if isinstance(a, Node)]
        return found if self.result is not None else [0, *found]

    def check(self, unreadable: list[int], position: int, reads: Reads) -> None:
        """Raise if the rule for an input is about to read a value that was written to since, or not kept."""
        for index in unreadable:
            if not reads[min(index, len(reads) - 1)]:
                continue
            a = (self, *(self.args or ()))[index]
            shape = a.shape if isinstance(a, Node) else a.array.shape
            what = f"{self.primitive.name}: its {f'input {index - 1}' if index else 'result'} (shape {shape})"
            if index in self.absent():
                raise RuntimeError(
                    f"{what} was not kept in the forward pass, where no rule read it, and the gradient by input "
                    f"{position} now needs it; replace the rule before the forward pass too"
                )
            raise RuntimeError(
                f"{what} was written to between the forward and the backward pass, and the gradient by input "
                f"{position} needs what it held; write after backward(), or compute on a copy()"
            )


def _kept(a: Any) -> Any:
    """What was kept; an array of NaN for what was not."""
    return _nothing(a.shape, a.dtype) if isinstance(a, Node) else a


@lru_cache(1024)
def _nothing(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """An array of NaN, all of which lie in the same few bytes."""
    return np.ndarray(shape, dtype, _NAN, 0, (0,) * len(shape))


def origin(t: Traced) -> Node | Traced:
    """What stands for a value in a graph: the node that it was computed by, or a leaf itself."""
    return t.node or t


def goal_of(a: Any) -> Node | Traced | None:
    """Where the gradient by one of a node's inputs goes: a node, a leaf, or None if there is no gradient by it."""
    if isinstance(a, Traced):
        return (a.node or a) if a.needs_grad else None
    return a if isinstance(a, Node) else None


def value(x: Any) -> Any:
    """The array of a traced value; anything else unchanged. Rules use it for their constants."""
    return x.array if isinstance(x, Traced) else x


def memory(t: Traced) -> Memory:
    """The record of writes to ``t.array``; a new one if the array was replaced."""
    node = t.node if t.node is not None and t.node.result is not None else None
    if t.memory is None and node is not None:
        t.memory = node.memory
    if t.memory is None or t.memory.array is not owner(t.array):
        t.memory = Memory(t.array)
        if node is not None:
            node.memory = t.memory
    return t.memory


def wrote(t: Traced) -> None:
    """Report that the library itself wrote to ``t.array``, in place or by replacing it."""
    memory(t).write()
