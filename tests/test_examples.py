"""What lies in examples/ is run as its readers would, and the action does what its steps say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pytest_plugin.sessions import session

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "examples" / "detector-project"
ACTION: Any = yaml.safe_load((ROOT / "action.yml").read_text())


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example project as pip installs it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder), str(PROJECT)], check=True, capture_output=True)
    return folder


def test_the_example_project_registers_its_detector(installed: Path) -> None:
    [found] = distributions(path=[str(installed)])
    assert [(point.group, point.name) for point in found.entry_points] == [("testbed.detectors", "flatline")]


@pytest.mark.usefixtures("kernel")
def test_the_example_projects_own_ci_passes(installed: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    found = session(PROJECT, "", "--testbed-store", str(store), path=str(installed))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "8 passed" in found.stdout
    options = [
        "--detector",
        "flatline",
        "--store",
        str(store),
        "--held-out-seed",
        "x",
        "--junit",
        str(tmp_path / "x.xml"),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}
    validate = [sys.executable, "-m", "testbed.cli", "validate", str(PROJECT / "tests" / "conditions.yaml"), *options]
    done = subprocess.run(validate, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'testsuite name="flatline" tests="3" failures="0" errors="0"' in (tmp_path / "x.xml").read_text()


def scripts() -> dict[str, str]:
    return {step["id"]: step["run"] for step in ACTION["runs"]["steps"] if "run" in step}


@pytest.mark.parametrize("step", scripts())
def test_a_step_of_the_action_is_a_script_into_which_nothing_is_pasted(step: str) -> None:
    """What is pasted into a script is run by it: inputs come as variables."""
    assert "${{" not in scripts()[step]
    subprocess.run(["bash", "-n"], input=scripts()[step], text=True, check=True)


def test_the_action_uses_every_input_and_no_other() -> None:
    text = (ROOT / "action.yml").read_text()
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(ACTION["inputs"])
    assert all("description" in each and "default" in each for each in ACTION["inputs"].values())


def run_step(step: str, tmp_path: Path, programs: dict[str, str], **variables: str) -> list[str]:
    """Run a step with programs that write down how they were called; return these lines."""
    calls = tmp_path / "calls"
    places = tmp_path / "bin"
    places.mkdir()
    for name, then in programs.items():
        (places / name).write_text(f'#!/bin/bash\nprintf "%s\\n" "{name}:" "$@" >>"{calls}"\n{then}\n')
        (places / name).chmod(0o700)
    environment = {
        "PATH": f"{places}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(tmp_path / "output"), "BIN": str(places),
        **variables,
    }  # fmt: skip
    # as GitHub runs `shell: bash`
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts()[step]]
    subprocess.run(command, env=environment, check=True)
    return calls.read_text().splitlines()


def test_the_action_passes_its_inputs_on_word_by_word(tmp_path: Path) -> None:
    results = tmp_path / "results"
    said = run_step(
        "validate", tmp_path, {"testbed": ""}, SUITE="tests/my suite.yaml", RESULTS=str(results), HELD_OUT_SEED="",
        DETECTORS="joint\nrun:./tool {target} $(touch /tmp/x) 'a b'\n", ARGUMENTS="--jobs\n1\n",
    )  # fmt: skip
    assert said == [
        "testbed:", "validate", "tests/my suite.yaml", "--junit", f"{results}/scores.xml", "--output",
        f"{results}/scores.md", "--detector", "joint", "--detector", "run:./tool {target} $(touch /tmp/x) 'a b'",
        "--jobs", "1",
    ]  # fmt: skip
    assert (tmp_path / "output").read_text() == f"junit={results}/scores.xml\n"


def test_the_action_without_inputs_asks_for_the_suite_alone(tmp_path: Path) -> None:
    empty = {"DETECTORS": "", "ARGUMENTS": "", "HELD_OUT_SEED": "abc"}
    said = run_step("validate", tmp_path, {"testbed": ""}, SUITE="smoke", RESULTS=str(tmp_path / "r"), **empty)
    assert said[1:3] == ["validate", "smoke"]
    assert said[-2:] == ["--held-out-seed", "abc"]
    assert "--detector" not in said


def test_the_action_fails_where_a_gate_fails(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run_step(
            "validate", tmp_path, {"testbed": "exit 1"}, SUITE="smoke", RESULTS=str(tmp_path / "r"), DETECTORS="",
            ARGUMENTS="", HELD_OUT_SEED="",
        )  # fmt: skip


def test_the_action_installs_the_testbed_and_what_is_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "place"
    make = f'mkdir -p {place}/bin; cp "$0" {place}/bin/python; sed -i s/make:/python:/ {place}/bin/python'
    said = run_step(
        "install", tmp_path, {"make": make}, TESTBED="/action", PLACE=str(place), INSTALL=".[test]\n./two words\n"
    )
    assert said == [
        "make:", "--directory", "/action", "--no-print-directory", "setup", f"VENV={place}",
        "python:", "-m", "pip", "install", "--quiet", ".[test]",
        "python:", "-m", "pip", "install", "--quiet", "./two words",
    ]  # fmt: skip
    assert (tmp_path / "output").read_text() == f"bin={place}/bin\n"


def test_the_workflow_of_the_example_asks_for_what_the_action_has() -> None:
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    [step] = [each for each in workflow["jobs"]["detector"]["steps"] if "throttling-testbed" in each.get("uses", "")]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert (PROJECT / step["with"]["suite"]).is_file()
    used = re.findall(r"steps\.testbed\.outputs\.(\w+)", (PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    assert set(used) <= set(ACTION["outputs"])
