from __future__ import annotations

import numpy as np
import pytest

from testbed.detectors.observation import Observation, Role
from testbed.detectors.tools.ks import ks_test
from testbed.detectors.tools.wehe_family import SLICES, Evidence, Statistics, compare, judge_replays
from testbed.detectors.verdict import Outcome
from tests.detectors.build import observation, steady, transfer


def test_wehes_means_count_zeros_and_its_test_does_not() -> None:
    original, control = np.array([0, 0, 1.0, 1.0]), np.array([2.0, 2.0, 2.0, 2.0])
    found = compare(original, control)
    assert (found.mean_o, found.mean_c, found.area) == (0.5, 2.0, 0.75)
    assert found.distance == ks_test(np.array([1.0, 1.0]), control)[1]


def test_a_replay_without_throughput_gives_wehe_no_result() -> None:
    with pytest.raises(ValueError, match="above zero"):
        compare(np.zeros(10), np.ones(10))


def seen(given: Observation, *, confirms: bool = False, outcome: Outcome = Outcome.THROTTLED) -> list[Evidence]:
    """Return what a rule was shown, one entry a pair."""
    shown: list[Evidence] = []

    def rule(evidence: Evidence) -> Outcome:
        shown.append(evidence)
        return outcome

    judge_replays("any", given, rule, confirms=confirms)
    return shown


def two_pairs() -> Observation:
    return observation(
        *(
            steady(
                f"{role}{place}",
                rate_bps=rate,
                duration_s=10,
                role=role,
                started_s=50 * place + 20 * (role is not Role.TARGET),
                labels={"pair": str(place)},
            )
            for place in range(2)
            for role, rate in ((Role.TARGET, 1e6), (Role.CONTROL, 4e6))
        )
    )


@pytest.mark.parametrize(
    ("confirms", "outcome", "pairs"),
    [
        (True, Outcome.THROTTLED, 2),
        (True, Outcome.INCONCLUSIVE, 2),
        (True, Outcome.NOT_THROTTLED, 1),  # a negative first run is not confirmed
        (False, Outcome.THROTTLED, 1),
    ],
)
def test_the_second_pair_is_asked_where_the_first_is_not_negative(
    *, confirms: bool, outcome: Outcome, pairs: int
) -> None:
    shown = seen(two_pairs(), confirms=confirms, outcome=outcome)
    assert [each.earlier for each in shown] == [None, shown[0].found][:pairs]


def test_the_ratio_is_computed_only_when_a_rule_asks() -> None:
    (evidence,) = seen(two_pairs())
    assert 0.0 <= evidence.ratio() <= 1.0
    assert isinstance(evidence.found, Statistics)


@pytest.mark.parametrize(
    ("control_s", "why"),
    [(0.09, "moved no data, or all of it at once"), (0.11, None)],
)
def test_a_control_that_is_over_at_once_measures_no_speed(control_s: float, why: str | None) -> None:
    times = [control_s * (place + 1) / SLICES for place in range(SLICES)]
    short = transfer("c", times, [1000] * SLICES, role=Role.CONTROL)
    verdict = judge_replays(
        "any", observation(steady("t", rate_bps=1e6, duration_s=1), short), lambda _: Outcome.NOT_THROTTLED
    )
    assert (verdict.outcome is Outcome.INCONCLUSIVE) == (why is not None)
    assert why is None or why in verdict.why


def test_nothing_to_compare_is_said() -> None:
    alone = observation(steady("t", rate_bps=1e6, duration_s=1))
    assert "needs a target and a control" in judge_replays("any", alone, lambda _: Outcome.THROTTLED).why
