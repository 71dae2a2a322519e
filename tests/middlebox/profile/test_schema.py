from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from testbed.middlebox.profile.schema import profile_schema
from tests.middlebox.build import PROFILES, graded_profile, plain_profile, profile_names

VALIDATOR = Draft202012Validator(profile_schema())


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(profile_schema())


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_file_is_accepted(name: str) -> None:
    VALIDATOR.validate(yaml.safe_load((PROFILES / f"{name}.yaml").read_text()))


def keys_of(plain: dict[str, Any], properties: dict[str, Any]) -> None:
    for key, value in plain.items():
        assert key in properties
        if isinstance(value, dict) and "properties" in properties[key]:
            keys_of(value, properties[key]["properties"])


@pytest.mark.parametrize("name", profile_names())
def test_the_schema_knows_every_key_that_the_reader_knows(name: str) -> None:
    keys_of(plain_profile(name), profile_schema()["properties"])


@pytest.mark.parametrize(
    ("section", "key", "leaf"),
    [
        ("flows", "idle_timeout_s", {"value": 0, "grade": "published"}),
        ("flows", "idle_timeout_s", {"value": 600}),
        ("flows", "idle_timeout_s", {"value": 600, "grade": "guess"}),
        ("flows", "idle_timeout_s", 600),
        ("flows", "typo", {"value": 600, "grade": "published"}),
        ("trigger", "recognisers", {"value": ["quik"], "grade": "published"}),
        ("inspection", "budget_packets", {"value": [3], "grade": "published"}),
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
