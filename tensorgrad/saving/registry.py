"""The registry: which names in a file stand for which classes. Nothing else is ever made from a file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, TypeVar, overload

from tensorgrad import layers, optim
from tensorgrad.layers import Layer
from tensorgrad.optim import Optimizer
from tensorgrad.saving.errors import ModelFileError

Kind = TypeVar("Kind", bound=type[Any])


def category(kind: Any) -> str | None:
    """Whether a class is a layer, an optimizer or a schedule; None if files cannot hold its objects."""
    if not isinstance(kind, type) or kind in (Layer, Optimizer):
        return None
    if issubclass(kind, Layer):
        return "layer"
    if issubclass(kind, Optimizer):
        return "optimizer"
    return "schedule" if is_dataclass(kind) and "__call__" in vars(kind) else None


_kinds: dict[str, type[Any]] = {
    name: kind
    for module in (layers, optim)
    for name, kind in vars(module).items()
    if category(kind) in ("layer", "schedule")
}
_ours = frozenset({*_kinds, *optim.OPTIMIZERS})
_later: dict[str, str] = {}  # by name, the modules that register a class when they are imported


def _known() -> dict[str, type[Any]]:
    """All registered classes; an optimizer is registered by its definition."""
    return {**_kinds, **optim.OPTIMIZERS}


def register_later(name: str, module: str) -> None:
    """Note which module of ours registers a name, so that it is imported only once that name is needed."""
    _later[name] = module


def _find(name: str) -> type[Any] | None:
    """The class that is registered under a name."""
    if name in _later:
        importlib.import_module(_later[name])
    return _known().get(name)


@overload
def register(kind: Kind) -> Kind: ...
@overload
def register(*, name: str) -> Callable[[Kind], Kind]: ...


def register(kind: type[Any] | None = None, *, name: str | None = None) -> Any:
    """Let files hold objects of your class: a layer, or a learning-rate schedule that is a dataclass.

    An optimizer needs this only if files are to hold another name than its own ``name``.

    A file holds only the class's name, so a program must register the class before it loads the file. The constructor
    receives the arguments that are in the file, whatever they are.

    Parameters
    ----------
    kind : type
        A subclass of :class:`tensorgrad.layers.Layer` or :class:`tensorgrad.optim.Optimizer`, or a dataclass.
    name : str, optional
        The name in files; by default an optimizer's ``name``, or else the name of the class.

    Returns
    -------
    type
        The same class, so that ``@register`` and ``@register(name="...")`` are decorators.

    Raises
    ------
    ValueError
        If the name already stands for another class.

    Examples
    --------
    >>> from tensorgrad.layers import Layer
    >>> from tensorgrad.saving import register
    >>> @register
    ... class Half(Layer):
    ...     def forward(self, x, training):
    ...         return x / 2
    """
    if kind is None:
        return lambda given: _register(given, name)
    return _register(kind, name)


def _register(kind: type[Any], name: str | None) -> type[Any]:
    if category(kind) is None:
        raise TypeError(
            f"register: expected a subclass of Layer or Optimizer, or a dataclass that can be called, received {kind!r}"
        )
    label = name or (kind.name if issubclass(kind, Optimizer) else kind.__name__)
    known = _find(label)
    if known is not None and known is not kind:
        same = (known.__module__, known.__qualname__) == (kind.__module__, kind.__qualname__)
        if label in _ours or not same:  # a notebook's cell that is run again defines the same class again
            raise ValueError(
                f"register: {label!r} already stands for {known.__module__}.{known.__qualname__}; "
                "give another name: @register(name=...)"
            )
    _kinds[label] = kind
    return kind


def name_of(value: object, what: str) -> str:
    """The name of an object's class in files."""
    kind = type(value)
    for name, known in _known().items():
        if known is kind:
            return name
    advice = "put @tensorgrad.saving.register above the class"
    if category(kind) is None:
        advice = "only layers, optimizers, and schedules that are dataclasses can be in a file"
    raise ValueError(
        f"save: {what} is a {kind.__module__}.{kind.__qualname__}, which is not registered, so the file could not be "
        f"loaded; {advice}"
    )


def kind_of(name: str, wanted: str, where: str) -> type[Any]:
    """The class of a category that a name in a file stands for."""
    kind = _find(name)
    if kind is None or category(kind) != wanted:
        raise ModelFileError(
            f"{where}: unknown {wanted} {name[:60]!r}; if it is a class of yours, register it with "
            "tensorgrad.saving.register before loading; otherwise the file needs a newer tensorgrad"
        )
    return kind
