"""Twins: what is said of a line and of the same without a box."""

from __future__ import annotations

import pytest

from testbed.validation.scoring.twins import TwinScore, mcnemar, twin_scores
from tests.validation.cells import scored

SAID = [("throttled", "not throttled")] * 6 + [("throttled", "throttled")] * 2 + [("inconclusive", "throttled")]


def test_pairs_are_counted_by_what_was_said_of_both() -> None:
    lines = []
    for number, (with_box, without) in enumerate(SAID):
        lines.append(scored(f"p/{number}", "throttled", with_box))
        lines.append(scored(f"p/{number}/twin", "not throttled", without, part="twin"))
    lines.append(scored("p/99", "throttled", "throttled"))  # has no twin
    lines.append(scored("c/1", "not throttled", "throttled"))
    lines.append(scored("c/1/twin", "not throttled", "throttled", part="twin"))
    assert twin_scores(lines) == [TwinScore("d", 6, 2, 1, 0, 0.125)]  # 2 (1 + 7) / 2^7


def test_no_pair_is_no_score() -> None:
    assert twin_scores([scored("p/1", "throttled", "throttled")]) == []


def test_mcnemars_exact_test() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == mcnemar(0, 5) == pytest.approx(2 / 2**5)
    assert mcnemar(3, 3) == 1.0
