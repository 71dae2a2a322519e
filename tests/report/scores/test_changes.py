"""What changed, in words: the worst first, every line named."""

from __future__ import annotations

from testbed.report.scores.changes import changes_text, gates_text
from testbed.validation.scoring.comparison import compare
from testbed.validation.scoring.gates import GateResult
from tests.validation.scoring.test_comparison import said


def test_every_line_that_changed_is_named() -> None:
    text = changes_text(compare(said("TTTTTTN"), said("NNNNNNT")))
    assert "### `d`: worse: 6 lines worse, 1 better, 0 changed" in text
    assert text.count("| worse |") == 6
    assert "| better | a/6 | line | throttled | not throttled | throttled |" in text


def test_a_long_list_is_cut_and_says_so() -> None:
    text = changes_text(compare(said("T" * 50), said("N" * 50)))
    assert text.count("| worse |") == 40
    assert "and 10 more" in text
    assert "regression" in text


def test_no_change_is_told_too() -> None:
    assert "1 detectors say the same of every line" in changes_text(compare(said("T"), said("T")))


def test_gates() -> None:
    results = [
        GateResult("a", passed=True, found="1", blocking=True),
        GateResult("b", passed=False, found="2", blocking=False),
        GateResult("c", passed=None, found="3", blocking=True),
    ]
    text = gates_text(results)
    assert "| a | passed | 1 |" in text
    assert "| b | **not passed** (advice) | 2 |" in text
    assert "| c | **nothing to look at** | 3 |" in text
    assert gates_text([]) == ""
