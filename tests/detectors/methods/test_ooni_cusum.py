from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.ooni_cusum import OoniCusumDetector, State, state_changes
from testbed.detectors.verdict import Outcome
from tests.detectors.build import (
    observation,
    speeds,
)


@pytest.mark.parametrize(("share", "hours"), [(0.7, 21), (1.0, 12)])
def test_oonis_variant_needs_the_time_that_its_threshold_sets(share: float, hours: int) -> None:
    # threshold 20 * 0.7 / 2 = 7; each hour adds share - 0.35
    times = [hour * 3600.0 for hour in range(60)]
    changes = state_changes(times, [share] * 60)
    assert [(change.state, change.silent) for change in changes] == [(State.BLOCKED, True)]
    assert abs(changes[0].index + 1 - hours) <= 1


def test_oonis_variant_goes_there_and_back() -> None:
    series = [0.0] * 40 + [1.0] * 40 + [0.0] * 40
    changes = state_changes([hour * 3600.0 for hour in range(120)], series)
    assert [(change.state, change.silent) for change in changes] == [
        (State.OK, True),
        (State.BLOCKED, False),
        (State.OK, False),
    ]


def test_a_long_gap_lets_oonis_sums_decay() -> None:
    before, after = [1.0] * 9, [1.0] * 5
    without = state_changes([hour * 3600.0 for hour in range(14)], before + after)
    times = [hour * 3600.0 for hour in range(9)] + [(9 + 96 + hour) * 3600.0 for hour in range(5)]
    assert without
    assert not state_changes(times, before + after)


def test_the_share_of_slow_tests_decides_oonis_state() -> None:
    slow = OoniCusumDetector().detect(observation(table=speeds([110e3] * 3, tests_a_day=96)))
    fast = OoniCusumDetector().detect(observation(table=speeds([5e6] * 3, tests_a_day=96)))
    few = OoniCusumDetector().detect(observation(table=speeds([110e3], tests_a_day=8)))
    assert [slow.outcome, fast.outcome, few.outcome] == [
        Outcome.THROTTLED,
        Outcome.NOT_THROTTLED,
        Outcome.INCONCLUSIVE,
    ]
    assert np.isfinite(slow.score or np.nan)


@pytest.mark.parametrize(("value", "state"), [(0.1, State.OK), (0.6, State.BLOCKED)])
def test_oonis_sum_must_exceed_the_threshold(value: float, state: State) -> None:
    """Each hour adds 0.25: 7.0 is reached, and not exceeded, at the 28th."""
    (change,) = state_changes([3600.0 * hour for hour in range(30)], [value] * 30)
    assert (change.index, change.state) == (28, state)
