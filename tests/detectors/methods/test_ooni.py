from __future__ import annotations

import pytest

from testbed.detectors.methods.ooni import OoniDetector, comparable_time
from testbed.detectors.observation import Direction, Ending, Observation, Role, Transfer
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


def downloads(target_bps: float, control_bps: float) -> Observation:
    return observation(
        transfer("t", [1.0], [round(target_bps / 8)]), transfer("c", [1.0], [round(control_bps / 8)], role=Role.CONTROL)
    )


@pytest.mark.parametrize(("times", "outcome"), [(10, YES), (9.9, NO), (1, NO), (0.1, NO)])
def test_ten_times_slower_is_extreme(times: float, outcome: Outcome) -> None:
    assert OoniDetector().detect(downloads(1e6, 1e6 * times)).outcome is outcome


def test_the_time_for_the_same_bytes_counts_where_the_sizes_differ() -> None:
    """A control of many bytes is as slow at its beginning, and only there can it be compared."""
    times = [0.1 * place for place in range(1, 101)]
    small = transfer("t", [1.0, 2.0], [5000, 5000])
    large = transfer("c", times, [10_000] * 100, role=Role.CONTROL)
    details = OoniDetector().detect(observation(small, large)).details
    assert details["time_for_the_same_bytes"] == pytest.approx(20)


@pytest.mark.parametrize(("size", "seconds"), [(1, 1.0), (5000, 1.0), (5001, 2.0), (10_000, 2.0), (10_001, None)])
def test_a_number_of_bytes_took_until_it_was_reached(size: int, seconds: float | None) -> None:
    assert comparable_time(transfer("t", [1.0, 2.0], [5000, 5000]), size) == seconds


def test_uploads_and_controls_alone_are_not_compared() -> None:
    up = transfer("t", [1.0], [100], direction=Direction.UP)
    control = transfer("c", [1.0], [100], role=Role.CONTROL)
    assert OoniDetector().detect(observation(up, control)).outcome is OPEN


def test_a_control_that_moved_nothing_says_that_the_path_is_broken() -> None:
    verdict = OoniDetector().detect(observation(transfer("t", [1.0], [9]), transfer("c", [], [], role=Role.CONTROL)))
    assert (verdict.outcome, "the path itself may be broken" in verdict.why) == (OPEN, True)
