"""What is given up says so once per place of use, where the user wrote it, and what to write instead."""

from __future__ import annotations

import re
import types
import warnings
from pathlib import Path
from typing import Any

import pytest

import tensorgrad
from tensorgrad import deprecation


def of_the_library(code: str) -> Any:
    """A function `f` that is defined in a module of tensorgrad."""
    module = types.ModuleType("tensorgrad.made_up")
    exec(f"from tensorgrad import deprecation\n{code}", module.__dict__)
    return module.f


INNER = "def f():\n    g()\ndef g():\n    deprecation.warn('f(x=1)', instead='f(y=1)', removed_in='0.4')"
DECORATED = "@deprecation.deprecated(instead='h()', removed_in='0.4')\ndef f():\n    return 7"


@pytest.mark.parametrize(("code", "what"), [(INNER, "f(x=1)"), (DECORATED, "f()")])
def test_it_points_at_the_line_of_the_user(code: str, what: str) -> None:
    f = of_the_library(code)
    with pytest.warns(DeprecationWarning, match=re.escape(f"{what} is removed in tensorgrad 0.4; use ")) as seen:
        f()
    assert seen[0].filename == __file__


def test_once_per_place() -> None:
    f = of_the_library(DECORATED)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        results = [f() for _ in range(3)]
        f()
    assert results == [7, 7, 7]
    assert len(seen) == 2


def test_a_change_of_meaning_is_for_everybody() -> None:
    with pytest.warns(FutureWarning, match=r"x=1 changes its meaning in tensorgrad 0\.4; use x=2"):
        deprecation.warn("x=1", instead="x=2", removed_in="0.4", changes=True)


def test_nothing_stays_longer_than_it_was_announced_to() -> None:
    version = tuple(map(int, tensorgrad.__version__.split(".")[:2]))
    for path in Path(tensorgrad.__file__).parent.rglob("*.py"):
        for found in re.findall(r'removed_in="(\d+)\.(\d+)"', path.read_text("utf-8")):
            late = tuple(map(int, found)) <= version and path.name != "deprecation.py"
            assert not late, f"{path} still has what was to be removed in {'.'.join(found)}"
