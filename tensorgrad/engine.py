"""Reverse-mode automatic differentiation, to any order: all of it, and no formula.

A *primitive* is a NumPy function with one *rule* per input: the vector-Jacobian product, a pure function of
the gradient ``g`` of the result, the result ``y``, and the inputs. Called on arrays, a primitive is plain
NumPy. Called on traced values, it also records a :class:`Node`, which says how the result was computed. The
walk in :func:`gradients` goes back over those nodes and asks each rule for its product.

The walk hands the rules raw arrays, so nothing is recorded and nothing is wrapped. With ``create_graph=True`` it
hands the same rules traced values, so the gradient is itself a recorded value that can be differentiated again.
``tensorgrad/README.md`` tells the whole story on one page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from operator import add, iadd
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from tensorgrad.checks import converted, explained
from tensorgrad.recording import Switch, no_grad, recording, set_recording
from tensorgrad.rules import Reads, Rule, Ruled, any_replaced
from tensorgrad.writes import Memory, is_view, owner, tick

__all__ = [
    "Node", "Primitive", "Traced", "Watcher", "backward", "gradients", "memory", "no_grad", "primitive", "recording",
    "set_recording", "value", "watch", "watcher", "wrote",
]  # fmt: skip

V = TypeVar("V")
P = ParamSpec("P")

_watcher: ContextVar[Watcher | None] = ContextVar("tensorgrad_watcher", default=None)


class Node:
    """How a value was computed: ``primitive(*args, **params)``, at one tick of the clock."""

    __slots__ = ("args", "note", "params", "primitive", "recorded")

    def __init__(self, primitive: Primitive[...], args: tuple[Any, ...] | None, params: dict[str, Any]) -> None:
        self.primitive = primitive
        self.args = args  # None once the graph behind it was freed
        self.params = params
        self.recorded = tick()
        self.note: Any = None  # left by a watcher


class Traced:
    """A value in a graph. :class:`tensorgrad.Tensor` adds the operators; the engine needs only what is here.

    ``array`` is the value, without the bookkeeping that ``Tensor.data`` does for writers.
    """

    __slots__ = ("__weakref__", "array", "grad", "hooks", "memory", "needs_grad", "node")

    array: npt.NDArray[Any]
    grad: Self | None
    hooks: dict[int, Callable[[Any], Any]] | None
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


class Watcher(Protocol):
    """Learns of every value as it is computed (see :mod:`tensorgrad.debug`)."""

    def computed(self, y: Traced, node: Node) -> None:
        """``y`` was computed as ``node`` says, whether that was recorded or not."""

    def differentiated(self, gradient: Any, y: Traced, node: Node, position: int) -> None:
        """The rule of ``node`` for the input at ``position`` returned ``gradient``."""


class Primitive(Ruled, Generic[P]):
    """A NumPy function and its rules. Data is positional; metadata is keyword, and has no defaults."""

    def __call__(self, first: V, *rest: P.args, **params: P.kwargs) -> V:
        """Apply to arrays or traced values; the result is of the same kind."""
        args = (first, *rest)
        kind: Any = None
        needs_grad = False
        arrays: list[Any] = []
        for a in args:
            if isinstance(a, Traced):
                kind = type(a)
                needs_grad = needs_grad or a.needs_grad
                arrays.append(a.array)
                if a.memory is not None:
                    a.memory.look()
            else:
                arrays.append(a)
        if kind is None:
            return self.forward(*arrays, **params)  # type: ignore[no-any-return]
        try:
            result = self.forward(*arrays, **params)
        except (IndexError, TypeError, ValueError) as error:
            raise explained(error, self.name, arrays) from error
        if not isinstance(result, np.ndarray | np.generic):
            raise TypeError(f"{self.name}: expected an array from its forward function, received {type(result)}")
        out = kind.wrap(result)
        if result.base is not None or result is arrays[0]:
            _share_memory(out, args)
        recorded = needs_grad and recording() and result.dtype.kind in "fc"  # an index has no gradient
        watcher = _watcher.get()
        if recorded or watcher is not None:
            node = Node(self, args, params)
            if recorded:
                out.needs_grad = True
                out.node = node
            if watcher is not None:
                watcher.computed(out, node)
        return out  # type: ignore[no-any-return]


def primitive(forward: Callable[Concatenate[Any, P], Any]) -> Primitive[P]:
    """Make a primitive of a function on NumPy arrays. Its rules are set with :meth:`Primitive.rules`."""
    return Primitive(forward)


@primitive
def _same(x: Any) -> Any:
    """The same value, as the result of an operation of its own."""
    return x


_same.rules(lambda g, _y, _x: g)


def _share_memory(view: Traced, args: tuple[Any, ...]) -> None:
    """If the result of an operation shows the memory of an input, let both share one Memory."""
    for a in args:
        if isinstance(a, Traced) and np.may_share_memory(view.array, a.array):
            a.memory = view.memory = a.memory or Memory(a.array)
            return


def value(x: Any) -> Any:
    """The array of a traced value; anything else unchanged. Rules use it for their constants."""
    return x.array if isinstance(x, Traced) else x


def memory(t: Traced) -> Memory:
    """The record of writes to ``t.array``; a new one if the array was replaced."""
    if t.memory is None or t.memory.array is not owner(t.array):
        t.memory = Memory(t.array)
    return t.memory


def wrote(t: Traced) -> None:
    """Report that the library itself wrote to ``t.array``, in place or by replacing it."""
    memory(t).write()


def watch(watcher: Watcher) -> Switch[Watcher | None]:
    """A context manager in which ``watcher`` learns of every value that is computed or differentiated."""
    return Switch(_watcher, watcher)


def watcher() -> Watcher | None:
    """The watcher of this context."""
    return _watcher.get()


def backward(output: Traced, seed: Any, *, retain_graph: bool, create_graph: bool) -> None:
    """Add the gradient of ``output`` by every leaf that it depends on to that leaf's ``grad``."""
    for leaf, g, fresh in gradients(output, seed, None, retain_graph, create_graph):
        if leaf.grad is None:
            own = g if fresh else g.copy()
            leaf.grad = own if isinstance(own, Traced) else type(leaf).wrap(np.asarray(own))
        elif not isinstance(leaf.grad, Traced) or _kind(leaf.grad) != _kind(leaf):
            raise TypeError(
                f"backward: the grad of a leaf must be None or a Tensor of its shape {leaf.array.shape} and "
                f"{leaf.array.dtype}, to add to; found {leaf.grad!r}"
            )
        else:  # not in place: someone may have kept the gradient so far, or have given it
            leaf.grad = leaf.grad + g


def _kind(t: Traced) -> tuple[Any, Any]:
    return t.array.shape, t.array.dtype


def gradients(
    output: Traced,
    seed: Any,
    wanted: Sequence[Traced] | None,
    retain_graph: bool,
    create_graph: bool,
) -> list[tuple[Any, Any, bool]]:
    """Walk back from ``output``: the one loop of reverse-mode autodiff.

    It starts with the gradient ``seed`` of ``output`` itself and ends at the ``wanted`` values; if that is None, at
    all leaves. ``retain_graph`` keeps the nodes for another walk. ``create_graph`` hands the rules traced values, so
    that the gradients are recorded.

    Returns ``(value, gradient, fresh)`` for each wanted value that the output depends on; ``fresh`` says that
    nothing else refers to the gradient's memory.
    """
    targets = None if wanted is None else {id(t) for t in wanted}
    order, reaches = _paths(output, targets)
    # A gradient that no one else holds (`fresh`) is added to in place; before that, the sum makes a new array.
    pending: dict[int, tuple[Any, bool]] = {id(output): (seed, False)}
    found: list[tuple[Any, Any, bool]] = []
    watcher = _watcher.get()
    replaced = any_replaced()
    with set_recording(create_graph):
        while order:
            y = order.pop()  # so that y, and what only y holds, is freed as soon as it has been passed
            node = y.node
            wanted_here = node is None if targets is None else id(y) in targets
            if id(y) not in pending:  # every rule on the way to it was None: its gradient is zero
                if wanted_here:
                    zero = np.zeros_like(y.array)
                    found.append((y, type(y).wrap(zero) if create_graph else zero, True))
                continue
            g, fresh = pending.pop(id(y))
            if y.hooks:
                g, fresh = _hooked(y, g, fresh)
            if wanted_here:
                found.append((y, g, fresh))
            if node is None or node.args is None:  # a leaf, or a wanted value with nothing wanted behind it
                continue
            primitive, args, params = node.primitive, node.args, node.params
            all_values = (y, *args)
            values = all_values if create_graph else [a.array if isinstance(a, Traced) else a for a in all_values]
            written = _written_since(node.recorded, all_values)
            given: list[tuple[Rule | None, Reads]] | None = None
            if replaced and primitive.has_a_new_part(params):
                given = _through_parts(node, args, type(y), g, create_graph)
            else:
                ours = fresh and not (wanted_here or create_graph or replaced)  # nobody would miss g
                in_place = primitive.last_step_in_place if ours else None
                if primitive.last_step is not None and not (in_place and in_place(g, values[0], **params)):
                    g = primitive.last_step(g, *values, **params)
                together = primitive.together
                if replaced and primitive.is_new():
                    together = None
                if together and not create_graph and all([id(a) in reaches for a in args]):  # noqa: C419
                    products = together(g, *values, **params)
                    given = [(_constant(h), primitive.rule(i)[1]) for i, h in enumerate(products)]
            for position, a in enumerate(args):
                if not (isinstance(a, Traced) and id(a) in reaches):
                    continue
                rule, reads = given[position] if given else primitive.rule(position)
                if rule is None:
                    continue
                if written:
                    _refuse_writes(node, all_values, written, position, reads)
                try:
                    h = rule(g, *values, **params)
                except Exception as error:
                    error.add_note(f"in the rule of {primitive.name} for its input {position}")
                    raise
                h = _fit(h, a, primitive, position)
                if isinstance(h, Traced) is not create_graph:  # a rule may call public functions, which give tensors
                    h = type(a).wrap(h) if create_graph else h.array
                if watcher is not None:
                    watcher.differentiated(h, y, node, position)
                if id(a) not in pending:
                    pending[id(a)] = h, h is not g and not create_graph and not is_view(h)
                    continue
                total, ours = pending[id(a)]
                plus: Rule = iadd if ours and isinstance(total, np.ndarray) else add
                pending[id(a)] = plus(total, h), not create_graph
            if not retain_graph:
                node.args = None
            a = h = total = rule = given = None  # nothing of this step may outlive it
            del all_values, values, args, node, y, g
    return found


def _through_parts(
    node: Node, args: tuple[Any, ...], kind: type[Traced], g: Any, create_graph: bool
) -> list[tuple[Rule | None, Reads]]:
    """Rules for a fused primitive, one per input, that differentiate the composition it stands for."""
    inputs = []
    for a in args:
        t = kind.wrap(value(a))
        t.needs_grad = isinstance(a, Traced) and a.needs_grad
        if t.needs_grad and create_graph:  # the same value, of which the walk ends here and the graph goes on
            t.node = Node(_same, (a,), {})
        inputs.append(t)
    with set_recording(True):
        y = node.primitive.definition(*inputs, **node.params)  # type: ignore[misc]
    wanted = [t for t in inputs if t.needs_grad]
    products = {id(t): h if fresh else h.copy() for t, h, fresh in gradients(y, g, wanted, create_graph, create_graph)}
    found = [products.get(id(t)) for t in inputs]
    return [(None if h is None else _constant(h), (False, True)) for h in found]


def _constant(h: Any) -> Rule:
    """A rule that returns a gradient which is known already."""
    return lambda *_, **__: h


def _paths(output: Traced, targets: set[int] | None) -> tuple[list[Traced], set[int]]:
    """The values on a path from ``output`` to a target, as they were recorded one after the other, and their ids.

    Inputs come before results, since they were recorded before them.
    """
    found = {id(output): output}
    stack = [output]
    while stack:
        y = stack.pop()
        if y.node is None:
            continue
        if y.node.args is None and (targets is None or id(y) not in targets):
            raise RuntimeError(
                f"backward: the graph behind the result of {y.node.primitive.name} was freed by an earlier walk "
                "over it; pass retain_graph=True to that walk to go over the graph again"
            )
        for a in y.node.args or ():
            if isinstance(a, Traced) and a.needs_grad and id(a) not in found:
                found[id(a)] = a
                stack.append(a)
    order = sorted(found.values(), key=lambda y: y.node.recorded if y.node else 0)  # a leaf was there before
    if targets is None:  # every path ends at a leaf
        return order, set(found)
    reaches: set[int] = set()
    for y in order:
        if id(y) in targets or any([id(a) in reaches for a in (y.node and y.node.args) or ()]):  # noqa: C419
            reaches.add(id(y))
    return [y for y in order if id(y) in reaches], reaches


def _fit(h: Any, a: Traced, primitive: Primitive[...], position: int) -> Any:
    """Undo broadcasting: sum a gradient over the axes along which its input was repeated, and match its dtype."""
    shape, dtype = a.array.shape, a.array.dtype
    if isinstance(h, np.ndarray) and h.shape == shape and h.dtype is dtype:  # as it nearly always is
        return h
    received: Any = getattr(value(h), "shape", None)
    if received != shape:
        extra = -1 if received is None else len(received) - len(shape)
        if extra < 0 or any(n not in (1, m) for n, m in zip(shape, received[extra:], strict=True)):
            what = repr(h) if received is None else f"shape {received}"
            raise ValueError(
                f"{primitive.name}: the rule for its input {position} must return a gradient of that input's shape "
                f"{shape}, or of a shape broadcast from it; received {what}"
            )
        stretched = (i for i, n in enumerate(received) if i < extra or n != shape[i - extra])
        if dtype.char == "e" and isinstance(h, np.ndarray):
            h = h.astype("float32")  # in which sums of float16 are added
        h = h.sum(axis=tuple(stretched), keepdims=True).reshape(shape)
    return h if value(h).dtype == dtype else converted(h, value(h).dtype, dtype, primitive.name, position)


def _hooked(y: Traced, g: Any, fresh: bool) -> tuple[Any, bool]:
    """Pass a value's gradient through its hooks, each of which may replace it."""
    seen = g if isinstance(g, Traced) else type(y).wrap(g if fresh else g.copy())
    for hook in list((y.hooks or {}).values()):
        new = hook(seen)
        if new is None:
            continue
        if not isinstance(new, Traced) or _kind(new) != _kind(y):
            received = f" of shape {new.array.shape} and {new.array.dtype}" if isinstance(new, Traced) else ""
            raise TypeError(
                f"register_hook: a hook must return None or a Tensor of the gradient's shape {y.array.shape} and "
                f"{y.array.dtype}; received {type(new).__name__}{received}"
            )
        seen = new
    return (seen if isinstance(g, Traced) else seen.array), False  # a hook may have kept it


def _written_since(moment: int, values: tuple[Any, ...]) -> list[int]:
    """The positions of the values that were written to since a moment."""
    written = []
    for index, a in enumerate(values):
        if isinstance(a, Traced) and a.memory is not None:
            a.memory.look()
            if a.memory.written > moment:
                written.append(index)
    return written


def _refuse_writes(node: Node, values: tuple[Any, ...], written: list[int], position: int, reads: Reads) -> None:
    """Raise if the rule is about to read one of the values that were written to since they were recorded."""
    for index in written:
        if reads[min(index, len(reads) - 1)]:
            what = "its result" if index == 0 else f"its input {index - 1}"
            raise RuntimeError(
                f"{node.primitive.name}: {what} (shape {values[index].array.shape}) was written to between the forward "
                f"and the backward pass, and the gradient by input {position} needs what it held; write after "
                "backward(), or compute on a copy()"
            )
