"""`run`: what it prints, where it writes, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.program import REPOSITORY, SMALL, TRANSFER_KEYS, command, status
from tests.records.build import CHECKS, manifest, transfer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Call
    from tests.conftest import Runner


def pretend(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    monkeypatch.setattr("testbed.cli.commands.making.run_plan", lambda *_, **__: manifest(**changes))


# The disk has the room that the run may take, until the run has begun: then something else takes all but 3 MB of it.
IN_THREE_MEGABYTES = """
set -e
mount -t tmpfs -o size=400m none "$1"
set +e
fallocate -l 3M "$1/left"
(
    until [ -e "$1/run/plan.json" ]; do sleep 0.02; done
    dd if=/dev/zero of="$1/taken" bs=64k 2>/dev/null
    rm "$1/left"
) &
"$2" -m testbed.cli run 2021-03-10 -o "$1/run"
echo "status $?"
"$2" - "$1/run" <<'END'
import json, pathlib, sys
from testbed.records.run import RunDirectory
run = RunDirectory.open(pathlib.Path(sys.argv[1]))
print(json.dumps([run.manifest(), len(run.measurements()), len(run.truth())]))
END
"""


def test_without_a_kernel_and_its_source_the_status_is_3_and_the_command_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("testbed.engine.kernel.build.find_source", lambda: None)
    monkeypatch.setattr("testbed.engine.kernel.source.find_source", lambda _: None)
    monkeypatch.chdir(tmp_path)
    assert status("run", "2021-03-10") == 3
    assert "apt-get install linux-source-6.12" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("pretended_kernel")
def test_without_a_program_of_the_guests_the_status_is_3_and_nothing_is_made(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("testbed.engine.prepare.programs.GUEST_PATH", str(tmp_path))
    assert status("run", "2021-03-10", "--set", "programs.origin=nginx", "-o", str(tmp_path / "run")) == 3
    said = capsys.readouterr().err
    assert "not on this machine: mount, nginx; " in said
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("pretended_kernel")
@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("file/run", "Not a directory; choose another folder with -o"),
        ("file", "File exists; choose another folder with -o"),
        ("full", "is not empty; runs are never overwritten: choose another folder with -o"),
        ("x" * 300, "File name too long; choose another folder with -o"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_with_the_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, output: str, problem: str
) -> None:
    monkeypatch.setattr("testbed.engine.run.require_programs", lambda _: None)
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    assert status("run", "2021-03-10", "-o", str(tmp_path / output)) == 2
    assert problem in capsys.readouterr().err
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["precious"]
    assert not list(tmp_path.glob("*/.guest"))


@pytest.mark.usefixtures("pretended_kernel")
def test_an_invalid_run_ends_with_status_4_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, valid=False, problems=["the guest was starved"])
    assert status("run", "2021-03-10", "-o", "somewhere") == 4
    output = capsys.readouterr()
    assert "INVALID, do not score this run:\n  the guest was starved" in output.out
    assert output.err == "invalid run: the guest was starved\n"


@pytest.mark.usefixtures("pretended_kernel")
def test_an_invalid_run_says_so_in_its_json_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, valid=False, problems=["the guest was starved"])
    assert status("run", "2021-03-10", "-o", "somewhere", "--json") == 4
    assert json.loads(capsys.readouterr().out) == {
        "run": "somewhere", "valid": False, "problems": ["the guest was starved"], "checks": CHECKS,
        "notes": None, "seed": 7, "emulated_s": 290.4, "wall_s": 5.8,
        "transfers": [{key: transfer()[key] for key in TRANSFER_KEYS}],
    }  # fmt: skip


def test_json_is_one_object_with_the_documented_keys(json_run: Call) -> None:
    assert json_run.result.returncode == 0
    printed = json.loads(json_run.result.stdout)
    assert list(printed) == ["run", "valid", "problems", "checks", "notes", "seed", "emulated_s", "wall_s", "transfers"]
    assert [list(each) for each in printed["transfers"]] == [TRANSFER_KEYS] * 2
    assert (printed["run"], printed["valid"], printed["seed"]) == (str(json_run.folder), True, 7)
    assert [(each["sni"], each["throttled"], each["rule"] is None) for each in printed["transfers"]] == [
        ("twitter.com", True, False),
        ("example.com", False, True),
    ]


def test_progress_goes_to_stderr(json_run: Call) -> None:
    assert "building the network" in json_run.result.stderr
    assert "checking the records" in json_run.result.stderr


def test_a_run_folder_that_exists_is_refused_and_left_alone(json_run: Call) -> None:
    before = (json_run.folder / "manifest.json").read_bytes()
    result = command("run", "2021-03-10", "-o", str(json_run.folder), stdout=subprocess.PIPE)
    assert result.returncode == 2
    assert "is not empty; runs are never overwritten" in result.stderr
    assert (json_run.folder / "manifest.json").read_bytes() == before


def test_a_commands_output_and_status_are_passed_on(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    result = command(
        "run", "2021-03-10", *SMALL, "-o", str(tmp_path / "run"), "--",
        "sh", "-c", "echo out; echo err >&2; exit 7", stdout=subprocess.PIPE,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (7, "out\n")
    assert "\nerr\n" in result.stderr
    assert f"run directory: {tmp_path / 'run'}" in result.stderr


def test_a_command_that_is_not_there_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for name in ("/no/such", "no-such-program", str(tmp_path)):
        result = command("run", "2021-03-10", "-o", str(folder), "--", name, stdout=subprocess.PIPE)
        assert (result.returncode, result.stdout) == (2, "")
        assert f"the command {name!r}" in result.stderr
        assert not folder.exists()


def test_a_full_disk_ends_a_run_with_a_clear_error_and_readable_records(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    own_mounts = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own_mounts, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no small disk can be made; allow user namespaces: sysctl kernel.unprivileged_userns_clone=1")
    result = subprocess.run(
        [*own_mounts, "sh", "-c", IN_THREE_MEGABYTES, "sh", str(tmp_path), sys.executable],
        text=True, check=False, capture_output=True, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert f"the disk that holds {tmp_path}/run is full: free some space, or choose another folder" in result.stderr
    first, second = result.stdout.splitlines()
    assert first == "status 4"
    written, measurements, truth = json.loads(second)
    assert (written["state"], written["valid"]) == ("incomplete", False)
    assert "is full" in written["problems"][0]
    assert min(measurements, truth) > 5
