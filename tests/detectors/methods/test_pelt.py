from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.methods.pelt import PeltDetector, change_points
from testbed.detectors.verdict import Outcome
from tests.detectors.build import DAY_S, MARCH_10_S, observation, speeds

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


@given(level=st.floats(1, 5), step=st.floats(2, 9), place=st.integers(5, 15), seed=st.integers(0, 99))
def test_pelt_finds_a_clear_step_where_it_is(level: float, step: float, place: int, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.05, 20)
    values = level + noise
    values[place:] -= step
    assert place in change_points(values)


def test_pelt_dates_the_slowdown() -> None:
    verdict = PeltDetector().detect(observation(table=speeds([5e6] * 9 + [0.5e6] * 9)))
    assert verdict.outcome is YES
    assert verdict.onset_s == MARCH_10_S + 9 * DAY_S
    assert PeltDetector().detect(observation(table=speeds([5e6] * 18))).outcome is NO


@pytest.mark.parametrize(("days", "outcome"), [(5, OPEN), (6, NO)])
def test_six_days_are_the_least(days: int, outcome: Outcome) -> None:
    assert PeltDetector().detect(observation(table=speeds([5e6] * days))).outcome is outcome


@pytest.mark.parametrize(("after", "outcome"), [(2.4e6, YES), (2.6e6, NO), (20e6, NO)])
def test_a_level_that_falls_by_half_is_a_slowdown(after: float, outcome: Outcome) -> None:
    table = speeds([5e6] * 9 + [after] * 9, spread=0.0)
    assert PeltDetector().detect(observation(table=table)).outcome is outcome
