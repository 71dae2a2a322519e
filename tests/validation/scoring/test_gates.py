"""Gates: read from a project's file, and what comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import InputError
from testbed.validation.scoring.comparison import compare
from testbed.validation.scoring.gates import Gates, bound_results, read_gates, worse_results
from tests.validation.cells import scored
from tests.validation.scoring.test_comparison import said

if TYPE_CHECKING:
    from pathlib import Path

BOUND = """
[[tool.testbed.gates.bounds]]
detector = "d"
measure = "false alarms"
at-most = 0.25
"""
LINES = [scored(f"a/{at}", "throttled", "throttled") for at in range(4)]
LINES += [scored(f"b/{at}", "not throttled", "throttled" if at < 2 else "not throttled") for at in range(8)]


def gates(tmp_path: Path, text: str) -> Gates:
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    return read_gates(path)


def test_a_project_without_gates_has_none(tmp_path: Path) -> None:
    assert gates(tmp_path, "[tool.other]\nx = 1\n") == Gates()


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        ("", True),  # 2 of 8
        ("at-most = 0.2", False),
        ('by = "interval"', False),  # Wilson: 7 % to 59 %
        ('measure = "found"\nat-least = 1', True),
        ('measure = "balanced accuracy"\nat-least = 0.9', False),  # (1 + 0.75) / 2
        ('measure = "inconclusive"', True),
        ('measure = "failed"\nat-most = 0', True),
        ('part = "development"', None),
        ('detector = "another"', None),
    ],
)
def test_a_bound_holds_or_does_not(tmp_path: Path, change: str, passed: bool | None) -> None:  # noqa: FBT001
    given = dict(line.split(" = ") for line in f"{BOUND}\n{change}".splitlines() if " = " in line)
    if "at-least" in given:
        del given["at-most"]
    text = "[[tool.testbed.gates.bounds]]\n" + "".join(f"{key} = {value}\n" for key, value in given.items())
    (result,) = bound_results(gates(tmp_path, text), LINES)
    assert (result.passed, result.blocking) == (passed, True)


def test_a_gate_is_decided_once_the_whole_interval_is_on_one_side(tmp_path: Path) -> None:
    asked = gates(tmp_path, BOUND)
    assert not bound_results(asked, LINES)[0].decided
    many = [scored(f"b/{at}", "not throttled", "not throttled") for at in range(100)]
    assert bound_results(asked, many)[0].decided


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tool", "not TOML"),
        ("[tool.testbed.gates]\nmost-wrong = 1", "most-wrong: unknown key"),
        ("[tool.testbed.gates]\nmost-worse = -1", "most-worse"),
        ('[[tool.testbed.gates.bounds]]\ndetector = "d"', "bounds.0.measure: this key is missing"),
        (BOUND + "at-least = 0.1", "either at-least or at-most"),
        (BOUND.replace("false alarms", "balanced accuracy") + 'by = "interval"', "has no interval"),
        ("[tool]\ntestbed = 1", "no table"),
        (BOUND.replace("0.25", "5"), "from 0 to 1"),
        (BOUND.replace("0.25", "inf"), "from 0 to 1"),
    ],
)
def test_a_gate_that_is_none_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        gates(tmp_path, text)


def test_gates_are_of_a_suite_and_of_the_detectors_that_are_asked(tmp_path: Path) -> None:
    asked = gates(tmp_path, '[tool.testbed.gates]\nsuite = "core"\nmost-worse = 0\n' + BOUND)
    assert asked.for_task("core", []) == asked.for_task("core", ["d", "e"]) == asked
    assert asked.for_task("smoke", []) == Gates()
    assert asked.for_task("core", ["e"]) == Gates.model_validate({"suite": "core", "most-worse": 0})
    assert gates(tmp_path, BOUND).for_task("anything.yaml", []).bounds


def test_a_regression_blocks_and_what_chance_may_do_is_advice() -> None:
    regression = worse_results(Gates(), compare(said("TTTTTT"), said("NNNNNN")))
    chance = worse_results(Gates(), compare(said("TTTTTT"), said("NTTTTT")))
    assert [(each.passed, each.blocking) for each in (*regression, *chance)] == [(False, True), (False, False)]
    assert worse_results(Gates(), compare(said("TT"), said("TT"))) == []


def test_a_project_may_allow_no_line_to_get_worse() -> None:
    strict = Gates.model_validate({"most-worse": 0})
    (result,) = worse_results(strict, compare(said("TTTTTT"), said("NTTTTT")))
    assert (result.passed, result.blocking) == (False, True)
    assert "1 lines worse" in result.found


def test_a_comparison_of_a_part_is_told_and_passes_nothing() -> None:
    (absent,) = worse_results(Gates(), compare(said("TTTT"), said("TTT")))
    assert (absent.passed, absent.blocking) == (None, True)
    assert "1 were not judged" in absent.found
    assert worse_results(Gates(), compare(said("TTT"), said("TTTT"))) == []
