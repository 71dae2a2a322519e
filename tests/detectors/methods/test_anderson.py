from __future__ import annotations

import numpy as np

from testbed.detectors.methods.anderson import AndersonDetector, falls
from testbed.detectors.tools.daily import DailySeries
from tests.detectors.build import DAY_S, observation, speeds


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
