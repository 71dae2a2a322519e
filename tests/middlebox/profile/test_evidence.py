from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.middlebox.profile.evidence import Statement, merge, plain_values, select_by_date, statements
from testbed.middlebox.profile.section import ProfileError
from tests.middlebox.build import graded_profile, plain_profile, profile_names


def leaf(value: object, grade: str = "published", source: str = "X21") -> dict[str, object]:
    return {"value": value, "grade": grade, "source": source}


def test_plain_values_are_the_values_without_their_evidence() -> None:
    graded = {
        "name": "p",
        "based_on": "q",
        "flows": {"idle_timeout_s": leaf(600)},
        "rules": [{"id": "r", "exact": ["t.co"], "grade": "published", "source": "X21", "note": "n"}],
    }
    assert plain_values(graded) == {
        "name": "p",
        "flows": {"idle_timeout_s": 600},
        "rules": [{"id": "r", "exact": ["t.co"]}],
    }


def test_statements_pair_each_value_with_its_evidence() -> None:
    graded = {
        "name": "p",
        "flows": {"idle_timeout_s": leaf(600)},
        "rules": [{"id": "r", "exact": ["t.co"], "grade": "assumption", "note": "n"}],
    }
    assert list(statements(graded)) == [
        Statement("flows.idle_timeout_s", 600, "published", "X21", ""),
        Statement("rules.0", {"id": "r", "exact": ["t.co"]}, "assumption", "", "n"),
    ]


@pytest.mark.parametrize(
    ("node", "key"),
    [
        ({"flows": {"idle_timeout_s": 600}}, "flows.idle_timeout_s"),
        ({"hop": leaf(3, grade="guess")}, "hop"),
        ({"hop": leaf(3, grade="secondary", source="")}, "hop"),
        ({"hop": leaf(3) | {"valu": 4}}, "hop.valu"),
        ({"hop": {"value": 3}}, "hop"),
    ],
    ids=["bare", "unknown grade", "no source", "stray key", "no grade"],
)
def test_a_value_without_evidence_is_refused_with_its_key(node: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileError) as caught:
        list(statements(node))
    assert caught.value.key == key


def test_merge_goes_into_sections_and_replaces_leaves_and_lists() -> None:
    base = {"flows": {"a": leaf(1), "b": leaf(2)}, "rules": [1, 2], "meter": {"kind": leaf("x", source="old")}}
    changes = {"flows": {"b": leaf(3)}, "rules": [4], "meter": {"kind": leaf("y", source="new")}, "extra": leaf(5)}
    assert merge(base, changes) == {
        "flows": {"a": leaf(1), "b": leaf(3)},
        "rules": [4],
        "meter": {"kind": leaf("y", source="new")},
        "extra": leaf(5),
    }
    assert base["flows"] == {"a": leaf(1), "b": leaf(2)}


@pytest.mark.parametrize("name", profile_names())
def test_every_value_of_every_profile_has_its_evidence(name: str) -> None:
    assert len(list(statements(graded_profile(name)))) > 10


MARCH_TO_MAY = [
    ("2021-03-10T07:00:00+00:00", "ru-tw-2021a"),
    ("2021-03-11T07:59:59+00:00", "ru-tw-2021a"),
    ("2021-03-11T08:00:00+00:00", "ru-tw-2021b"),
    ("2021-03-11T09:00:00+00:00", "ru-tw-2021b"),
    ("2021-04-03T00:00:00+00:00", "ru-tw-2021c"),
    ("2021-05-17T13:39:00+00:00", "ru-tw-2021c"),
    ("2021-05-17T16:40:00+03:00", "ru-tw-2021d"),
    ("2021-05-18T00:00:00+00:00", "ru-tw-2021d"),
]


@pytest.mark.parametrize(("instant", "name"), MARCH_TO_MAY)
def test_a_family_resolves_by_date(instant: str, name: str) -> None:
    profiles = [plain_profile(each) for each in profile_names()]
    assert select_by_date(profiles, "ru-tw-2021", datetime.fromisoformat(instant))["name"] == name


def test_a_date_before_the_first_of_a_family_is_refused_with_the_dates_there_are() -> None:
    profiles = [plain_profile(each) for each in profile_names()]
    with pytest.raises(ProfileError, match=r"2021-03-09.*ru-tw-2021a \(2021-03-10T07:00:00Z to"):
        select_by_date(profiles, "ru-tw-2021", datetime(2021, 3, 9, tzinfo=UTC))


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ProfileError, match="unknown family 'ru-tw-2020'"):
        select_by_date([], "ru-tw-2020", datetime(2021, 3, 10, tzinfo=UTC))
