"""The version: that of the project's own files, all of which say the same."""

from __future__ import annotations

import json
import platform
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.cli.program import status

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_version_is_said_with_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert status("--version") == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"testbed [0-9.]+\S* \(Python [0-9.]+\S*, \S+ \S+\)\n", said)
    assert platform.machine() in said


def test_the_citation_is_of_this_version_and_both_archives_credit_the_same_authors() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"] == zenodo["license"]
    assert [each["name"] for each in citation["authors"]] == [each["name"] for each in zenodo["creators"]]
    assert citation["references"][0]["doi"] == zenodo["related_identifiers"][0]["identifier"]


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_forms_ask_for_something(form: Path) -> None:
    read = yaml.safe_load(form.read_text())
    asked = read["contact_links"] if form.stem == "config" else read["body"]
    assert asked


def test_hooks_before_a_commit_are_those_of_make_lint() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    linted = re.findall(
        r"\$\(BIN\)/([\w-]+)", re.split(r"\n\n", (ROOT / "Makefile").read_text().partition("\nlint:")[2])[0]
    )
    assert {Path(hook["entry"].split()[0]).name for hook in hooks} == set(linted)
