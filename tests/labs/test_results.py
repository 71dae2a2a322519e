"""Grades in the forms that other programs read."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

from testbed.labs.grading import Graded
from testbed.labs.results import as_gradescope, as_json, as_junit, as_table, total

GRADED = [
    Graded("A", "cause", "What is it?", 2, 2, "right", "right"),
    Graded("A", "rate", "How fast?", 0.5, 2, "partly right", "\x1b[31mcount\nagain"),
    Graded("", "detector", "Which?", 0, 3, "no answer", "no answer yet"),
]
# https://gradescope-autograders.readthedocs.io/en/latest/specs/, "Output format": all keys that it has.
OF_ALL = {
    "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format", "visibility",
    "stdout_visibility", "extra_data", "tests", "leaderboard",
}  # fmt: skip
OF_A_TEST = {
    "score", "max_score", "status", "name", "name_format", "number", "output", "output_format", "tags", "visibility",
    "extra_data",
}  # fmt: skip


def test_the_sum_is_that_of_all_questions() -> None:
    assert total(GRADED) == (2.5, 7)
    assert as_table(GRADED).endswith("2.5 of 7 points")
    assert "\x1b" not in as_table(GRADED)


def test_gradescope_gets_the_keys_that_it_knows() -> None:
    found = json.loads(as_gradescope("small", GRADED, ["a note"]))
    assert found.keys() <= OF_ALL
    for test in found["tests"]:
        assert test.keys() <= OF_A_TEST
        assert test["status"] in {"passed", "failed"}
        assert 0 <= test["score"] <= test["max_score"]
        assert test["visibility"] in {"hidden", "after_due_date", "after_published", "visible"}
        assert test["output_format"] in {"text", "html", "simple_format", "md", "ansi"}
    assert [each["score"] for each in found["tests"]] == [2, 0.5, 0]
    assert "score" not in found  # it would take the place of the tests' own
    assert "a note" in found["output"]


def test_junit_has_a_case_for_each_question_and_one_that_is_not_all_right_fails() -> None:
    root = ET.fromstring(as_junit("small", GRADED))
    assert (root.tag, root.attrib["tests"], root.attrib["failures"]) == ("testsuites", "3", "2")
    cases = list(root.iter("testcase"))
    assert [each.attrib["name"] for each in cases] == ["cause (2 points)", "rate (2 points)", "detector (3 points)"]
    assert [each.attrib["classname"] for each in cases] == ["A", "A", "lab"]
    assert [len(each) for each in cases] == [0, 1, 1]


def test_json_has_points_and_what_is_said() -> None:
    found = json.loads(as_json("small", "ann", GRADED, []))
    assert (found["points"], found["of"], found["student"]) == (2.5, 7, "ann")
    assert [each["case"] for each in found["questions"]] == ["A", "A", None]
