"""Insight: where the first NaN or infinity came from, and the graph as text to draw.

>>> import tensorgrad
>>> x = tensorgrad.tensor([4.0, -1.0], requires_grad=True)
>>> with detect_anomaly():
...     tensorgrad.sqrt(x)
Traceback (most recent call last):
    ...
tensorgrad.debug.AnomalyError: sqrt: the first NaN or infinity appeared in its result: 1 of 2 elements, at (1,), is \
nan; all of its inputs are finite (computed at <doctest tensorgrad.debug[2]>:2)
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tensorgrad import engine

__all__ = ["AnomalyError", "Drawable", "detect_anomaly", "mermaid_text", "to_dot", "to_mermaid"]

_PACKAGE = os.path.dirname(os.path.realpath(__file__))
_BESIDE = os.path.dirname(_PACKAGE)
_OURS = tuple(
    os.path.join(folder, "") for folder in (_PACKAGE, *(os.path.join(_BESIDE, name) for name in ("layers", "optim")))
)


class AnomalyError(FloatingPointError):
    """A NaN or an infinity appeared."""


@contextmanager
def detect_anomaly(infinities: bool = True) -> Iterator[None]:
    """Raise where the first NaN or infinity appears, in a forward or backward pass, and say where.

    It examines every value, so it is slow: use it to find a fault, not to train.

    Parameters
    ----------
    infinities : bool
        Whether an infinity is an anomaly too. Pass False where infinities are meant, as in a mask before softmax.

    Raises
    ------
    AnomalyError
        Names the operation, the number of elements that are not finite, the first of them, and the line of your
        program that called the operation, even if the operation's gradient is what is not finite.

    """
    with engine.watch(_Anomalies(infinities)), np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        yield


class _Anomalies:
    """The watcher behind :func:`detect_anomaly`."""

    def __init__(self, infinities: bool) -> None:
        self.infinities = infinities

    def bad(self, array: Any) -> Any:
        """A mask of the elements that are not finite; None if there are none."""
        if array.dtype.kind not in "fc":
            return None
        found = ~np.isfinite(array) if self.infinities else np.isnan(array)
        return found if found.any() else None

    def said(self, array: Any, found: Any) -> str:
        places = np.argwhere(found)
        first = tuple(int(i) for i in places[0])
        which = f"at {first}, is" if len(places) == 1 else f"the first at {first}, are not finite; that one is"
        return f"{len(places)} of {array.size} elements, {which} {np.asarray(array)[first]}"

    def computed(self, y: engine.Traced, node: engine.Node, arrays: Sequence[Any]) -> None:
        node.note = _callers_line()
        found = self.bad(y.array)
        if found is None:
            return
        inputs = map(np.asarray, arrays)
        sick = [f"its input {i} has them already" for i, a in enumerate(inputs) if self.bad(a) is not None]
        raise AnomalyError(
            f"{node.primitive.name}: the first NaN or infinity appeared in its result: {self.said(y.array, found)}; "
            f"{' and '.join(sick) or 'all of its inputs are finite'} (computed at {node.note})"
        )

    def differentiated(self, gradient: Any, node: engine.Node, position: int) -> None:
        array = engine.value(gradient)
        found = self.bad(array)
        if found is not None:
            raise AnomalyError(
                f"{node.primitive.name}: the first NaN or infinity on the way back appeared in the gradient by its "
                f"input {position}: {self.said(array, found)} "
                f"(the operation was computed {'at ' + node.note if node.note else 'before detect_anomaly()'})"
            )


def _callers_line() -> str:
    """The line of the user's program that called into this library."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and os.path.normpath(frame.f_code.co_filename).startswith(_OURS):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    source = linecache.getline(name, number).strip() if not name.startswith("<") else ""
    return f"{name}:{number}" + (f": {source}" if source else "")


@runtime_checkable
class Drawable(Protocol):
    """Anything with a chart of its own, such as a model."""

    def to_mermaid(self) -> str:
        """The chart in Mermaid's language."""


def to_mermaid(output: engine.Traced | Drawable, names: Mapping[str, engine.Traced] | None = None) -> str:
    """The graph behind a value as a Mermaid flow chart, which GitHub and Jupyter draw; or the layers of a model.

    Parameters
    ----------
    output : Tensor, or a model
        A tensor needs a recorded graph that no backward pass has freed yet.
    names : dict from str to Tensor, optional
        Names for values, such as a layer's parameters.

    Examples
    --------
    >>> from tensorgrad import tensor
    >>> w = tensor([1.0, 2.0], requires_grad=True)
    >>> print(to_mermaid((w * w).sum(), {"w": w}))
    graph TD
        n0(["w<br/>(2,)"])
        n1["mul<br/>(2,)"]
        n2["total<br/>()"]
        n0 --> n1
        n0 --> n1
        n1 --> n2

    """
    if isinstance(output, Drawable):
        return output.to_mermaid()
    values, edges = _graph(output, "to_mermaid")
    lines = ["graph TD"]
    for i, t in enumerate(values):
        label = "<br/>".join(map(mermaid_text, _label(t, names)))
        lines.append(f'    n{i}["{label}"]' if isinstance(t, engine.Node) else f'    n{i}(["{label}"])')
    return "\n".join(lines + [f"    n{a} --> n{b}" for a, b in edges])


def to_dot(output: engine.Traced, names: Mapping[str, engine.Traced] | None = None) -> str:
    """The graph behind a value in Graphviz's language; takes what :func:`to_mermaid` takes, except models."""
    values, edges = _graph(output, "to_dot")
    lines = ["digraph {"]
    for i, t in enumerate(values):
        label = "\\n".join(map(_dot_text, _label(t, names)))
        lines.append(f'    n{i} [label="{label}", shape={"box" if isinstance(t, engine.Node) else "ellipse"}];')
    return "\n".join([*lines, *(f"    n{a} -> n{b};" for a, b in edges), "}"])


def mermaid_text(text: str) -> str:
    """Text escaped for the quotes of a Mermaid label."""
    codes = {"#": "#35;", "&": "#38;", "<": "#lt;", ">": "#gt;", '"': "#quot;"}
    return "<br/>".join("".join(codes.get(c, c) for c in line) for line in text.splitlines())


def _dot_text(text: str) -> str:
    """Text escaped for the quotes of a Graphviz label."""
    return "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines())


def _label(t: engine.Node | engine.Traced, names: Mapping[str, engine.Traced] | None) -> list[str]:
    """The lines of a value's box: what it is, its shape, and whether its graph was freed."""
    name = next((name for name, named in (names or {}).items() if engine.origin(named) is t), None)
    if not isinstance(t, engine.Node):
        return [name or ("leaf" if t.needs_grad else "constant"), str(t.array.shape)]
    kind = t.primitive.name if name is None else f"{name} = {t.primitive.name}"
    return [kind, str(t.shape), *(["its graph was freed"] if t.args is None else [])]


def _graph(output: engine.Traced, owner: str) -> tuple[list[engine.Node | engine.Traced], list[tuple[int, int]]]:
    """The values that an output was computed from, inputs before results, and the edges between them."""
    if not isinstance(output, engine.Traced):
        raise TypeError(
            f"{owner}: expected a tensor whose graph was recorded, received {type(output).__name__}; "
            "tensorgrad.inspection.to_mermaid draws the layers of a model"
        )
    number: dict[int, int] = {}
    values: list[engine.Node | engine.Traced] = []
    edges: list[tuple[int, int]] = []
    stack: list[tuple[engine.Node | engine.Traced, bool]] = [(engine.origin(output), False)]
    while stack:
        y, inputs_done = stack.pop()
        inputs = _inputs(y)
        if inputs_done and id(y) not in number:
            number[id(y)] = len(values)
            values.append(y)
            edges.extend((number[id(a)], number[id(y)]) for a in inputs)
        elif id(y) not in number:
            stack.append((y, True))
            stack.extend((a, False) for a in reversed(inputs))
    return values, edges


def _inputs(y: engine.Node | engine.Traced) -> list[engine.Node | engine.Traced]:
    """The traced values that a value was computed from, by their nodes, where they have some; none for a leaf."""
    if not isinstance(y, engine.Node):
        return []
    inputs = (engine.origin(a) if isinstance(a, engine.Traced) else a for a in y.args or ())
    return [a for a in inputs if isinstance(a, engine.Node | engine.Traced)]
