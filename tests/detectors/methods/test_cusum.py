from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.detectors.methods.cusum import Alarm, CusumDetector, cusum
from testbed.detectors.verdict import Outcome
from tests.detectors.build import DAY_S, MARCH_10_S, observation, speeds

values = st.lists(st.floats(-5, 5), max_size=40)


@given(values=values, mean=st.floats(-1, 1), slack=st.floats(0, 1), threshold=st.floats(0.5, 10))
def test_the_recursion_equals_the_largest_sum_of_a_run(
    values: list[float], mean: float, slack: float, threshold: float
) -> None:
    alarm = cusum(values, mean=mean, slack=slack, threshold=threshold)
    for index in range(len(values)):
        runs = [values[start : index + 1] for start in range(index + 1)]
        up = max(0.0, *(sum(x - mean - slack for x in run) for run in runs))
        down = max(0.0, *(sum(mean - slack - x for x in run) for run in runs))
        if max(up, down) > threshold + 1e-9:
            assert alarm is not None
            assert alarm.index == index
            return
        if max(up, down) > threshold - 1e-9:
            return  # on the border, rounding decides
    assert alarm is None


def test_a_shift_is_found_after_threshold_over_excess_and_dated_back() -> None:
    series = [0.0] * 10 + [-3.0] * 10
    assert cusum(series, mean=0.0, slack=1.0, threshold=5.0) == Alarm(index=12, upward=False, since=10)


def test_a_slowdown_of_daily_speeds_is_dated() -> None:
    verdict = CusumDetector().detect(observation(table=speeds([5e6] * 12 + [0.5e6] * 6)))
    assert verdict.outcome is Outcome.THROTTLED
    assert verdict.onset_s == MARCH_10_S + 12 * DAY_S


@pytest.mark.parametrize("days", [[5e6] * 18, [5e6] * 12 + [20e6] * 6])
def test_level_or_rising_speeds_raise_no_alarm(days: list[float]) -> None:
    assert CusumDetector().detect(observation(table=speeds(days))).outcome is Outcome.NOT_THROTTLED


@pytest.mark.parametrize(("days", "outcome"), [(7, Outcome.INCONCLUSIVE), (8, Outcome.NOT_THROTTLED)])
def test_the_first_week_is_the_baseline_and_judges_nothing(days: int, outcome: Outcome) -> None:
    assert CusumDetector().detect(observation(table=speeds([5e6] * days))).outcome is outcome


@pytest.mark.parametrize(("threshold", "index"), [(2.9, 2), (3.0, 3)])
def test_a_sum_must_exceed_its_threshold(threshold: float, index: int) -> None:
    alarm = cusum([2.0, 2.0, 2.0, 2.0], mean=0.0, slack=1.0, threshold=threshold)
    assert alarm == Alarm(index=index, upward=True, since=0)
