"""The plugin in sessions of its own: fixtures, the marker, what is kept, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.pytest_plugin.sessions import session

ROOT = Path(__file__).resolve().parents[2]
SUITE = """\
format: 1
title: Small
about: Two conditions.
development:
  policed: {scenario: throttling/policed, draws: 1, settings: {measurements.0.size: 60 kB, measurements.0.repeat: '1'}}
held_out:
  clean: {scenario: confounders/clean, draws: 2, settings: {measurements.0.size: 60 kB, measurements.0.repeat: '1'}}
"""
USES = """\
import pytest
SMALL = {"measurements.0.size": "60 kB", "measurements.0.repeat": 1}

def test_an_observation(observation):
    found = observation("throttling/policed", 3, settings=SMALL)
    assert {each.role for each in found.transfers} == {"target", "control"}
    assert observation("throttling/policed", 3, settings=SMALL, line="line").transfers[0].id == found.transfers[0].id

def test_a_run(run_scenario):
    result = run_scenario("throttling/policed", seed=3, settings=SMALL)
    assert {each.role: each.throttled for each in result.transfers} == {"target": True, "control": False}
    print("RUN", result.path)

def test_a_command(run_scenario):
    result = run_scenario("throttling/policed", settings=SMALL, command=["true"], line="line")
    assert result.manifest["certificate"]["command_status"] == 0

@pytest.mark.testbed_suite("small.yaml", conditions=["policed", "clean"])
def test_a_suite(testbed_cell):
    [line] = testbed_cell.lines
    assert line.label == {"policed": "throttled", "clean": "not throttled"}[testbed_cell.condition]
    assert line.observation.transfers
    assert testbed_cell.replay.startswith("testbed run ")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "small.yaml").write_text(SUITE)
    return folder


@pytest.mark.usefixtures("kernel")
def test_fixtures_and_marker_make_runs_once(project: Path) -> None:
    store = project / "store"
    first = session(project, USES, "--testbed-store", str(store), "-s")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "6 passed" in first.stdout
    made = {path: path.stat().st_ino for name in ("runs", "cells") for path in (store / name).iterdir()}
    assert len(made) == 4  # a run that two tests share, and three cells; the command's is nobody else's
    second = session(project, USES, "--testbed-store", str(store), "-s")
    assert "6 passed" in second.stdout
    assert {path: path.stat().st_ino for path in made} == made
    assert [line for line in first.stdout.splitlines() if "RUN" in line] == [
        line for line in second.stdout.splitlines() if "RUN" in line
    ]


def test_a_marker_makes_a_test_for_each_run_without_running_any(project: Path) -> None:
    listed = session(project, USES, "--collect-only", "-q", "--testbed-store", str(project / "store"))
    names = [line.partition("::")[2] for line in listed.stdout.splitlines() if "::" in line]
    assert names[-3:] == ["test_a_suite[clean/1]", "test_a_suite[policed/1]", "test_a_suite[clean/2]"]
    assert not (project / "store").exists()


@pytest.mark.parametrize(
    ("marker", "arguments", "problem"),
    [
        ("'none-such'", "testbed_cell", "no suite 'none-such'; there are"),
        ("'small.yaml', part='elsewhere'", "testbed_cell", "no run of this suite is in the part 'elsewhere'"),
        ("'small.yaml', conditions=['x']", "testbed_cell", "no condition 'x'; there are clean, policed"),
        ("'small.yaml', colour=1", "testbed_cell", "unexpected keyword argument 'colour'"),
        ("'small.yaml'", "", "a test of a suite takes the fixture testbed_cell"),
        ("", "testbed_cell", "missing 1 required positional argument: 'suite'"),
    ],
)
def test_a_marker_that_means_nothing_is_refused(project: Path, marker: str, arguments: str, problem: str) -> None:
    text = f"import pytest\n@pytest.mark.testbed_suite({marker})\ndef test_a({arguments}): pass\n"
    found = session(project, text)
    assert found.returncode not in {0, 5}
    assert problem in found.stdout + found.stderr


def test_a_cell_without_a_marker_is_refused(project: Path) -> None:
    found = session(project, "def test_a(testbed_cell): pass\n")
    assert "testbed_cell needs a marker" in found.stdout + found.stderr
    assert found.returncode == 1


@pytest.mark.usefixtures("kernel")
def test_an_invalid_run_is_no_pass(project: Path) -> None:
    text = (
        "import pytest\n"
        "from testbed.validation.running import work\n"
        "from testbed.errors import InvalidRunError\n"
        "@pytest.fixture(autouse=True)\n"
        "def starved(monkeypatch):\n"
        "    def run_plan(*_, **__): raise InvalidRunError('the guest was starved')\n"
        "    monkeypatch.setattr(work, 'run_plan', run_plan)\n"
        "@pytest.mark.testbed_suite('small.yaml', conditions=['policed'])\n"
        "def test_a(testbed_cell): pass\n"
    )
    found = session(project, text, "--testbed-store", str(project / "store"))
    assert found.returncode == 1
    assert "do not score this run: the guest was starved" in found.stdout


@pytest.mark.usefixtures("kernel")
def test_a_run_without_a_label_is_skipped_and_says_so(project: Path) -> None:
    (project / "small.yaml").write_text(SUITE.replace("throttling/policed", "throttling/frozen.yaml"))
    both = "{target: twitter.com, control: twitter.com}"
    text = "\n".join(
        line.replace("{target: twitter.com, control: example.com}", both)
        for line in (ROOT / "scenarios" / "throttling" / "policed.yaml").read_text().splitlines()
    )
    (project / "throttling").mkdir()
    (project / "throttling" / "frozen.yaml").write_text(text)
    marked = "@pytest.mark.testbed_suite('small.yaml', conditions=['policed'])"
    text = f"import pytest\n{marked}\ndef test_a(testbed_cell): pass\n"
    found = session(project, text, "-rs", "--testbed-store", str(project / "store"))
    assert "policed/1: no line of it has a label" in found.stdout
    assert "1 skipped" in found.stdout


def test_pytest_is_told_of_the_plugin_and_starts_without_what_is_heavy() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"testbed": "testbed.pytest_plugin.plugin"}
    code = (
        "import sys, testbed.pytest_plugin.plugin as plugin\n"
        "assert plugin.pytest_addoption\n"
        "heavy = {'numpy', 'scipy', 'pydantic', 'yaml', 'mininet', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
