from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.anderson import AndersonDetector, falls
from testbed.detectors.tools.daily import DailySeries
from testbed.detectors.verdict import Outcome
from tests.detectors.build import DAY_S, MARCH_10_S, observation, speeds


def test_anderson_wants_a_lasting_fall() -> None:
    days = np.arange(20, dtype=np.float64) * DAY_S
    tests = np.full(20, 9)
    assert falls(DailySeries(days, np.array([5.0] * 10 + [2.0] * 10), tests)) == 10
    assert falls(DailySeries(days, np.array([5.0] * 10 + [2.0] * 2 + [5.0] * 8), tests)) is None
    assert falls(DailySeries(days, np.array([5.0] * 10 + [2.6] * 10), tests)) is None


def test_anderson_tells_a_general_slowdown_from_a_targeted_one() -> None:
    targeted = speeds([5e6] * 10 + [1e6] * 6)
    general = type(targeted)(
        times_s=targeted.times_s,
        target_bps=targeted.target_bps,
        controls_bps={"control": targeted.target_bps},
        group=targeted.group,
    )
    specific = [AndersonDetector().detect(observation(table=table)).content_specific for table in (targeted, general)]
    assert specific == [True, False]


@pytest.mark.parametrize(
    ("values", "day"),
    [
        ([5.0] * 7 + [2.49] * 3, 7),  # seven days before, and three that lie by more than half below
        ([5.0] * 7 + [2.5] * 3, None),
        ([5.0] * 6 + [2.0] * 3, None),  # six are no trailing mean
        ([5.0] * 7 + [2.0] * 2, None),
        ([1.0] * 4 + [9.0] * 7 + [4.0] * 3, 11),  # the mean is that of the last seven
    ],
)
def test_a_fall_is_three_days_below_half_of_the_week_before(values: list[float], day: int | None) -> None:
    count = len(values)
    assert falls(DailySeries(np.arange(count, dtype=np.float64) * DAY_S, np.array(values), np.full(count, 9))) == day


@pytest.mark.parametrize(("tests_a_day", "outcome"), [(5, Outcome.THROTTLED), (4, Outcome.INCONCLUSIVE)])
def test_a_day_with_fewer_than_five_tests_has_no_median(tests_a_day: int, outcome: Outcome) -> None:
    table = speeds([5e6] * 10 + [1e6] * 6, tests_a_day=tests_a_day, spread=0.0)
    assert AndersonDetector().detect(observation(table=table)).outcome is outcome


def test_the_fall_is_told_with_its_depth_and_its_day() -> None:
    verdict = AndersonDetector().detect(observation(table=speeds([5e6] * 10 + [1e6] * 6, spread=0.0)))
    assert verdict.score == pytest.approx(0.8)
    assert verdict.onset_s == MARCH_10_S + 10 * DAY_S
    assert "from 5000 to 1000 kbit/s (80%)" in verdict.why
