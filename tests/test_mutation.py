"""The mutations of ``python tests/mutation.py`` can still be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorgrad import engine
from tests.mutation import ENGINE_MUTATIONS, ENGINE_TESTS


@pytest.mark.parametrize("name", ENGINE_MUTATIONS)
def test_what_a_mutation_replaces_is_there_once(name: str) -> None:
    old, new = ENGINE_MUTATIONS[name]
    source = Path(engine.__file__).read_text("utf-8")
    assert source.count(old) == 1
    compile(source.replace(old, new), "engine.py", "exec")


def test_the_tests_that_must_notice_are_there() -> None:
    assert all((Path(__file__).parent / name).is_file() for name in ENGINE_TESTS)
