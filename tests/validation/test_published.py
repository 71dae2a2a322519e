"""The baseline and the board that the repository publishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.detectors.registry import BUILT_IN
from testbed.records.label import COUNTED
from testbed.validation.scoring.baseline import method_of, read_baseline
from testbed.validation.scoring.gates import read_gates
from testbed.validation.suite import find_suite, load_suite

ROOT = Path(__file__).parents[2]
BASELINE = ROOT / "results" / "baseline.json"


def test_the_baseline_is_of_the_present_suite_and_the_present_way_of_scoring() -> None:
    baseline = read_baseline(BASELINE)
    present = method_of(load_suite(find_suite(baseline["suite"])), COUNTED)
    assert baseline["method"] == present, "make scoreboard"
    assert set(baseline["detectors"]) == set(BUILT_IN)


def test_the_board_is_of_the_same_runs_as_the_baseline() -> None:
    board = (ROOT / "results" / "SCOREBOARD.md").read_text()
    baseline = read_baseline(BASELINE)
    assert f"derived from `{baseline['held_out_seed']}`" in board
    assert board.index("Held out") < board.index("Development")


@pytest.mark.parametrize("figure", ["map-throttled.svg", "map-not-throttled.svg", "roc.svg"])
def test_its_figures_are_there(figure: str) -> None:
    assert b"<svg" in (ROOT / "results" / "scoreboard" / figure).read_bytes()


def test_our_own_gates_can_be_read() -> None:
    assert {bound.detector for bound in read_gates(ROOT / "pyproject.toml").bounds} == {"joint"}
