"""A program is run to its end within bounds, whatever it does with its pipes."""

from __future__ import annotations

import os
import sys

import pytest

from testbed.detectors.child import Done, OutputTooLongError, run_bounded


@pytest.fixture(params=["as on Linux", "as elsewhere"], autouse=True)
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "as elsewhere":
        monkeypatch.delattr(os, "pidfd_open")


def run(body: str, given: bytes = b"", *, timeout_s: float = 60.0, most_bytes: int = 1 << 20, tail: int = 20) -> Done:
    return run_bounded([sys.executable, "-c", body], given, timeout_s=timeout_s, most_bytes=most_bytes, tail=tail)


def test_what_is_given_is_read_and_what_is_written_comes_back() -> None:
    body = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1]); sys.exit(3)"
    given = bytes(range(256)) * 4096  # more than a pipe holds, both ways at once
    assert run(body, given, most_bytes=1 << 21) == Done(3, given[::-1], b"")


def test_a_program_that_reads_nothing_ends_all_the_same() -> None:
    assert run("print('no, thanks')", bytes(1 << 20)).stdout == b"no, thanks\n"


def test_the_last_of_what_it_said_is_kept() -> None:
    body = "import sys; sys.stderr.write('x' * 5000 + 'the end of the story')"
    assert run(body, tail=20).stderr == b"the end of the story"


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
def test_a_program_may_write_so_much_and_no_more(size: int, *, fits: bool) -> None:
    body = f"print('x' * {size}, end='')"
    if fits:
        assert len(run(body, most_bytes=1000).stdout) == size
        return
    with pytest.raises(OutputTooLongError):
        run(body, most_bytes=1000)


def test_a_program_that_takes_longer_is_ended_with_what_it_started() -> None:
    with pytest.raises(TimeoutError):
        run("import subprocess, time; subprocess.Popen(['sleep', '1000']); time.sleep(1000)", timeout_s=0.3)


def test_a_program_that_closes_its_pipes_is_waited_for() -> None:
    body = "import os, time; os.close(1); os.close(2); time.sleep(0.2); os._exit(5)"
    assert run(body) == Done(5, b"", b"")


def test_a_program_that_is_none_cannot_be_started() -> None:
    with pytest.raises(FileNotFoundError):
        run_bounded(["/nonexistent"], b"", timeout_s=1, most_bytes=1, tail=1)
