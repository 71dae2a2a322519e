"""Scores, computed by hand for a small set of verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.validation.scoring.scores import Scored, part_scores, wilson


def verdicts(condition: str, label: Any, *outcomes: str, detector: str = "d", part: str = "held_out") -> list[Scored]:
    return [
        Scored(part, condition, f"{condition}/{number}", detector, label, outcome)
        for number, outcome in enumerate(outcomes)
    ]


YES, NO, DOUBT = "throttled", "not throttled", "inconclusive"
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
    broken = Scored("held_out", "a", "a/1", "d", "throttled", DOUBT, failed=True)
    assert part_scores([broken], "held_out")[0].failed == 1


def test_wilsons_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
