"""The numbers that an optimizer is set up with, each declared once, with its range, in the optimizer's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, overload

T = TypeVar("T")


class HasSettings(Protocol):
    """An optimizer, as its settings see it."""

    values: dict[str, Any]  # each setting's value, by its name


class Setting(Generic[T]):
    """An attribute of an optimizer that is checked whenever it is set, saved with it, and may differ by group.

    Parameters
    ----------
    check : callable
        ``check(value, where, name)`` returns the value as it is kept, or raises: one of those in
        :mod:`tensorgrad.optim.arguments`, such as ``number`` (at least 0), ``positive``, ``share`` (at least 0 and
        less than 1), or :func:`tensorgrad.checks.flag`.

    """

    def __init__(self, check: Callable[[Any, str, str], T]) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, optimizer: None, owner: type) -> Self: ...
    @overload
    def __get__(self, optimizer: HasSettings, owner: type) -> T: ...

    def __get__(self, optimizer: HasSettings | None, owner: type) -> T | Self:
        if optimizer is None:
            return self
        value: T = optimizer.values[self.name]
        return value

    def __set__(self, optimizer: HasSettings, value: T) -> None:
        optimizer.values[self.name] = self.check(value, type(optimizer).__name__, self.name)
