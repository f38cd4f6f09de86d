"""The rules of a primitive, and how a ``with`` block replaces one.

A *fused* primitive computes a composition of others, its parts, in fewer passes over memory, and has rules of its own
that are as fast. It also names that composition. If a rule of a part is replaced, the engine differentiates the
composition instead, so a new rule of ``relu`` reaches every layer that ends with one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any
from weakref import WeakSet

from tensorgrad.checks import check_rule
from tensorgrad.recording import Switch
from tensorgrad.signatures import parameters

__all__ = ["Overrides", "Reads", "Rule", "Ruled", "any_replaced", "override_rule"]

Rule = Callable[..., Any]
Reads = tuple[bool, ...]  # for y and each input, whether a rule reads the value; the last holds for all from there on
Overrides = Mapping[tuple["Ruled", int], tuple[Rule | None, Reads]]  # by primitive and position

_overrides: ContextVar[Overrides] = ContextVar("tensorgrad_overrides", default=MappingProxyType({}))
_replaced: WeakSet[Ruled] = WeakSet()  # those whose rules were set again, to others than the first


class Ruled:
    """A function on arrays with one rule per input. Data is positional; metadata is keyword, and has no defaults.

    A rule names the values that it reads. An argument whose name begins with an underscore is there for its shape and
    dtype only: it may be written to between the forward and the backward pass, or be freed and replaced by NaN.
    """

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.forward = forward
        self.name = forward.__name__
        self.__doc__ = forward.__doc__
        self.__module__ = forward.__module__
        self.last_step: Rule | None = None
        self.last_step_in_place: Callable[..., bool] | None = None
        self.together: Callable[..., tuple[Any, ...]] | None = None
        self.definition: Callable[..., Any] | None = None
        self.parts: Callable[..., tuple[Ruled, ...]] = lambda **_: ()
        self._rules: tuple[Rule | None, ...] = ()
        self._first_rules: tuple[Rule | None, ...] = ()
        self._rule_for_each: tuple[Rule, Reads] | None = None
        self._with_reads: tuple[tuple[Rule | None, Reads], ...] = ()
        self._kept: dict[tuple[int, int], tuple[bool, frozenset[int]]] = {}
        self.rereads_result = False  # whether rules read the result, beside that of the last step

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    @cached_property
    def arguments(self) -> tuple[list[str], list[str]]:
        """The names of its inputs, and of its metadata."""
        return parameters(self.forward)

    @property
    def is_variadic(self) -> bool:
        """Whether it takes any number of inputs, all with the same rule."""
        return self._rule_for_each is not None

    def rules(self, *rules: Rule | None) -> None:
        """Set one rule ``(g, y, *inputs, **params)`` per input; None for an input whose gradient is zero.

        Rules that are set again replace the former ones for good and everywhere; :func:`override_rule` replaces one
        for a while.
        """
        inputs, metadata = self.arguments
        if len(rules) != len(inputs):
            raise TypeError(
                f"{self.name}: it has {len(inputs)} inputs, but received {len(rules)} rules; "
                "give one for each input, None where the gradient is zero"
            )
        for position, rule in enumerate(rules):
            if rule is not None:
                check_rule(self.name, position, rule, ("g", "y", *inputs), metadata)
        self._first_rules = self._first_rules or rules
        (_replaced.discard if rules == self._first_rules else _replaced.add)(self)
        self._rules = rules
        self._note_reads()

    def rule_for_each(self, rule: Rule) -> None:
        """Set one rule ``(position, g, y, *inputs, **params)`` for a primitive of any number of inputs."""
        self._rule_for_each = rule, _reads(rule, skip=2)
        self._kept.clear()

    def ends_with(self, rule: Rule, in_place: Callable[..., bool] | None = None) -> None:
        """Set the rule ``(g, y, *inputs, **params)`` of a last step, as an activation: the others get its result.

        ``in_place(g, y, **params)`` may write that over a gradient which nothing else refers to. It returns whether it
        did. The walk asks it first, where rules are as ever and gradients are not recorded.
        """
        inputs, metadata = self.arguments
        check_rule(self.name, 0, rule, ("g", "y", *inputs), metadata)
        self.last_step, self.last_step_in_place = rule, in_place
        self._note_reads()

    def at_once(self, function: Callable[..., tuple[Any, ...]]) -> None:
        """Set a function ``(g, y, *inputs, **params)`` on arrays that returns the gradients of all inputs.

        It computes what the rules do, and shares the work that is theirs in common. The walk asks it where all inputs
        want a gradient, none of the rules is replaced, and the gradients are not recorded.
        """
        inputs, metadata = self.arguments
        check_rule(self.name, 0, function, ("g", "y", *inputs), metadata)
        self.together = function
        self._note_reads()

    def stands_for(self, definition: Callable[..., Any], parts: Callable[..., tuple[Ruled, ...]]) -> None:
        """Set the composition ``(*inputs, **params)`` that a fused primitive computes.

        ``parts(**params)`` are the primitives that it consists of. When a rule of one of them is replaced, gradients
        are those of the composition.
        """
        self.definition = definition
        self.parts = parts

    def rule(self, position: int) -> tuple[Rule | None, Reads]:
        """The rule for the input at ``position``, and whether it reads ``y`` and each of the inputs."""
        overrides = _overrides.get()
        if overrides and (self, position) in overrides:
            return overrides[self, position]
        return self._lasting_rule(position)

    def _lasting_rule(self, position: int) -> tuple[Rule | None, Reads]:
        if self._rule_for_each is not None:
            rule, reads = self._rule_for_each
            return partial(rule, position), reads
        if position >= len(self._with_reads):
            raise NotImplementedError(
                f"{self.name}: its input {position} has no rule; give it one with {self.name}.rules(...)"
            )
        return self._with_reads[position]

    def kept(self, wanted: int, count: int) -> tuple[bool, frozenset[int]]:
        """What a record of it keeps: whether the result, and which of its ``count`` inputs it does not keep.

        Bit i of ``wanted`` tells whether there is a gradient by input i; what no rule for those inputs reads is not
        kept. A fused primitive keeps all inputs, since the gradients may be those of its composition.
        """
        overrides = _overrides.get()
        known = None if overrides else self._kept.get((wanted, count))
        if known is not None:
            return known
        if not (self._rule_for_each or self._with_reads):
            return True, frozenset()
        positions = [i for i in range(count) if wanted >> i & 1]
        all_reads = [self._lasting_rule(i)[1] for i in positions]  # the walk may be outside of what overrides them
        all_reads += [_reads(self._first_rules[i], skip=1) for i in positions if i < len(self._first_rules)]
        all_reads += [overrides[self, i][1] for i in positions if (self, i) in overrides]
        all_reads.append(_reads(self.together, skip=1))
        read = [any(reads[min(i, len(reads) - 1)] for reads in all_reads if reads) for i in range(1 + count)]
        unread = () if self.definition else (i for i, is_read in enumerate(read[1:]) if not is_read)
        kept = read[0] or self.last_step is not None, frozenset(unread)
        if not overrides:
            self._kept[wanted, count] = kept
        return kept

    def has_a_new_part(self, params: Mapping[str, Any]) -> bool:
        """Whether a rule of one of its parts was replaced, and none of its own."""
        if self.definition is None:
            return False
        new = _with_new_rules()
        return self not in new and not new.isdisjoint(self.parts(**params))

    def is_new(self) -> bool:
        """Whether a rule of its own was replaced."""
        return self in _with_new_rules()

    def _note_reads(self) -> None:
        """Note what each rule reads: its own named arguments and those of the last step."""
        self._kept.clear()
        self.rereads_result = any(_reads(rule, skip=1)[:1] == (True,) for rule in (*self._rules, self.together))
        count = 1 + len(self.arguments[0])
        last = _reads(self.last_step, skip=1)
        reads = []
        for own in (_reads(rule, skip=1) for rule in self._rules):
            each = (own[min(i, len(own) - 1)] or (last and last[min(i, len(last) - 1)]) for i in range(count))
            reads.append(tuple(map(bool, each)) if own else ())
        self._with_reads = tuple(zip(self._rules, reads, strict=True))


def override_rule(primitive: Ruled, position: int, rule: Rule | None) -> Switch[Overrides]:
    """Replace the gradient rule of a primitive inside a ``with`` block, or in a decorated function.

    The call that computes gradients, ``backward()`` or ``grad()``, must be inside; so must the forward pass if the rule
    reads a value that the former one does not, since a large value that no rule reads is not kept. The rule holds
    wherever the primitive occurs, also inside fused ones: a rule of ``ops.relu`` changes every layer with a relu, a
    rule of ``ops.conv2d`` every convolutional layer. Blocks nest, and the innermost wins; the former rule returns at
    the end, also after an exception. Like :func:`tensorgrad.no_grad`, it holds for one thread or asyncio task.

    Parameters
    ----------
    primitive : Primitive
        One from ``tensorgrad.ops``, or your own.
    position : int
        The position of the input whose gradient the rule computes.
    rule : callable or None
        ``rule(g, y, *inputs, **params)``, from arrays to an array of the input's shape (tensors with
        ``create_graph=True``); None if the gradient is to be zero.

    Raises
    ------
    ValueError
        If the primitive has no such input.
    TypeError
        If the rule cannot be called with what the primitive has.

    Examples
    --------
    Guided backpropagation: what is negative does not pass a relu on its way back.

    >>> import tensorgrad as tg
    >>> x = tg.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    >>> with tg.override_rule(tg.ops.relu, 0, lambda g, y, _x: g * (g > 0) * (y > 0)):
    ...     (tg.relu(x) * [1.0, 1.0, -1.0]).sum().backward()
    >>> (x.grad > 0).tolist()
    [False, True, False]
    """
    if not isinstance(primitive, Ruled):
        raise TypeError(f"override_rule: expected a primitive such as tensorgrad.ops.relu, received {primitive!r}")
    inputs, metadata = primitive.arguments
    most = None if primitive.is_variadic else len(inputs) - 1
    if not isinstance(position, int) or position < 0 or (most is not None and position > most):
        expected = "of at least 0" if most is None else f"from 0 to {most}"
        raise ValueError(
            f"override_rule: {primitive.name} has the inputs {', '.join(inputs)}; expected a position {expected}, "
            f"received {position!r}"
        )
    if rule is not None:
        check_rule(primitive.name, position, rule, ("g", "y", *inputs), metadata)
    return _Overriding(_overrides, {(primitive, position): (rule, _reads(rule, skip=1))})


class _Overriding(Switch[Overrides]):
    """Rules that are added to those which are overridden outside."""

    def _inside(self, former: Overrides) -> Overrides:
        return {**former, **self._value}


def _with_new_rules() -> WeakSet[Ruled]:
    """The primitives of which a rule is replaced now."""
    return _replaced.union(primitive for primitive, _ in _overrides.get())


def any_replaced() -> bool:
    """Whether the rule of any primitive is replaced now."""
    return bool(_overrides.get() or _replaced)


def _reads(rule: Rule | None, skip: int) -> Reads:
    """Tell, for ``y`` and each input of a rule, whether it reads the value, or only the shape and dtype."""
    if rule is None:
        return ()
    names, _ = parameters(rule)
    return tuple(not name.startswith("_") for name in names[skip:] or names[-1:])
