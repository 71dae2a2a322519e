"""Where no guest can run, what needs one says so at once, and everything else works. The platforms are imitated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.engine.host_machine import guest_problem, require_host_machine, runs_guests
from testbed.errors import MissingError

if TYPE_CHECKING:
    from tests.conftest import FinishedRun

ROOT = Path(__file__).parents[2]
IMITATE = ROOT / "tests" / "engine" / "elsewhere.py"
KINDS = ("Windows", "Darwin", "Linux")  # the last one with another processor


def on(kind: str, folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command as on another platform, with an empty cache."""
    environment = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(IMITATE), kind, *argv]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "argv",
    [("run", "2021-03-10"), ("probe", "ttl", "2021-03-10"), ("kernel", "build")],
    ids=" ".join,
)
def test_what_needs_a_guest_is_refused_with_the_ways_and_nothing_is_made(
    tmp_path: Path, kind: str, argv: tuple[str, ...]
) -> None:
    done = on(kind, tmp_path, *argv)
    assert done.returncode == 3, done.stderr
    (line,) = done.stderr.splitlines()
    assert f"which is for x86-64 Linux, and here is {kind}" in line
    assert "detect, inspect, report" in line
    assert "an x86-64 Linux machine, or a container or a virtual machine" in line
    assert ("--engine native" in line) == (kind == "Linux")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_somebody_made_are_judged_and_looked_at(first_day: FinishedRun, tmp_path: Path, kind: str) -> None:
    capture = first_day.path / "captures" / "mobile-client.pcapng"
    for argv in (
        ("table", first_day.path),
        ("inspect", capture, "--profile", "ru-tw-2021a"),
        ("detect", capture, "--detector", "joint"),
        ("demo", first_day.path, "--export", tmp_path / "page"),
        ("list", "scenarios"),
        ("detect", first_day.path, "--detector", "joint"),
    ):
        done = on(kind, tmp_path, *map(str, argv))
        assert done.returncode == 0, (argv, done.stderr)


@pytest.mark.parametrize(
    ("system", "machine", "can"),
    [("Linux", "x86_64", True), ("Linux", "aarch64", False), ("Darwin", "x86_64", False), ("Windows", "AMD64", False)],
)
def test_only_one_kind_of_machine_runs_guests(system: str, machine: str, *, can: bool) -> None:
    assert runs_guests(system, machine) is can


def test_the_problem_is_named_where_no_guest_runs_and_there_is_none_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert guest_problem() == "no guest runs on Darwin arm64, but on Linux x86_64 alone"
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert guest_problem() is None


def test_the_message_names_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(MissingError, match=r"^a run needs .* and here is Linux riscv64\."):
        require_host_machine("a run")
