"""Profiles for hypothesis, and a watch over state that a test could leave behind."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

from tensorgrad import engine, ops
from tensorgrad.rules import any_replaced

COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=8, derandomize=True, **COMMON)  # two minutes for all of `make test`
WITHOUT_EXPLAIN = [Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink]  # that takes minutes
settings.register_profile("strict", settings.get_profile("dev"))  # but for what is skipped: see below
settings.register_profile("ci", max_examples=150, phases=WITHOUT_EXPLAIN, **COMMON)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
settings.load_profile(PROFILE)
# of the processes that tests start, more than a hundred, each would compile the library anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests marked slow to CI's profiles, unless a test is asked for by its name."""
    if PROFILE != "dev" or any("::" in argument for argument in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    items[:] = [item for item in items if item not in slow]
    config.hook.pytest_deselected(items=slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """In the profiles of CI alone a test that is skipped has failed: it would be run nowhere."""
    report = yield
    if PROFILE in ("strict", "ci") and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped where everything is to be run: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def no_state_is_left_behind() -> Iterator[None]:
    """Fail a test after which operations are not recorded, or watched, or have other rules, or errors differ."""
    errors = np.geterr()
    yield
    left = engine.recording(), engine.watcher(), np.geterr(), with_other_rules()
    engine.set_recording(True).__enter__()
    engine.watch(None).__enter__()
    np.seterr(**errors)
    assert left == (True, None, errors, []), (
        f"the test left recording={left[0]}, watcher={left[1]}, np.geterr()={left[2]}, other rules of {left[3]}"
    )


def with_other_rules() -> list[engine.Primitive[...]]:
    """The library's own primitives of which a rule is replaced; a test may do as it likes with those it defines."""
    own = (getattr(ops, name) for name in ops.__all__) if any_replaced() else ()
    return [each for each in own if isinstance(each, engine.Primitive) and each.is_new()]
