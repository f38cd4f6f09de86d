"""Attributes that may be set. Setting one that would never be read raises, and the message names the right one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar, overload

from tensorgrad.vocabulary import did_you_mean, find, instead, speaks

__all__ = ["Checked", "Closed", "Foreign", "is_descriptor", "is_ours"]

T = TypeVar("T")


class Foreign:
    """An attribute of other libraries that an object here does not have; setting it raises and names ours."""

    def __init__(self, advice: str) -> None:
        self.advice = advice
        self.names: list[str] = []

    def __set_name__(self, owner: type, name: str) -> None:
        self.names.append(name)

    def __get__(self, instance: object, owner: type) -> Any:
        if instance is None:
            return self
        raise AttributeError(f"{type(instance).__name__} has no {self._name()}; {self.advice}")

    def __set__(self, instance: object, value: Any) -> None:
        raise AttributeError(f"{type(instance).__name__} has no {self._name()}; {self.advice}")

    def _name(self) -> str:
        return " or ".join(map(repr, self.names))


class Checked(Generic[T]):
    """An attribute that is checked whenever it is set.

    Parameters
    ----------
    check : callable
        ``check(owner, value)`` returns the value as it is kept, or raises.
    *default
        Its value before it is set; without one, reading it first raises.
    """

    def __init__(self, check: Callable[[Any, Any], T], *default: T) -> None:
        self.check = check
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object, owner: type) -> T | Self:
        if instance is None:
            return self
        kept: dict[str, T] = vars(instance)
        if self.name in kept:
            return kept[self.name]
        if self.default:
            return self.default[0]
        raise AttributeError(f"{owner.__name__} has no {self.name!r} yet")

    def __set__(self, instance: object, value: T) -> None:
        vars(instance)[self.name] = self.check(instance, value)


class Closed:
    """Refuses public attributes that it would never read.

    Objects of this library's own classes are closed after construction. Names with a leading underscore are always
    allowed, and in users' subclasses all names are.
    """

    arguments_of: ClassVar[tuple[str, ...]] = ()  # methods whose arguments are taken for attributes
    fixed: ClassVar[Mapping[str, str]] = {}  # attributes that cannot be set, and what to do instead
    _closed: bool = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in vars(cls):  # so that it takes other libraries' words, and says which it knows
            speaking = speaks()(cls.__init__)
            cls.__init__ = _closing(speaking) if is_ours(cls) else speaking  # type: ignore[method-assign]

    def __setattr__(self, name: str, value: Any) -> None:
        if self._closed and not name.startswith("_"):
            self.check_attribute(name, value)
        object.__setattr__(self, name, value)

    def check_attribute(self, name: str, value: Any) -> None:
        """Raise an AttributeError if an attribute of that name would never be read, or cannot have the value."""
        kind = type(self)
        found = getattr(kind, name, None)
        if name in self.fixed:
            self._refuse(f"{name} cannot be set; {self.fixed[name]}")
        if isinstance(found, property) and found.fset is None:
            self._refuse(f"{name} cannot be set, it follows from the rest")
        if found is not None and inspect.isroutine(found) and not callable(value):
            word = find(name, *(base.__name__ for base in kind.__mro__))
            remedy = instead(word) if word else f"call it: {name}(...)"
            self._refuse(f"{name} is a method, received {value!r:.60} in its place; {remedy}")
        if found is None and not hasattr(kind, name) and name not in vars(self) and not _is_annotated(kind, name):
            self._refuse(f"nobody would read {name!r}; {self._advice(name)}")

    def _refuse(self, why: str) -> NoReturn:
        raise AttributeError(f"{getattr(self, 'title', type(self).__name__)}: {why}")

    def _advice(self, name: str) -> str:
        """What to write instead of setting an unknown attribute."""
        for method in self.arguments_of:
            if name in inspect.signature(getattr(type(self), method)).parameters:
                return f"it is an argument: {method}({name}=...)"
            word = find(name, method)
            if word:
                return f"{instead(word)}, an argument of {method}"
        word = find(name, *(kind.__name__ for kind in type(self).__mro__))
        if word:
            return instead(word)
        known = [each for each in (*vars(self), *dir(type(self))) if not each.startswith("_")]
        near = did_you_mean(name, known).removeprefix("; ")
        return near or "what is yours may have a name that begins with _, or be an attribute of a subclass of yours"


def is_descriptor(kind: type, name: str) -> bool:
    """Whether setting the attribute calls code of the class."""
    return hasattr(type(inspect.getattr_static(kind, name, None)), "__set__")


def is_ours(kind: type) -> bool:
    """Whether a class is of this library."""
    return kind.__module__.partition(".")[0] == "tensorgrad"


def _is_annotated(kind: type, name: str) -> bool:
    return any(name in inspect.get_annotations(base) for base in kind.__mro__)


def _closing(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor that closes the new object, unless it is of a user's subclass."""

    @wraps(init)
    def closing(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self).__init__ is closing and is_ours(type(self)):  # not yet in the constructor of a base
            vars(self)["_closed"] = True

    return closing
