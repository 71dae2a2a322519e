from __future__ import annotations

import pytest

from testbed.detectors.methods.ooni import OoniDetector
from testbed.detectors.observation import Ending, Role, Transfer
from testbed.detectors.verdict import Mechanism, Outcome
from tests.detectors.build import observation, steady, transfer

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def kazakhstan(handshake_s: float) -> list[Transfer]:
    points = ([0.5, 1.0], [4000, 4000])
    return [
        transfer("t", *points, handshake_s=handshake_s, ending=Ending.TIMEOUT),
        transfer("c", *points, role=Role.CONTROL, handshake_s=0.2),
    ]


@pytest.mark.parametrize(("handshake_s", "outcome"), [(4.0, YES), (1.9, NO), (2.1, YES)])
def test_ooni_sees_starved_handshakes(handshake_s: float, outcome: Outcome) -> None:
    verdict = OoniDetector().detect(observation(*kazakhstan(handshake_s)))
    assert verdict.outcome is outcome
    assert verdict.details["timeouts"] == 1


def test_ooni_calls_a_target_without_a_byte_blocked() -> None:
    blocked = observation(transfer("t", [], []), steady("c", rate_bps=1e6, duration_s=2, role=Role.CONTROL))
    verdict = OoniDetector().detect(blocked)
    assert (verdict.outcome, verdict.mechanism) == (NO, Mechanism.BLOCKED)
