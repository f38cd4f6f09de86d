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

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from operator import add, iadd
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

import numpy as np

from tensorgrad.checks import converted, explained
from tensorgrad.graph import SMALL, Hook, Node, Traced, goal_of, memory, origin, value, wrote
from tensorgrad.recording import Switch, no_grad, recording, set_recording
from tensorgrad.rules import Reads, Rule, Ruled, any_replaced
from tensorgrad.writes import is_view

__all__ = [
    "Node", "Primitive", "Traced", "Watcher", "backward", "gradients", "memory", "no_grad", "origin", "primitive",
    "recording", "set_recording", "value", "watch", "watcher", "wrote",
]  # fmt: skip

V = TypeVar("V")
P = ParamSpec("P")

_watcher: ContextVar[Watcher | None] = ContextVar("tensorgrad_watcher", default=None)


class Watcher(Protocol):
    """Learns of every value as it is computed (see :mod:`tensorgrad.debug`)."""

    def computed(self, y: Traced, node: Node, arrays: Sequence[Any]) -> None:
        """``y`` was computed of ``arrays`` as ``node`` says, whether that was recorded or not."""

    def differentiated(self, gradient: Any, node: Node, position: int) -> None:
        """The rule of ``node`` for the input at ``position`` returned ``gradient``."""


class Primitive(Ruled, Generic[P]):
    """A NumPy function and its rules. Data is positional; metadata is keyword, and has no defaults."""

    def __call__(self, first: V, *rest: P.args, **params: P.kwargs) -> V:
        """Apply to arrays or traced values; the result is of the same kind."""
        args = (first, *rest)
        kind: Any = None
        arrays: list[Any] = []
        needs_grad = large = False
        for a in args:
            if isinstance(a, Traced):
                kind = type(a)
                array = a.array
                arrays.append(array)
                if a.needs_grad:
                    needs_grad = True
                    large = large or array.nbytes >= SMALL
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
            node = Node(self, args, params, out, large)
            if recorded:
                out.needs_grad = True
                out.node = node
            if watcher is not None:
                watcher.computed(out, node, arrays)
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
            view.memory = a.memory or memory(a)
            return


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
    kind = type(output)
    targets = None if wanted is None else {id(origin(t)): t for t in wanted}
    order, reaches = _paths(origin(output), targets)
    # A gradient that no one else holds (`fresh`) is added to in place; before that, the sum makes a new array.
    pending: dict[int, tuple[Any, bool]] = {id(origin(output)): (seed, False)}
    found: list[tuple[Any, Any, bool]] = []
    watcher = _watcher.get()
    replaced = any_replaced()
    with set_recording(create_graph):
        while order:
            node = order.pop()  # so that it, and what only it holds, is freed as soon as it has been passed
            leaf = node if isinstance(node, Traced) else None
            target = leaf if targets is None else targets.get(id(node))
            if id(node) not in pending:  # every rule on the way to it was None: its gradient is zero
                if target is not None:
                    zero = np.zeros_like(target.array)
                    found.append((target, kind.wrap(zero) if create_graph else zero, True))
                continue
            g, fresh = pending.pop(id(node))
            if node.hooks:
                g, fresh = _hooked(node.hooks, kind, g, fresh)
            if target is not None:
                found.append((target, g, fresh))
            if isinstance(node, Traced) or node.args is None:  # a leaf, or nothing wanted is behind it
                continue
            primitive, params = node.primitive, node.params
            goals, arrays, unreadable = node.recall()
            values = node.values(kind) if create_graph else arrays
            if replaced:  # by rules that may read what the recorded ones do not
                unreadable += node.absent()
            given: list[tuple[Rule | None, Reads]] | None = None
            if replaced and primitive.has_a_new_part(params):
                given = _through_parts(node, goals, kind, g, create_graph)
            else:
                if primitive.last_step is not None:
                    once = not (create_graph or replaced)
                    in_place = primitive.last_step_in_place if once and fresh and target is None else None
                    if not (in_place and in_place(g, values[0], **params)):  # nobody would miss g
                        g = primitive.last_step(g, *values, **params)
                    if once and not (retain_graph or primitive.rereads_result or unreadable):
                        node.args = node.result = None  # so that its memory can be used again for the gradients
                        values[0] = g  # its shape and dtype are those of the result
                together = primitive.together
                if replaced and primitive.is_new():
                    together = None
                if together and not create_graph and all([id(goal) in reaches for goal in goals]):  # noqa: C419
                    products = together(g, *values, **params)
                    given = [(_constant(h), primitive.rule(i)[1]) for i, h in enumerate(products)]
            for position, goal in enumerate(goals):
                if id(goal) not in reaches:
                    continue
                rule, reads = given[position] if given else primitive.rule(position)
                if rule is None:
                    continue
                if unreadable:
                    node.check(unreadable, position, reads)
                try:
                    h = rule(g, *values, **params)
                except Exception as error:
                    error.add_note(f"in the rule of {primitive.name} for its input {position}")
                    raise
                h = _fit(h, arrays[1 + position], primitive, position)
                if isinstance(h, Traced) is not create_graph:  # a rule may call public functions, which give tensors
                    h = kind.wrap(h) if create_graph else h.array
                if watcher is not None:
                    watcher.differentiated(h, node, position)
                if id(goal) not in pending:
                    ours = h is not g and not create_graph and not is_view(h)
                    pending[id(goal)] = h, ours and id(h) not in map(id, arrays)
                    continue
                total, ours = pending[id(goal)]
                plus: Rule = iadd if ours and isinstance(total, np.ndarray) else add
                pending[id(goal)] = plus(total, h), not create_graph
            if not retain_graph:
                node.args = node.result = None
            goal = h = total = rule = given = None  # nothing of this step may outlive it
            del goals, arrays, values, node, g
    return found


def _through_parts(
    node: Node, goals: list[Node | Traced | None], kind: type[Traced], g: Any, create_graph: bool
) -> list[tuple[Rule | None, Reads]]:
    """Rules for a fused primitive, one per input, that differentiate the composition it stands for."""
    inputs = []
    for a, goal in zip(node.args or (), goals, strict=True):
        t = kind.wrap(value(a))
        t.needs_grad = goal is not None
        if t.needs_grad and create_graph:  # the same value, of which the walk ends here and the graph goes on
            t.node = Node(_same, (a,), {}, t, True)
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


def _paths(output: Node | Traced, targets: Mapping[int, Traced] | None) -> tuple[list[Node | Traced], set[int]]:
    """The nodes and leaves on a path from ``output`` to a target, in the order of their recording, and their ids.

    Inputs come before results, since they were recorded before them.
    """
    found: dict[int, Node | Traced] = {id(output): output}
    stack = [output] if isinstance(output, Node) else []
    while stack:
        node = stack.pop()
        if node.args is None and (targets is None or id(node) not in targets):
            raise RuntimeError(
                f"backward: the graph behind the result of {node.primitive.name} was freed by an earlier walk "
                "over it; pass retain_graph=True to that walk to go over the graph again"
            )
        for a in node.args or ():
            goal = goal_of(a)
            if goal is not None and id(goal) not in found:
                found[id(goal)] = goal
                if isinstance(goal, Node):
                    stack.append(goal)
    order = sorted(found.values(), key=lambda goal: goal.recorded if isinstance(goal, Node) else 0)
    if targets is None:  # every path ends at a leaf
        return order, set(found)
    reaches: set[int] = set()
    for goal in order:
        args = (goal.args or ()) if isinstance(goal, Node) else ()
        if id(goal) in targets or any([id(goal_of(a)) in reaches for a in args]):  # noqa: C419
            reaches.add(id(goal))
    return [goal for goal in order if id(goal) in reaches], reaches


def _fit(h: Any, x: Any, primitive: Ruled, position: int) -> Any:
    """Undo broadcasting: sum a gradient over the axes along which its input was repeated, and match its dtype."""
    shape, dtype = x.shape, x.dtype
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


def _hooked(hooks: dict[int, Hook], kind: type[Traced], g: Any, fresh: bool) -> tuple[Any, bool]:
    """Pass a value's gradient through its hooks, each of which may replace it."""
    seen = g if isinstance(g, Traced) else kind.wrap(g if fresh else g.copy())
    for hook in list(hooks.values()):
        new = hook(seen)
        if new is None:
            continue
        if not isinstance(new, Traced) or _kind(new) != _kind(seen):
            received = f" of shape {new.array.shape} and {new.array.dtype}" if isinstance(new, Traced) else ""
            raise TypeError(
                f"register_hook: a hook must return None or a Tensor of the gradient's shape {seen.array.shape} and "
                f"{seen.array.dtype}; received {type(new).__name__}{received}"
            )
        seen = new
    return (seen if isinstance(g, Traced) else seen.array), False  # a hook may have kept it
