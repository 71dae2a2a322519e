"""The labs that there are, by number, name or folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import testbed
from testbed.errors import InputError
from testbed.labs.catalogue import find_lab, lab_names
from tests.labs.made import made_lab


def test_the_six_labs_come_first_and_are_found_by_number() -> None:
    names = lab_names()
    assert [name.split("-")[0] for name in names[:6]] == ["1", "2", "3", "4", "5", "6"]
    assert all(name.startswith("community/") for name in names[6:])
    assert find_lab("4").name == names[3]
    assert find_lab(names[0]).lab.title == "Slow or throttled?"


def test_six_labs_and_a_break_fit_into_ninety_minutes_but_for_one() -> None:
    minutes = [find_lab(str(number)).lab.minutes for number in range(1, 7)]
    assert sum(minutes[:5]) <= 90
    assert sum(minutes) <= 100


def test_any_folder_will_do(tmp_path: Path) -> None:
    made_lab(tmp_path / "mine")
    assert find_lab(str(tmp_path / "mine")).name == "mine"


@pytest.mark.parametrize("name", ["7", "", "slow", "../1", "/nonexistent/lab", "1-slow"])
def test_a_lab_that_is_none_is_told_with_those_that_are(name: str) -> None:
    with pytest.raises(InputError, match=r"no lab .*1-slow-or-throttled"):
        find_lab(name)


def test_the_wheel_has_the_labs_where_they_are_looked_for() -> None:
    project = tomllib.loads((Path(testbed.__file__).parents[1] / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["labs"] == "testbed/labs/packaged"
