"""Guests that hang, crash or are stopped: a clear error, records kept and marked, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.engine.uml.guest import _quoted, starting
from testbed.errors import GuestError, InputError, MissingError
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from tests.conftest import Runner

NO_RECORDINGS = "recordings=[]"


def processes_below(folder: Path) -> list[int]:
    """Processes that work in the run directory, or whose command line names it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes() + os.fsencode((entry / "cwd").readlink())
            except OSError:
                continue
            if str(folder).encode() in command:
                found.append(int(entry.name))
    return found


INTERRUPTED_AT_FORK = """
import os, signal, subprocess
from testbed.engine.uml.guest import postponed_signals
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    with postponed_signals(): subprocess.run(["/bin/true"], preexec_fn=int, check=True)
except KeyboardInterrupt: print("heard")
"""


def test_a_signal_that_comes_as_the_guest_is_started_is_not_lost() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_FORK], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_a_hung_guest_is_ended_and_the_error_says_what_it_did(run_scenario: Runner) -> None:
    """A program that spins never lets virtual time pass."""
    ended = "said nothing for 3 s and was ended; it was last running the command .* without a system call"
    with pytest.raises(GuestError, match=ended):
        run_scenario(NO_RECORDINGS, command=[sys.executable, "-c", "while True: pass"], silence_s=3.0)


def test_a_command_that_does_not_exist_is_named(run_scenario: Runner) -> None:
    with pytest.raises(InputError, match="'/no/such/program' was not found"):
        run_scenario(NO_RECORDINGS, command=["/no/such/program"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
def test_a_killed_run_leaves_no_process_and_readable_records(
    run_scenario: Runner,  # noqa: ARG001 - skips where there is no kernel
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "-o", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stderr is not None
        for line in command.stderr:
            if line.endswith("] running\n"):
                break
        assert len(processes_below(folder)) >= 2
        command.send_signal(number)
        command.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while processes_below(folder) and time.monotonic() < deadline:
        pass
    assert processes_below(folder) == []
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["state"] == ("running" if number is signal.SIGKILL else "incomplete")
    run = RunDirectory.open(folder)
    assert not run.is_running()
    assert all("event" in each for each in run.truth())


def test_a_run_never_overwrites(run_scenario: Runner, tmp_path: Path) -> None:  # noqa: ARG001 - needs the kernel
    (tmp_path / "precious").touch()
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "-o", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "runs are never overwritten" in result.stderr


@pytest.mark.parametrize("path", ['/a"b', "/a\nb"])
def test_a_path_that_no_kernel_command_line_can_hold_is_refused(path: str) -> None:
    with pytest.raises(MissingError, match="install the testbed elsewhere"):
        _quoted(path)


def test_a_path_with_spaces_is_quoted() -> None:
    assert _quoted("/my runs/a") == '"/my runs/a"'


def test_the_run_directory_may_be_named_from_the_callers_folder(
    run_scenario: Runner,  # noqa: ARG001 - skips where there is no kernel
    tmp_path: Path,
) -> None:
    """As make does; the guest itself starts in another folder."""
    subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "--set", NO_RECORDINGS, "--set",
         "measurements=[{fetch: example.com, role: control, size: 1 kB}]", "-o", "folder/run"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}, check=True, capture_output=True,
    )  # fmt: skip
    assert json.loads((tmp_path / "folder/run/manifest.json").read_text())["state"] == "complete"


def test_a_run_that_fails_names_its_folder(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "--set", NO_RECORDINGS, "--watchdog", "3",
         "-o", str(tmp_path / "run"), "--", sys.executable, "-c", "while True: pass"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 4
    assert f"run directory: {tmp_path / 'run'}\n" in result.stderr


def _refuse() -> None:
    raise PermissionError


def test_a_kernel_that_the_machine_does_not_run_is_named(tmp_path: Path) -> None:
    kernel = tmp_path / "linux"
    kernel.write_bytes(b"\x7fELF of another machine")
    kernel.chmod(0o755)
    with pytest.raises(MissingError, match=rf"{kernel} cannot be started: .*Exec format"), starting(str(kernel)):
        subprocess.Popen([str(kernel)])


def test_fences_that_the_machine_refuses_are_told() -> None:
    with pytest.raises(MissingError, match="cannot be started within its fences"), starting(sys.executable):
        subprocess.Popen([sys.executable], preexec_fn=_refuse)  # noqa: PLW1509 - one thread
