from __future__ import annotations

import numpy as np

from testbed.detectors.methods.replay import ReplayDetector
from testbed.detectors.observation import Role
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, pair, steady, transfer

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_a_target_that_never_settles_is_no_plateau() -> None:
    rising = transfer("t", np.sqrt(np.linspace(0, 900, 300)).tolist(), [1448] * 300)
    control = steady("c", rate_bps=5e6, duration_s=5, role=Role.CONTROL)
    assert ReplayDetector().detect(observation(rising, control)).outcome is OPEN


def test_a_slow_target_that_ends_before_it_could_settle_is_open() -> None:
    assert ReplayDetector().detect(pair(140e3, 2e6, duration_s=5)).outcome is OPEN
