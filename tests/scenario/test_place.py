"""Errors name file, line and key; paths count from the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.scenario.document import Document
from testbed.scenario.place import Places
from testbed.scenario.plan import make_plan
from tests.scenario.plans import FIRST_DAY, line_of, plan_at_home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("topology: russia2021", "topology: atlantis", "network.topology: no topology 'atlantis'"),
        ("tspu: ru-tw-2021", "tspu: nosuch", "censors.tspu: no censor profile or family 'nosuch'"),
        ("fetch: twitter.com", "fetch: nosuch.com", "measurements.3.fetch: no origin serves nosuch.com"),
        ("link: [gateway, state]", "link: [gateway, moon]", "outages.0.link: no link between gateway and moon"),
    ],
)
def test_a_refusal_of_the_file_names_its_line(tmp_path: Path, was: str, becomes: str, problem: str) -> None:
    path = tmp_path / "changed.yaml"
    path.write_text(FIRST_DAY.read_text().replace(was, becomes))
    with pytest.raises(ScenarioError, match=re.escape(f"{path}:{line_of(was)}: {problem}")):
        make_plan(path, [], seed=None, engine="virtual", command=None)


def test_paths_in_a_scenario_count_from_its_file(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert plan_at_home(at_home).data["topology"]["file"] == str(at_home / "home.py")


def test_a_name_that_is_too_long_for_a_file_is_left_as_it_is(tmp_path: Path) -> None:
    name = "x" * 5000 + ".py"
    assert Places(tmp_path / "s.yaml", Document("s.yaml", {})).beside(name) == name
