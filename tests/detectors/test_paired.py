"""What every method that compares a target with a control has to see, and must not."""

from __future__ import annotations

import pytest

from testbed.detectors.observation import Role
from testbed.detectors.registry import load_detector
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, pair, steady, transfer

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


@pytest.mark.parametrize("name", ["wehe", "wehe-server", "wehe-research", "wehe-2015", "replay", "crowd", "ooni"])
def test_every_paired_method_sees_a_tenth_of_the_speed(name: str) -> None:
    verdict = load_detector(name).detect(pair(140e3, 2e6))
    assert verdict.outcome is YES
    assert verdict.content_specific is True
    assert verdict.rate_bps == pytest.approx(140e3, rel=0.1)


@pytest.mark.parametrize("name", ["wehe", "wehe-2015", "replay", "crowd", "ooni", "wehe-server", "wehe-research"])
def test_no_paired_method_sees_a_faster_target_as_throttled(name: str) -> None:
    assert load_detector(name).detect(pair(2e6, 140e3)).outcome is not YES


@pytest.mark.parametrize("name", ["wehe", "replay", "ooni"])
def test_a_control_that_moved_nothing_tells_nothing(name: str) -> None:
    broken = observation(
        steady("t", rate_bps=140e3, duration_s=20), transfer("c", [], [], role=Role.CONTROL, started_s=30)
    )
    assert load_detector(name).detect(broken).outcome is OPEN
