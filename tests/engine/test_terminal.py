"""A command with the user's terminal: keys get there, signals too, and the run is recorded."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Runner

SCRIPT = "tty; read answer; echo got $answer; trap 'echo interrupted; exit 9' INT; while :; do sleep 1; done"
PATIENCE_S = 120  # a guest in real time boots as fast as the machine lets it


def typed(arguments: list[str], answers: list[tuple[bytes, bytes]]) -> tuple[bytes, int]:
    """Run a command on a terminal; type each answer once what it waits for has been printed.

    Returns:
        All output, and the exit status.
    """
    outer, inner = os.openpty()
    argv = [sys.executable, "-m", "testbed.cli", *arguments]
    output, deadline = b"", time.monotonic() + PATIENCE_S
    with subprocess.Popen(argv, stdin=inner, stdout=inner, stderr=inner, start_new_session=True) as process:
        os.close(inner)
        while time.monotonic() < deadline:
            if select.select([outer], [], [], 0.2)[0]:
                try:
                    output += os.read(outer, 4096)
                except OSError:  # the other side is closed
                    break
            if answers and answers[0][0] in output:
                os.write(outer, answers.pop(0)[1])
        else:
            process.kill()
    os.close(outer)
    return output, process.returncode


def test_what_is_typed_reaches_the_command_and_so_does_an_interrupt(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    arguments = ["run", "2021-03-10", "--engine", "realtime", "--set", "recordings=[]", "--terminal"]
    answers = [(b"/dev/pts/", b"hello\r"), (b"got hello", b"\x03")]
    output, status = typed([*arguments, "-o", str(tmp_path / "run"), "--", "sh", "-c", SCRIPT], answers)
    assert b"interrupted" in output
    assert status in {9, 4}  # 4: a machine that was too busy for real time says so
    assert b"got hello" in (tmp_path / "run" / "command.stdout").read_bytes()


def test_what_is_typed_before_the_command_runs_is_kept_for_it(run_scenario: Runner, tmp_path: Path) -> None:
    """A recording is made first, and takes a while."""
    assert callable(run_scenario)
    arguments = ["run", "2021-03-10", "--engine", "realtime", "--terminal", "-o", str(tmp_path / "run")]
    script = "read answer; echo got $answer"
    _, status = typed([*arguments, "--", "sh", "-c", script], [(b"starting boxes", b"hel"), (b"running", b"lo\r")])
    assert status in {0, 4}
    assert b"got hello" in (tmp_path / "run" / "command.stdout").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["--terminal", "--", "true"], "in virtual time nobody can type"),
     (["--terminal", "--engine", "realtime", "--", "true"], "standard input is no terminal")],
)  # fmt: skip
def test_a_terminal_that_cannot_be_had_is_refused(arguments: list[str], problem: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", *arguments],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert result.returncode == 2
    assert problem in result.stderr
