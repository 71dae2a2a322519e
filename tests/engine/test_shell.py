"""A shell in the emulated network, from a pipe and on a terminal: programs on its nodes, and the run they make."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import termios
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.test_terminal import typed

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.engine.kernel.cache import KernelInfo

SCENARIO = [
    "shell",
    "2021-03-10",
    "--set",
    "recordings=[]",
    "--set",
    "lines=[{name: mobile, kind: mobile, tspu: true}]",
]
LINES = """\
# what each line does is looked at below
client ping -c 1 origin
client curl --curves X25519 -sS -o /tmp/object -w '%{http_code}\\n' https://twitter.com/383000.bin
client stat -c '%s bytes' /tmp/object
box log
origin sh -c 'echo served >/run/output/from-origin; hostname'
nonsense
client sh -c 'kill -9 $$'
client ip link set eth0 mtu 1499 && echo changed
origin ip link set eth0 mtu 1499 || echo refused
origin sleep 1000 &
client getent hosts client box | cat
client sh -c 'echo to stderr >&2; exit 7'
"""
VALID, TOO_BUSY = 0, 4
OF_TIME = {"clock", "drops"}  # what a machine that is too busy fails: late timers, and packets that left a box late


@pytest.fixture(scope="module")
def piped(
    tmp_path_factory: pytest.TempPathFactory, kernel: KernelInfo
) -> tuple[subprocess.CompletedProcess[str], Path]:
    assert kernel.path is not None
    run = tmp_path_factory.mktemp("shell") / "run"
    argv = [sys.executable, "-m", "testbed.cli", *SCENARIO, "-o", str(run)]
    return subprocess.run(argv, input=LINES, capture_output=True, text=True, check=False), run


def manifest_of(run: Path) -> Any:
    return json.loads((run / "manifest.json").read_text())


def assert_ended_well(status: int, run: Path) -> None:
    """The run was valid, or the machine too busy for real time, and nothing else was wrong."""
    manifest = manifest_of(run)
    assert status == (VALID if manifest["valid"] else TOO_BUSY), manifest["problems"]
    failed = {each["check"] for each in manifest["checks"] if each["state"] == "failed"}
    assert failed <= OF_TIME, manifest["problems"]
    for found in manifest["certificate"]["agreement"].values():
        assert (found["only_captures"], found["only_log"], found["unexplained"]) == (0, 0, 0)


def test_each_line_is_carried_out_and_the_last_status_is_the_shell_s(
    piped: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    result, _ = piped
    for words in (
        "1 received", "100.64.0.1      client", "200", "383000 bytes", "throttling begins: token_bucket", "origin\n",
        "changed", "refused",
    ):  # fmt: skip
        assert words in result.stdout, result.stderr
    assert "'nonsense' is no node" in result.stderr
    assert "to stderr" in result.stderr
    assert "ends with the shell: origin sleep 1000 &" in result.stderr
    assert result.returncode == 7


def test_commands_are_written_down_with_their_statuses(
    piped: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    records = [json.loads(line) for line in (piped[1] / "shell.jsonl").read_text().splitlines()]
    assert [each["status"] for each in records if not each["beside"]] == [0, 0, 0, 0, 137, 0, 0, 0, 7]
    assert [each["status"] for each in records if each["beside"]] == [137]


def test_the_run_is_recorded_as_others_are(piped: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    _, run = piped
    manifest = manifest_of(run)
    assert manifest["state"] == "complete"
    [flow] = manifest["transfers"]
    assert (flow["sni"], flow["line"], flow["rule"]) == ("twitter.com", "mobile", "twitter.com")
    assert flow["drops"] > 0
    checks = {each["check"]: each for each in manifest["checks"]}
    assert checks["drops"]["state"] == "passed"
    assert "eth0" in checks["network"]["about"]  # the client's own network was changed, and that is said
    assert (run / "output" / "from-origin").read_text() == "served\n"


def test_an_interrupt_ends_the_command_and_not_the_shell(tmp_path: Path, kernel: KernelInfo) -> None:
    assert kernel.path is not None
    argv = [sys.executable, "-m", "testbed.cli", *SCENARIO, "-o", str(tmp_path / "run")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"client sh -c 'echo begun; sleep 1000'\nclient echo after\n")
        process.stdin.close()
        read = partial(process.stdout.readline)
        assert read() == b"begun\n"
        process.send_signal(signal.SIGINT)
        assert read() == b"after\n"
    assert_ended_well(process.returncode, tmp_path / "run")
    records = [json.loads(line) for line in (tmp_path / "run" / "shell.jsonl").read_text().splitlines()]
    assert [each["status"] for each in records] == [130, 0]


def test_a_prompt_completes_names_and_gives_programs_the_terminal(
    tmp_path: Path, kernel: KernelInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kernel.path is not None
    monkeypatch.setenv("TERM", "dumb")  # no sequences of the terminal's between a line's end and the prompt
    answers = [
        (b"testbed> ", b"client sh -c 'tty; stty size; read a; echo got $a; sleep 1000'\r"),
        (b"/dev/pts/", b"hel"),
        (b"hel", b"lo\r"),
        (b"got hello", b"\x03"),
        (b"^C\r\ntestbed> ", b"orig\thostname\r"),
        # All at once: what the first command does not read is for the prompt.
        (b"\norigin\r\ntestbed> ", b"client sleep 1\rclient echo a''head\r\x04"),
    ]
    output, status = typed([*SCENARIO, "-o", str(tmp_path / "run")], answers)
    assert answers == []
    assert b"origin hostname" in output
    assert b"\nahead\r\n" in output
    assert_ended_well(status, tmp_path / "run")
    records = [json.loads(line) for line in (tmp_path / "run" / "shell.jsonl").read_text().splitlines()]
    assert [(each["node"], each["status"]) for each in records] == [
        ("mobile", 130), ("origin", 0), ("mobile", 0), ("mobile", 0),
    ]  # fmt: skip


def test_an_ordinary_shell_on_one_node_reads_what_is_piped_in(tmp_path: Path, kernel: KernelInfo) -> None:
    assert kernel.path is not None
    argv = [sys.executable, "-m", "testbed.cli", *SCENARIO, "--node", "origin", "-o", str(tmp_path / "run")]
    result = subprocess.run(argv, input="hostname\ncd /tmp\npwd\nexit 9\n", capture_output=True, text=True, check=False)
    assert result.stdout == "origin\n/tmp\n"
    assert result.returncode == 9


def test_a_reader_that_has_enough_does_not_end_the_run(tmp_path: Path, kernel: KernelInfo) -> None:
    """Both streams lead to `head`; what is done after it has ended is done all the same."""
    assert kernel.path is not None
    argv = shlex.join([sys.executable, "-m", "testbed.cli", *SCENARIO, "-o", str(tmp_path / "run")])
    lines = ["nodes", *["client seq 1 50000"] * 2, "nonsense", "client sh -c 'exit 5'"]
    subprocess.run(["sh", "-c", f"{argv} 2>&1 | head -n 1"], input="\n".join(lines), text=True, check=True)
    assert manifest_of(tmp_path / "run")["state"] == "complete"
    records = [json.loads(line) for line in (tmp_path / "run" / "shell.jsonl").read_text().splitlines()]
    assert [each["status"] for each in records] == [0, 0, 5]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_shell_that_is_ended_keeps_what_it_has_and_gives_the_terminal_back(
    number: signal.Signals, tmp_path: Path, kernel: KernelInfo
) -> None:
    assert kernel.path is not None
    outer, inner = os.openpty()
    before = termios.tcgetattr(inner)
    argv = [sys.executable, "-m", "testbed.cli", *SCENARIO, "-o", str(tmp_path / "run")]
    with subprocess.Popen(argv, stdin=inner, stdout=inner, stderr=inner, start_new_session=True) as process:
        output = b""
        while b"testbed> " not in output:
            output += os.read(outer, 4096)
        process.send_signal(number)
        process.wait(60)
    assert process.returncode == 128 + number
    assert termios.tcgetattr(inner) == before
    assert manifest_of(tmp_path / "run")["state"] == "incomplete"
    os.close(outer)
    os.close(inner)
