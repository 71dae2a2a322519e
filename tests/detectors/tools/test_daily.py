from __future__ import annotations

import numpy as np

from testbed.detectors.tools.daily import daily_series
from tests.detectors.build import DAY_S


def test_days_are_those_of_utc_and_days_without_tests_are_absent() -> None:
    times = np.array([0.0, DAY_S - 1, DAY_S, 3 * DAY_S])
    series = daily_series(times, np.array([1.0, 3.0, 7.0, 9.0]), lambda part: float(part.mean()))
    assert series.days_s.tolist() == [0.0, DAY_S, 3 * DAY_S]
    assert (series.values.tolist(), series.tests.tolist()) == ([2.0, 7.0, 9.0], [2, 1, 1])
