"""Values with their evidence, and files that give one grade for all of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.scenario.evidence import Statement, plain_values, statements, with_default_grade
from tests.middlebox.build import graded_profile, profile_names


def leaf(value: object, grade: str = "published", source: str = "X21") -> dict[str, object]:
    return {"value": value, "grade": grade, "source": source}


def test_plain_values_are_the_values_without_their_evidence() -> None:
    graded = {
        "name": "p",
        "based_on": "q",
        "grade": "assumption",
        "valid_until": leaf(None),
        "exempt": None,
        "flows": {"idle_timeout": leaf("10 min"), "syn_sent_timeout": None},
        "rules": [{"id": "r", "exact": ["t.co"], "grade": "published", "source": "X21", "note": "n"}],
    }
    assert plain_values(graded) == {
        "name": "p",
        "flows": {"idle_timeout": "10 min"},
        "rules": [{"id": "r", "exact": ["t.co"]}],
    }


def test_statements_pair_each_value_with_its_evidence() -> None:
    graded = {
        "name": "p",
        "flows": {"idle_timeout": leaf("10 min")},
        "rules": [{"id": "r", "exact": ["t.co"], "grade": "assumption", "note": "n"}],
    }
    assert statements(graded) == (
        [
            Statement("flows.idle_timeout", "10 min", "published", "X21", ""),
            Statement("rules.0", {"id": "r", "exact": ["t.co"]}, "assumption", "", "n"),
        ],
        [],
    )


@pytest.mark.parametrize(
    ("node", "key"),
    [
        ({"flows": {"idle_timeout": "10 min"}}, ("flows", "idle_timeout")),
        ({"hop": leaf(3, grade="guess")}, ("hop",)),
        ({"hop": leaf(3, grade="secondary", source="")}, ("hop",)),
        ({"hop": leaf(3) | {"source": 21}}, ("hop",)),
        ({"hop": leaf(3) | {"valu": 4}}, ("hop", "valu")),
        ({"hop": {"value": 3}}, ("hop",)),
        ({"rules": [5]}, ("rules", 0)),
    ],
    ids=["bare", "unknown grade", "no source", "a source that is no text", "stray key", "no grade", "bare item"],
)
def test_a_value_without_evidence_is_refused_with_its_key(node: dict[str, Any], key: tuple[str | int, ...]) -> None:
    assert [where for where, _ in statements(node)[1]] == [key]


def test_a_file_may_have_a_grade_for_all_values_that_have_none() -> None:
    written: dict[str, object] = {
        "name": "p",
        "grade": "secondary",
        "source": "AND13",
        "valid_from": None,
        "action": {"kind": "throttle", "directions": ["up"], "scope": {"value": "flow"}},
        "flows": {"cleared_by": [], "table_size": leaf(5)},
        "rules": [{"id": "r", "exact": ["t.co"]}, {"id": "s", "any": ["x"], "grade": "assumption"}],
    }
    filled, problems = with_default_grade(written)
    found, more = statements(filled)
    assert not problems
    assert not more
    assert {each.key: (each.value, each.grade, each.source) for each in found} == {
        "action.kind": ("throttle", "secondary", "AND13"),
        "action.directions": (["up"], "secondary", "AND13"),
        "action.scope": ("flow", "secondary", "AND13"),
        "flows.cleared_by": ([], "secondary", "AND13"),
        "flows.table_size": (5, "published", "X21"),
        "rules.0": ({"id": "r", "exact": ["t.co"]}, "secondary", "AND13"),
        "rules.1": ({"id": "s", "any": ["x"]}, "assumption", ""),
    }


@pytest.mark.parametrize(
    ("top", "key", "problem"),
    [
        ({"grade": "guess"}, ("grade",), "unknown grade 'guess'; expected one of published"),
        ({"grade": "published"}, ("grade",), "grade published needs a source"),
        ({"grade": ["published"]}, ("grade",), "unknown grade ['published']"),
        ({"source": "X21"}, ("source",), "a source for the whole file needs a grade"),
    ],
)
def test_a_wrong_grade_of_a_file_is_told_once(top: dict[str, object], key: tuple[str], problem: str) -> None:
    filled, problems = with_default_grade(top | {"action": {"kind": leaf("throttle")}})
    assert [where for where, _ in problems] == [key]
    assert problems[0][1].startswith(problem)
    assert not statements(filled)[1]


@pytest.mark.parametrize("name", profile_names())
def test_every_value_of_every_profile_has_its_evidence(name: str) -> None:
    found, problems = statements(graded_profile(name))
    assert len(found) > 10
    assert not problems
