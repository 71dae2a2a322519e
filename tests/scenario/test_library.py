"""What is packaged is found by name, what is the user's by path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.scenario import library

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["2021-03-10", "history/2021-03-10", "scenarios/history/2021-03-10.yaml"])
def test_a_scenario_is_found_by_each_of_its_names(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert library.find("scenarios", name) == library.folder("scenarios") / "history/2021-03-10.yaml"


def test_a_file_goes_before_a_packaged_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2021-03-10.yaml").touch()
    assert library.find("scenarios", "2021-03-10.yaml").resolve() == tmp_path / "2021-03-10.yaml"


@pytest.mark.parametrize("kind", ["scenarios", "topologies", "profiles"])
def test_every_name_that_is_listed_is_found(kind: str) -> None:
    names = library.names(kind)
    assert names == sorted(names)
    for name in names:
        assert library.find(kind, name).is_file()


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("scenarios", "nosuch", "no scenario 'nosuch'; there are: .*history/… (.*testbed list scenarios)"),
        ("scenarios", "nosuch.yaml", "no scenario 'nosuch.yaml'"),
        ("scenarios", "", "no scenario ''"),
        ("scenarios", "../pyproject", "no scenario '../pyproject'"),
        ("scenarios", "x" * 5_000 + ".yaml", "no scenario 'xxx"),
        ("scenarios", "nul\0.yaml", "no scenario"),
        ("topologies", "nosuch", "no topology 'nosuch'; there are: .*russia2021"),
        ("profiles", "nosuch", "no profile 'nosuch'; there are: .*ru-tw-2021a"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(kind: str, name: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=problem):
        library.find(kind, name)


def test_a_folder_is_no_scenario(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ScenarioError, match="no scenario 'folder"):
        library.find("scenarios", "folder.yaml")


@pytest.mark.parametrize("name", ["mine.yml", "mine.YAML", "below/mine"])
def test_a_file_that_is_there_is_taken_whatever_its_ending(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / name).touch()
    assert library.find("scenarios", name).resolve() == tmp_path / name


def test_a_path_that_leads_nowhere_is_told_as_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, problem in (
        ("below/nosuch.yaml", "no such file"), (".//", "this is a folder"), ("./pipe.yaml", "this is no regular file"),
    ):  # fmt: skip
        with pytest.raises(ScenarioError, match=rf"scenario '{name}': {problem}"):
            library.find("scenarios", name)
