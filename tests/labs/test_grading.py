"""Answers beside the truth: points for right ones, a kind of mistake for wrong ones, and never the answer itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import InputError
from testbed.labs.grading import grade
from testbed.labs.lot import student_picks, truth_of
from testbed.labs.sheet import Sheet
from tests.labs.made import made_lab
from tests.labs.test_sheet import VALUES

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.labs.grading import Graded, Worth
    from testbed.labs.lab import LabFile, Question

SEED = 7
TRIED = ("one", "two", "three")


def no_contest(_name: str, _question: Question) -> Worth:
    raise AssertionError


def slow_case(lab: LabFile) -> tuple[str, dict[str, Any]]:
    pick = next(each for each in student_picks(lab, SEED) if each.condition == "slow")
    return pick.case, truth_of(lab, pick).answers


def graded(lab: LabFile, question: str, answer: object, tried: tuple[str, ...] = TRIED) -> Graded:
    case, _ = slow_case(lab)
    sheet = Sheet({(case, question): answer})
    found = grade(lab, SEED, sheet, tried={case: tried}, contest=no_contest, only=question)
    return next(each for each in found if each.case == case)


def test_right_answers_earn_all_points_and_no_answer_none(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    truths = {each.case: truth_of(lab, each).answers for each in student_picks(lab, SEED)}
    sheet = Sheet({(case, key): answer for case, answers in truths.items() for key, answer in answers.items()})
    tried = dict.fromkeys(truths, TRIED)
    found = grade(lab, SEED, sheet, tried=tried, contest=no_contest)
    assert sum(each.points for each in found) == lab.points
    assert {each.score for each in found} == {"right"}
    none = grade(lab, SEED, Sheet({}), tried=tried, contest=no_contest)
    assert ({each.points for each in none}, {each.score for each in none}) == ({0.0}, {"no answer"})
    assert len(none) == len(found)


@pytest.mark.parametrize(
    ("question", "answer", "points", "says"),
    [
        ("cause", "BOX ", 2, "right"),
        ("cause", "line", 0, "look again"),
        ("cause", False, 0, "look again"),  # a bare no
        ("cause", "boxes", 0, "'boxes' is none of the choices; look again"),
        ("cause", ["box"], 0, "none of the choices"),
        ("cause", {"a": 1}, 0, "none of the choices"),
        ("rate", "fast", 0, "expected a number in kbit/s, got 'fast'; count again"),
        ("rate", True, 0, "expected a number"),
        ("rate", float("nan"), 0, "expected a number"),
        ("rate", float("inf"), 0, "expected a number"),
        ("rate", "1e999", 0, "expected a number"),
        ("rate", [1], 0, "expected a number"),
        ("rate", -1, 0, "off by more than 10%; count again"),
        ("names", ["b.com", "A.com."], 4, "right"),
        ("names", "a.com, b.com", 4, "right"),
        ("names", ["a.com"], 2, "some names are missing; compare"),
        ("names", ["a.com", "b.com", "c.com"], 2, "some names do not belong there; compare"),
        ("names", ["a.com", "c.com"], 0, "some names do not belong there and some names are missing"),
        ("names", ["x.com"], 0, "'x.com' is none of those that were asked about"),
        ("names", [], 0, "some names are missing"),
        ("names", [["a.com"]], 0, "expected a list"),
        ("names", ["a.com"] * 101, 0, "expected a list of at most 100 names"),
        ("ways", ["one"], 3, "right"),
        ("ways", ["one", "three"], 0, "1 of your 2 do not do it; try it"),
        ("word", "T.CO", 1, "right"),
        ("word", 7, 0, "read"),
    ],
)
def test_each_kind_of_answer(tmp_path: Path, question: str, answer: object, points: float, says: str) -> None:
    found = graded(made_lab(tmp_path / "lab"), question, answer)
    assert found.points == points
    assert says in found.says


@pytest.mark.parametrize(("factor", "points"), [(1, 2), (1.09, 2), (0.91, 2), (1.2, 0), (0, 0)])
def test_a_number_may_be_off_by_a_share(tmp_path: Path, factor: float, points: float) -> None:
    lab = made_lab(tmp_path / "lab")
    truth = slow_case(lab)[1]["rate"]
    assert graded(lab, "rate", factor * truth).points == points
    assert graded(lab, "rate", f"{factor * truth} kbit/s").points == points


@pytest.mark.parametrize(
    ("factor", "why"), [(8, "bits and bytes"), (1 / 8, "bits and bytes"), (1000, "look at the unit")]
)
def test_a_mistaken_unit_is_told(tmp_path: Path, factor: float, why: str) -> None:
    lab = made_lab(tmp_path / "lab")
    assert why in graded(lab, "rate", factor * slow_case(lab)[1]["rate"]).says


def test_what_nobody_has_tried_earns_nothing(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    found = graded(lab, "ways", ["one", "two"], tried=("one",))
    assert (found.points, found.score) == (0.0, "wrong")
    assert "1 of your 2 you have not tried" in found.says


@given(answer=VALUES, question=st.sampled_from(["cause", "rate", "names", "ways", "word"]))
def test_whatever_was_answered_is_graded(
    answer: object, question: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = graded(made_lab(tmp_path_factory.getbasetemp() / "lab"), question, answer)
    assert 0 <= found.points <= found.most
    assert (found.score == "right") == (found.points == found.most)


@given(
    answer=st.sampled_from(["line", 1, 1e9, ["c.com"], ["three"], "x"]),
    question=st.sampled_from(["cause", "rate", "word"]),
)
def test_no_message_about_a_wrong_answer_has_the_right_one(
    answer: object, question: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lab = made_lab(tmp_path_factory.getbasetemp() / "lab")
    found = graded(lab, question, answer)
    if found.score == "wrong":
        assert str(slow_case(lab)[1][question]) not in found.says.replace("kbit/s", "")


def test_a_question_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such question; there are: cause, rate"):
        grade(made_lab(tmp_path / "lab"), SEED, Sheet({}), tried={}, contest=no_contest, only="colour")
