"""The file of a lab: what it may say, and what does not fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from testbed.errors import ScenarioError
from testbed.labs.catalogue import find_lab, lab_names
from testbed.labs.lab import SHEETS, Scalar, filled, lab_schema, load_lab
from tests.labs.made import LAB, made_lab

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", lab_names())
def test_every_lab_those_of_others_too_fits_the_schema_and_has_its_sheets(name: str) -> None:
    lab = find_lab(name)
    jsonschema.validate(yaml.safe_load((lab.folder / "lab.yaml").read_text()), lab_schema())
    for sheet in SHEETS:
        assert len(lab.sheet(sheet).splitlines()) > 10, f"{sheet} of {name} says nothing"
    # Answers and names of conditions are for the teacher.
    assert not [each for each in lab.lab.conditions if f"`{each}`" in lab.sheet("student.md")]


def test_points_are_those_of_each_case(tmp_path: Path) -> None:
    assert made_lab(tmp_path / "lab").points == 2 * (2 + 2 + 4 + 3 + 1)


@pytest.mark.parametrize(
    ("changed", "to", "problem"),
    [
        ("cases: 2", "cases: 3", ":8: cases: 3 cases of 2 conditions"),
        ("cause: box,", "cause: bix,", "conditions.slow.answers.cause: 'bix' is none of the choices"),
        ("names: [a.com, b.com], ways", "names: a.com, ways", "conditions.slow.answers.names: expected a list"),
        ("names: [a.com, b.com], ways", "names: [x.com], ways", "'x.com' is none of the choices"),
        ("{cause: box, rate", "{rate", "conditions.slow.answers.cause: this answer is missing"),
        ("{cause: box, rate", "{more: 1, cause: box, rate", "conditions.slow.answers.more: no such question"),
        ('rate: "{rate}"', 'rate: "{speed}"', "{speed} is not drawn"),
        ("rate: 5", "rate: five", "conditions.fast.answers.rate: expected a number"),
        ("[three]", "[]", "1 are asked for, and 0 are right"),
        ("variants: 2", "variants: 2\nseed: 1", "seed: unknown key"),
        ('choices: [box, "no", line]', "choices: [box]", "a choice needs choices"),
        ("minutes: 5", "minutes: 0", "minutes: expected greater than or equal to 1"),
        ("tries: [evade]", "tries: [shell]", "tries.0: "),
    ],
)
def test_what_does_not_fit_is_told_with_its_key(tmp_path: Path, changed: str, to: str, problem: str) -> None:
    assert changed in LAB
    with pytest.raises(ScenarioError) as caught:
        made_lab(tmp_path / "lab", LAB.replace(changed, to, 1))
    assert problem in str(caught.value)


def test_a_lab_without_a_sheet_is_refused(tmp_path: Path) -> None:
    lab = made_lab(tmp_path / "lab")
    (lab.folder / "teacher.md").unlink()
    with pytest.raises(ScenarioError, match=r"teacher\.md: there is no such file"):
        load_lab(lab.folder, "small")


def test_a_hole_that_is_all_of_a_text_keeps_its_type() -> None:
    drawn: dict[str, Scalar] = {"rate": 140, "site": "x.com"}
    assert filled({"a": "{rate}", "b": ["{rate} kbit/s", "www.{site}"], "c": "{other}", "d": 7}, drawn) == {
        "a": 140, "b": ["140 kbit/s", "www.x.com"], "c": "{other}", "d": 7,
    }  # fmt: skip
