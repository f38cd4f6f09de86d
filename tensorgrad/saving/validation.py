"""Checks of values from a file. Each raises a ModelFileError that says where the value is and what it should be."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from math import isfinite
from typing import Any, NoReturn

from tensorgrad.saving.errors import ModelFileError

LARGEST = 2**31 - 1  # of counts and sizes


def wrong(where: str, expected: str, received: Any) -> NoReturn:
    """Raise the error for a value that is not as expected."""
    raise ModelFileError(f"{where}: expected {expected}, received {reprlib.repr(received)}")


def mapping(value: Any, where: str) -> dict[str, Any]:
    """An object of JSON."""
    return value if isinstance(value, dict) else wrong(where, "an object", value)


def items(value: Any, where: str) -> list[Any]:
    """An array of JSON."""
    return value if isinstance(value, list) else wrong(where, "a list", value)


def text(value: Any, where: str) -> str:
    """A short string that can be printed: without unpaired surrogates."""
    if not isinstance(value, str) or len(value) > 1000 or any("\ud800" <= c <= "\udfff" for c in value):
        wrong(where, "a short string of Unicode", value)
    return value


def flag(value: Any, where: str) -> bool:
    """True or false."""
    return value if isinstance(value, bool) else wrong(where, "true or false", value)


def whole(value: Any, where: str, low: int = 0, high: int = LARGEST) -> int:
    """An integer in a range, which may be written as 3.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        wrong(where, "a whole number", value)
    return value if low <= value <= high else wrong(where, f"a whole number from {low} to {high}", value)


def number(value: Any, where: str) -> float:
    """A finite number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**1000:
        return float(value)
    return value if isinstance(value, float) and isfinite(value) else wrong(where, "a finite number", value)


def shape(value: Any, where: str) -> tuple[int, ...] | int:
    """The shape of one sample: a positive integer, or a list of them."""
    if not isinstance(value, list):
        return whole(value, where, low=1)
    if not 1 <= len(value) <= 16:
        wrong(where, "a list of 1 to 16 whole numbers", value)
    return tuple(whole(n, where, low=1) for n in value)


def keys(value: Any, where: str, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """An object with these keys and no others."""
    found = mapping(value, where)
    required = set(required)
    missing, unexpected = sorted(required - found.keys()), sorted(found.keys() - required - set(optional))
    if missing or unexpected:
        raise ModelFileError(f"{where}: missing {missing}, unexpected {reprlib.repr(unexpected)}")
    return found
