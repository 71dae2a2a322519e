"""Scores, computed by hand for a small set of verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testbed.detectors.verdict import Mechanism
from testbed.validation.scoring.scores import part_scores, wilson
from testbed.validation.truth import LineTruth
from tests.validation.cells import scored

if TYPE_CHECKING:
    from testbed.records.label import Label
    from testbed.validation.scoring.scores import Scored


def verdicts(condition: str, label: Any, *outcomes: str, detector: str = "d", part: str = "held_out") -> list[Scored]:
    return [
        scored(f"{condition}/{number}", label, outcome, detector=detector, part=part)
        for number, outcome in enumerate(outcomes)
    ]


YES: Label = "throttled"
NO: Label = "not throttled"
DOUBT = "inconclusive"
TOY = [
    *verdicts("policed", YES, YES, YES, YES, NO),  # 3 of 4
    *verdicts("lossy", YES, YES, DOUBT),  # 1 of 2
    *verdicts("clean", NO, NO, NO, NO, NO, NO),  # 0 of 5
    *verdicts("slow", NO, YES, NO, DOUBT, NO),  # 1 of 4
]


def test_a_toy_suite_has_the_scores_that_a_hand_computes() -> None:
    (score,) = part_scores(TOY, "held_out")
    assert score.found == (3 / 4 + 1 / 2) / 2
    assert score.alarms == (0 + 1 / 4) / 2
    assert score.balanced == (0.625 + 1 - 0.125) / 2
    assert (score.found_of, score.alarms_of) == ((4, 6), (1, 9))
    assert score.inconclusive == 2 / 15
    assert score.failed == 0


def test_a_condition_counts_once_however_many_draws_it_has() -> None:
    more = [*TOY, *verdicts("clean", NO, *[NO] * 100)]
    assert part_scores(more, "held_out")[0].alarms == part_scores(TOY, "held_out")[0].alarms


def test_parts_and_detectors_are_counted_apart() -> None:
    other = verdicts("policed", YES, NO, part="development") + verdicts("policed", YES, YES, detector="e")
    scores = part_scores([*TOY, *other], "held_out")
    assert [(each.detector, each.found) for each in scores] == [("d", 0.625), ("e", 1.0)]
    assert part_scores([*TOY, *other], "development")[0].found == 0.0


def test_one_kind_of_line_alone_has_no_balanced_accuracy() -> None:
    (score,) = part_scores(verdicts("clean", NO, NO), "held_out")
    assert (score.found, score.alarms, score.balanced) == (None, 0.0, None)


def test_a_detector_that_is_always_in_doubt_has_half() -> None:
    (score,) = part_scores([*verdicts("a", YES, DOUBT), *verdicts("b", NO, DOUBT)], "held_out")
    assert (score.balanced, score.inconclusive) == (0.5, 1.0)


def test_a_detector_that_broke_is_counted() -> None:
    broken = scored("a/1", YES, DOUBT, failed="no memory")
    assert part_scores([broken], "held_out")[0].failed == 1


def test_wilsons_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_is_said_beside_the_outcome_is_counted_where_it_was_said_of_throttled_lines_that_were_found() -> None:
    truth = LineTruth("throttled", Mechanism.POLICING, 140_000, 0.5, content_specific=True)
    right = scored(
        "a/1", YES, YES, truth=truth, mechanism="policing", rate_bps=154_000, onset_s=0.75, content_specific=True
    )
    wrong = scored("a/2", YES, YES, truth=truth, mechanism="shaping", rate_bps=70_000, content_specific=False)
    silent = scored("a/3", YES, YES, truth=truth)
    missed = scored("a/4", YES, NO, truth=truth, mechanism="shaping", rate_bps=1.0)
    alarm = scored("b/1", NO, YES, mechanism="policing", rate_bps=1.0)
    (score,) = part_scores([right, wrong, silent, missed, alarm], "held_out")
    assert (score.details.mechanism, score.details.content) == ((1, 2), (1, 2))
    assert score.details.rate_error == pytest.approx((0.1 + 0.5) / 2)
    assert score.details.onset_error_s == 0.25
    assert score.histories == 5


def test_nothing_said_is_no_zero() -> None:
    (score,) = part_scores(TOY, "held_out")
    assert set(vars_of(score.details).values()) == {None}


def vars_of(details: Any) -> dict[str, Any]:
    return {name: getattr(details, name) for name in details.__slots__}


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    lines = [scored(f"a/{score}", YES, YES, score=score) for score in (1.0, 3.0, 4.0)]
    lines += [scored(f"b/{score}", NO, NO, score=score) for score in (0.0, 2.0, 3.0)]
    # Of nine pairs: 1 beats 0; 3 beats 0 and 2, and ties with 3; 4 beats all.
    assert part_scores(lines, "held_out")[0].details.auc == pytest.approx((1 + 2.5 + 3) / 9)


def test_equal_observations_are_one_history() -> None:
    lines = [scored(f"a/{number}", YES, YES, observation="the same") for number in range(5)]
    assert part_scores(lines, "held_out")[0].histories == 1
