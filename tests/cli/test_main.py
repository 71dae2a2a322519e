"""The command line as a whole: streams that end, fill up or lack characters."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import cli
from tests.cli.program import command


@pytest.mark.parametrize("words", [("list", "profiles"), ("schema", "scenario"), ("completion", "bash")])
def test_a_reader_that_leaves_early_gets_no_traceback_and_is_told_from_a_finding(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    result = command(*words, stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, "")


def test_output_to_a_full_disk_is_an_error_and_no_traceback() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full; make it with: mknod /dev/full c 1 7")
    with Path("/dev/full").open("w") as full:
        result = command("schema", "scenario", stdout=full)
    assert (result.returncode, result.stderr) == (1, "testbed: [Errno 28] No space left on device\n")


@pytest.mark.parametrize(("encoding", "section"), [("latin-1", b"X21 \xa74"), ("ascii", b"X21 section 4")])
def test_a_terminal_that_lacks_characters_is_given_what_is_like_them(encoding: str, section: bytes) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "show", "ru-tw-2021a"],
        capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert re.search(rb"^-+  -+  -+  -+$", result.stdout, re.MULTILINE)
    assert section in result.stdout


def test_a_signal_while_the_command_line_is_read_gets_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt(signal.SIGTERM)

    monkeypatch.setattr(cli, "make_parser", interrupted)
    assert cli.main(["list", "profiles"]) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "testbed: stopped\n"
