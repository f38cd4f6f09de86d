"""The schedules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad import optim
from tensorgrad.optim import Constant, Cosine, Exponential, StepDecay, WarmUp

SCHEDULES = [
    Constant(0.1),
    StepDecay(0.1, every=3, gamma=0.5),
    Exponential(0.1, gamma=0.9),
    Cosine(0.1, total=10, final=0.01),
    WarmUp(4, then=StepDecay(np.float64(0.1), every=2)),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_repr_of_a_schedule_makes_it(schedule: Any) -> None:
    again = eval(repr(schedule), vars(optim).copy())
    assert again == schedule
    assert [again(n) for n in range(20)] == [schedule(np.int64(n)) for n in range(20)]
    assert all(type(schedule(n)) is float for n in range(20))


def test_what_the_schedules_are() -> None:
    assert [StepDecay(1.0, 2, 0.5)(n) for n in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    assert [Exponential(1.0, 0.5)(n) for n in range(3)] == [1, 0.5, 0.25]
    np.testing.assert_allclose([Cosine(2.0, 4, 1.0)(n) for n in (0, 2, 4, 9)], [2, 1.5, 1, 1])
    np.testing.assert_allclose([WarmUp(3, StepDecay(1.0, 1, 0.5))(n) for n in range(5)], [0.25, 0.5, 0.75, 1, 0.5])
