from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize(("control_bps", "outcome"), [(1.9e6, NO), (2.1e6, YES), (0.5e6, NO)])
def test_a_control_must_be_twice_as_fast(control_bps: float, outcome: Outcome) -> None:
    assert ReplayDetector().detect(pair(1e6, control_bps)).outcome is outcome


@pytest.mark.parametrize(("duration_s", "outcome"), [(11.9, OPEN), (12.1, YES)])
def test_three_windows_must_follow_the_first_three_seconds(duration_s: float, outcome: Outcome) -> None:
    times = np.arange(0.01, duration_s, 0.01)
    target = transfer("t", times.tolist(), [1000] * len(times))
    control = steady("c", rate_bps=5e6, duration_s=5, role=Role.CONTROL)
    assert ReplayDetector().detect(observation(target, control)).outcome is outcome


def test_the_rate_is_that_of_the_plateau() -> None:
    """The burst at the beginning is left out."""
    times = np.arange(0.01, 20, 0.01)
    target = transfer("t", times.tolist(), [100_000 if time < 1 else 200 for time in times])
    verdict = ReplayDetector().detect(observation(target, steady("c", rate_bps=90e6, duration_s=2, role=Role.CONTROL)))
    assert verdict.outcome is YES
    assert verdict.rate_bps == pytest.approx(200 * 8 * 100, rel=0.01)


def test_of_several_pairs_one_throttled_decides() -> None:
    pairs = [
        steady(
            f"{role}{place}", rate_bps=rate, duration_s=20, role=role, started_s=50 * place, labels={"pair": str(place)}
        )
        for place, rates in enumerate([(1e6, 1e6), (0.2e6, 2e6)])
        for role, rate in zip((Role.TARGET, Role.CONTROL), rates, strict=True)
    ]
    assert ReplayDetector().detect(observation(*pairs)).outcome is YES
