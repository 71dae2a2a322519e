from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.methods.crowd import CrowdDetector, GroupShare, shares
from testbed.detectors.observation import Role, SpeedTable
from testbed.detectors.tools.crowd_rule import RATIO_RULE
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, steady

YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


def test_the_crowd_detector_counts_pairs_too() -> None:
    slow = observation(
        steady("t", rate_bps=120e3, duration_s=20), steady("c", rate_bps=3e6, duration_s=2, role=Role.CONTROL)
    )
    verdict = CrowdDetector().detect(slow)
    assert (verdict.outcome, verdict.score) == (YES, 1.0)


def table(*rows: tuple[str, float, float]) -> SpeedTable:
    """Tests of groups, each with the speeds of target and control."""
    return SpeedTable(
        times_s=np.arange(len(rows), dtype=np.float64),
        target_bps=np.array([target for _, target, _ in rows]),
        controls_bps={"control": np.array([control for *_, control in rows])},
        group=np.array([group for group, *_ in rows]),
    )


SLOW, FAST = (100e3, 5e6), (5e6, 5e6)


def test_shares_come_by_group_the_largest_first_and_without_tests_that_did_not_load() -> None:
    rows = [("small", *SLOW), ("large", *SLOW), ("large", *FAST), ("large", 0.0, 5e6), ("small", 100e3, 0.0)]
    assert shares(table(*rows), RATIO_RULE, control="control") == {
        "large": GroupShare(tests=2, throttled=1), "small": GroupShare(tests=1, throttled=1),
    }  # fmt: skip


@pytest.mark.parametrize(("slow", "fast", "outcome"), [(1, 19, YES), (1, 20, NO), (0, 9, NO), (9, 0, YES)])
def test_one_test_in_twenty_is_the_threshold(slow: int, fast: int, outcome: Outcome) -> None:
    rows = [("all", *SLOW)] * slow + [("all", *FAST)] * fast
    verdict = CrowdDetector().detect(observation(table=table(*rows)))
    assert verdict.outcome is outcome
    assert verdict.score == slow / (slow + fast)
    assert verdict.rate_bps == (100e3 if outcome is YES else None)


@pytest.mark.parametrize("rows", [[("all", 0.0, 5e6)], [("all", 100e3, 0.0)]])
def test_a_test_in_which_something_did_not_load_is_none(rows: list[tuple[str, float, float]]) -> None:
    assert CrowdDetector().detect(observation(table=table(*rows))).outcome is OPEN


def test_a_table_without_a_control_is_open() -> None:
    alone = SpeedTable(times_s=np.zeros(1), target_bps=np.ones(1), group=np.array(["all"]))
    assert CrowdDetector().detect(observation(table=alone)).outcome is OPEN
