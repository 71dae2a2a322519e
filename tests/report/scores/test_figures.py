"""Figures of scores: what is drawn, and that the same scores give the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.report.scores.figures import write_score_figures
from testbed.validation.frontier import FrontierPoint
from tests.validation.cells import scored
from tests.validation.scoring.test_scores import NO, TOY, YES

if TYPE_CHECKING:
    from pathlib import Path

POINTS = [
    FrontierPoint("d", 10.0, 20.0, ((1.0, 4, 4), (10.0, 3, 4), (20.0, 1, 4), (1000.0, 0, 4)), ()),
    FrontierPoint("e", None, None, ((1.0, 0, 4), (10.0, 0, 4), (20.0, 0, 4), (1000.0, 0, 4)), ()),
]


def test_each_figure_that_there_is_data_for_is_drawn(tmp_path: Path) -> None:
    scores = [scored(f"a/{at}", YES if at % 2 else NO, YES, score=float(at)) for at in range(6)]
    names = write_score_figures([*TOY, *scores], {"limit: lines.0.down": POINTS}, tmp_path / "new")
    assert names == ["map-throttled.svg", "map-not-throttled.svg", "roc.svg", "frontier-1.svg"]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        f"{name.removesuffix('.svg')}.{kind}" for name in names for kind in ("svg", "png")
    }


def test_the_same_scores_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_score_figures(TOY, {}, tmp_path / name)
    one, two = ((tmp_path / name / "map-throttled.svg").read_bytes() for name in ("one", "two"))
    assert one == two


def test_no_scores_and_no_lines_of_a_label_are_no_error(tmp_path: Path) -> None:
    only = [scored("a/1", YES, YES)]
    assert write_score_figures(only, {}, tmp_path) == ["map-throttled.svg", "map-not-throttled.svg"]
