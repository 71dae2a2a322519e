from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from testbed.detectors.observation import Observation, SpeedTable
from testbed.detectors.tools.daily import daily_medians, daily_series, judge_log_speeds, robust_sigma
from testbed.detectors.verdict import Verdict, inconclusive
from tests.detectors.build import DAY_S, observation, speeds

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_days_are_those_of_utc_and_days_without_tests_are_absent() -> None:
    times = np.array([0.0, DAY_S - 1, DAY_S, 3 * DAY_S])
    series = daily_series(times, np.array([1.0, 3.0, 7.0, 9.0]), lambda part: float(part.mean()))
    assert series.days_s.tolist() == [0.0, DAY_S, 3 * DAY_S]
    assert (series.values.tolist(), series.tests.tolist()) == ([2.0, 7.0, 9.0], [2, 1, 1])


def test_medians_leave_out_tests_that_moved_nothing() -> None:
    table = SpeedTable(times_s=np.zeros(4), target_bps=np.array([0.0, 1.0, 3.0, 9.0]), group=np.array(["x"] * 4))
    series = daily_medians(table, table.target_bps)
    assert (series.values.tolist(), series.tests.tolist()) == ([3.0], [3])


def test_the_spread_is_that_of_a_normal_distribution_whatever_lies_outside() -> None:
    values = np.random.default_rng(1).normal(5, 2, 5000)
    values[:100] = 1e9
    assert robust_sigma(values, float(np.median(values))) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (observation(), "the test needs a table of speeds over many days"),
        (observation(table=speeds([1e6] * 4)), "4 days with tests; more than 4 needed"),
        (observation(table=speeds([1e6] * 5)), "judged 5 days"),
    ],
)
def test_a_method_is_asked_once_there_are_enough_days(given: Observation, why: str) -> None:
    def judge(days: NDArray[np.float64], values: NDArray[np.float64]) -> Verdict:
        assert np.exp(values) == pytest.approx([1e6] * len(days), rel=0.3)
        return inconclusive("any", f"judged {len(days)} days")

    verdict = judge_log_speeds("any", given, judge, least_days=5, needed="more than 4", method="the test")
    assert verdict.why == why
