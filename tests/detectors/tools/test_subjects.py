from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from testbed.detectors.observation import Role, Transfer
from testbed.detectors.tools.subjects import judge_each, pairs
from testbed.detectors.verdict import Outcome, Verdict
from tests.detectors.build import observation, repeats, steady

APP, CONTROL = ("app", Role.TARGET), ("app", Role.CONTROL)


def test_pairs_are_made_within_a_port() -> None:
    given_ = repeats({APP: [500], ("neutral", Role.CONTROL): [900], CONTROL: [800]})
    ((target, control),) = pairs(given_)
    assert (target.id, control.id) == ("app-target-0", "app-control-0")


def test_the_control_nearest_in_time_that_moved_data_is_paired() -> None:
    def control(name: str, started_s: float, duration_s: float = 1.0) -> Any:
        return steady(name, rate_bps=1e6, duration_s=duration_s, role=Role.CONTROL, started_s=started_s)

    broken = type(control("x", 0))(
        id="broken", role=Role.CONTROL, times_s=np.zeros(0), bytes=np.zeros(0, np.int64), started_s=9.9
    )
    target = steady("t", rate_bps=1e5, duration_s=1, started_s=10)
    found = pairs(observation(control("far", 0), broken, target, control("near", 12)))
    assert [(first.id, second.id) for first, second in found] == [("t", "near")]


def judged(outcomes: dict[str, Outcome], **roles: Role) -> Verdict:
    """Judge transfers whose verdicts are these, each with a score of its place."""
    scores = {name: float(place) for place, name in enumerate(outcomes)}
    transfers = [steady(name, rate_bps=1e6, duration_s=1, role=roles.get(name, Role.TARGET)) for name in outcomes]

    def judge(item: Transfer) -> Verdict:
        return Verdict(detector="any", outcome=outcomes[item.id], why=f"of {item.id}", score=scores[item.id])

    return judge_each("any", observation(*transfers), judge)


YES, NO, OPEN = Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("outcomes", "outcome", "why"),
    [
        ({"a": NO, "b": YES, "c": OPEN}, YES, "1 of 2 transfers judged: of b"),
        ({"a": NO, "b": NO}, NO, "0 of 2 transfers judged: of b"),  # of several, the one with the highest score
        ({"a": OPEN, "b": OPEN}, OPEN, "of b"),
        ({"a": YES}, YES, "of a"),
    ],
)
def test_any_throttled_target_decides_or_any_that_was_judged(
    outcomes: dict[str, Outcome], outcome: Outcome, why: str
) -> None:
    verdict = judged(outcomes)
    assert (verdict.outcome, verdict.why) == (outcome, why)
    assert verdict.details["transfers"] == {name: str(each) for name, each in outcomes.items()}


@pytest.mark.parametrize(("control", "specific"), [(NO, True), (YES, False), (OPEN, None)])
def test_controls_tell_only_whether_the_limit_is_the_targets_own(control: Outcome, *, specific: bool | None) -> None:
    verdict = judged({"t": YES, "c": control}, c=Role.CONTROL)
    assert (verdict.outcome, verdict.content_specific) == (YES, specific)


def test_where_no_role_is_known_every_transfer_is_judged_and_nothing_is_specific() -> None:
    verdict = judged({"a": YES, "b": NO}, a=Role.UNKNOWN, b=Role.UNKNOWN)
    assert (verdict.outcome, verdict.content_specific) == (YES, None)


def test_controls_alone_are_not_judged() -> None:
    verdict = judged({"c": YES}, c=Role.CONTROL)
    assert (verdict.outcome, verdict.why) == (OPEN, "the observation has no target transfer")
