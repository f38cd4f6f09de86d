"""A setting that holds inside of a ``with`` block or a decorated function, for one thread or asyncio task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, Generic, Protocol, TypeVar

__all__ = [
    "Summing", "Switch", "analytic", "no_grad", "recording", "set_analytic", "set_recording", "set_summing", "summing",
]  # fmt: skip

T = TypeVar("T")


class Summing(Protocol):
    """Those among whom a batch is divided, each of which computes the same on its part of it."""

    def sum(self, *arrays: Any) -> None:
        """Replace each array, of one axis, by its sum over all of them, in one exchange."""


_recording: ContextVar[bool] = ContextVar("tensorgrad_recording", default=True)
recording = _recording.get  # whether operations are recorded in this context
_analytic: ContextVar[bool] = ContextVar("tensorgrad_analytic", default=False)
analytic = _analytic.get  # whether functions are continued into the complex plane, as gradcheck's complex step needs
_summing: ContextVar[Summing | None] = ContextVar("tensorgrad_summing", default=None)
summing = _summing.get  # among whom the batch of this context is divided; None if it is whole


class Switch(Generic[T]):
    """Give a context variable a value while inside, and its former value back at the end, whatever happens."""

    __slots__ = ("_former", "_value", "_variable")

    def __init__(self, variable: ContextVar[T], value: T) -> None:
        self._variable = variable
        self._value = value
        self._former: list[T] = []

    def __enter__(self) -> None:
        former = self._variable.get()
        self._former.append(former)
        self._variable.set(self._inside(former))

    def __exit__(self, *error: object) -> None:
        self._variable.set(self._former.pop())

    def _inside(self, former: T) -> T:
        """The value inside, given the one outside."""
        return self._value

    def _fresh(self) -> Switch[T]:
        return type(self)(self._variable, self._value)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function, a coroutine function or a generator function, which is switched while it runs."""
        if inspect.isasyncgenfunction(function):
            raise TypeError("cannot decorate an asynchronous generator; use a `with` block inside of it")

        @wraps(function)
        def plain(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return function(*args, **kwargs)

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with self._fresh():
                return await function(*args, **kwargs)

        @wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            inner = function(*args, **kwargs)
            resume = partial(next, inner)
            while True:
                try:
                    with self._fresh():
                        item = resume()
                except StopIteration as stop:
                    return stop.value
                try:  # outside of the switch: what runs between two items is not ours
                    resume = partial(inner.send, (yield item))
                except GeneratorExit:
                    with self._fresh():
                        inner.close()
                    raise
                except BaseException as error:
                    resume = partial(inner.throw, error)

        if inspect.iscoroutinefunction(function):
            return coroutine
        return generator if inspect.isgeneratorfunction(function) else plain


def set_recording(value: bool) -> Switch[bool]:
    """Record operations, or do not: a context manager and a decorator; per thread and per asyncio task."""
    return Switch(_recording, value)


def set_analytic(value: bool) -> Switch[bool]:
    """Continue real functions into the complex plane: the square in a norm stays ``x x``, and is not ``|x|^2``."""
    return Switch(_analytic, value)


def set_summing(value: Summing | None) -> Switch[Summing | None]:
    """Let operations on a whole batch add up over all among whom it is divided."""
    return Switch(_summing, value)


def no_grad(function: Callable[..., Any] | None = None) -> Any:
    """Do not record operations. A context manager, ``with no_grad():``, and a decorator, ``@no_grad()``."""
    switch = set_recording(False)
    return switch if function is None else switch(function)
