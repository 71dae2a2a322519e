"""The table: held out first, and every number of it from the scores."""

from __future__ import annotations

from testbed.report.scores.scoreboard import scoreboard
from tests.validation.scoring.test_scores import NO, TOY, YES, verdicts


def test_the_held_out_part_stands_first() -> None:
    text = scoreboard([*verdicts("a", YES, YES, part="development"), *TOY], title="Toy", notes=["a note"])
    assert text.startswith("# Toy\n\na note")
    assert text.index("Held out") < text.index("Development")


def test_a_row_has_means_over_conditions_and_counts_of_lines() -> None:
    text = scoreboard(TOY, title="Toy", notes=[])
    assert "| `d` | 75 % | 62 % (4 of 6, 30 % to 90 %) | 12 % (1 of 9, 2 % to 43 %) | 13 % | 0 |" in text
    assert "| policed | throttled | 4 | 75 % |" in text
    assert "| slow | not throttled | 4 | 25 % |" in text


def test_what_cannot_be_judged_is_no_zero() -> None:
    text = scoreboard(verdicts("clean", NO, NO), title="Toy", notes=[])
    assert "| `d` | – | none to judge | 0 % (0 of 1" in text
