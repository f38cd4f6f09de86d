"""What the ranks are in a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tensorgrad.parallel import ranks_as


@pytest.fixture(autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[str]:
    """Processes, unless the test says otherwise, with the lock or without it."""
    chosen = getattr(request, "param", "processes")
    with ranks_as(chosen):
        yield chosen
