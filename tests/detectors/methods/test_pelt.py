from __future__ import annotations

import numpy as np
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
