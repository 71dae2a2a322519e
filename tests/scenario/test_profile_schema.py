"""The schema that editors use: accepts what is packaged, refuses mistakes, knows every key."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from testbed.middlebox.actions import ACTIONS
from testbed.middlebox.described import Described, file_key
from testbed.middlebox.meters import METERS
from testbed.scenario.profile_schema import profile_schema
from tests.middlebox.build import PROFILES, graded_profile, profile_names, written_profile

SCHEMA: dict[str, Any] = profile_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_file_is_accepted(name: str) -> None:
    VALIDATOR.validate(yaml.safe_load((PROFILES / f"{name}.yaml").read_text()))


@pytest.mark.parametrize("name", profile_names())
def test_bare_values_are_accepted_where_the_file_has_a_grade(name: str) -> None:
    written = written_profile(name) | {"grade": "assumption"}
    VALIDATOR.validate(written)
    del written["grade"]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(written)


def keys(cls: type[Described]) -> set[str]:
    return {file_key(field.name) for field in fields(cls)}


def test_the_schema_knows_every_kind_and_its_keys() -> None:
    for section in SCHEMA["properties"]["action"]["anyOf"]:
        kind = section["properties"]["kind"]["anyOf"][1]["properties"]["value"]["const"]
        own = {key for key, value in section["properties"].items() if value != {"type": "null"}}
        assert own == {"kind"} | keys(ACTIONS[kind])
    assert len(SCHEMA["properties"]["action"]["anyOf"]) == len(ACTIONS)
    meter = SCHEMA["properties"]["meter"]["properties"]
    assert set(meter) == {"kind", "counts", *METERS}
    assert all(set(meter[kind]["properties"]) == keys(METERS[kind]) for kind in METERS)


@pytest.mark.parametrize(
    ("section", "key", "leaf"),
    [
        ("flows", "table_size", {"value": 0, "grade": "published"}),
        ("flows", "idle_timeout", {"value": 600, "grade": "published"}),
        ("flows", "idle_timeout", {"value": "10 min"}),
        ("flows", "idle_timeout", {"value": "10 min", "grade": "guess"}),
        ("flows", "idle_timeout", "10 min"),
        ("flows", "idle_timeout_s", {"value": "10 min", "grade": "published"}),
        ("flows", "typo", {"value": 600, "grade": "published"}),
        ("trigger", "recognisers", {"value": ["quik"], "grade": "published"}),
        ("inspection", "budget_packets", {"value": [3], "grade": "published"}),
        ("action", "after_packets", {"value": [3, 4], "grade": "published"}),
    ],
)
def test_mistakes_are_refused(section: str, key: str, leaf: object) -> None:
    graded = graded_profile("ru-tw-2021a")
    graded[section] = graded[section] | {key: leaf}
    with pytest.raises(ValidationError):
        VALIDATOR.validate(graded)


def test_a_rule_has_one_kind() -> None:
    graded = graded_profile("ru-tw-2021a")
    graded["rules"] = [{"id": "a", "exact": ["t.co"], "suffix": ["t.co"], "grade": "published"}]
    with pytest.raises(ValidationError):
        VALIDATOR.validate(graded)


def test_a_profile_based_on_nothing_says_everything() -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate({"name": "a", "family": "a", "summary": "nothing else"})
    VALIDATOR.validate({"based_on": "ru-tw-2021a"})
