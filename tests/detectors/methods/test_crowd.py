from __future__ import annotations

from testbed.detectors.methods.crowd import CrowdDetector
from testbed.detectors.observation import Role
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_the_crowd_detector_counts_pairs_too() -> None:
    slow = observation(
        steady("t", rate_bps=120e3, duration_s=20), steady("c", rate_bps=3e6, duration_s=2, role=Role.CONTROL)
    )
    verdict = CrowdDetector().detect(slow)
    assert (verdict.outcome, verdict.score) == (YES, 1.0)
