"""A user's program in the guest: what it finds is an ordinary machine; what it must not have, it has not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from testbed.engine.prepare.command import UserCommand, _closed_to_others
from testbed.engine.prepare.distribution import installation
from testbed.errors import InputError
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FinishedRun, Runner

SMALL = ("recordings=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]")
ORDINARY = """
import http.client, json, os, socket, ssl, subprocess, sys, tempfile, urllib.request
found = {}
def note(name, what):
    try: found[name] = what()
    except Exception as error: found[name] = f"{type(error).__name__}: {error}"
note("uid", os.getuid)
note("fetched", lambda: len(urllib.request.urlopen("https://example.com/383000.bin").read()))
note("plain", lambda: urllib.request.urlopen("http://example.com/").status)
note("index", lambda: urllib.request.urlopen("https://twitter.com/").status)
note("own name", lambda: socket.gethostbyname(socket.gethostname()))
def dns():
    query = bytes.fromhex("000701000001000000000000") + b"\\x07twitter\\x03com\\0" + bytes.fromhex("00010001")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect((open("/etc/resolv.conf").read().split()[1], 53)); asker.send(query)
        return socket.inet_ntoa(asker.recv(512)[-4:]) == socket.gethostbyname("twitter.com")
note("dns", dns)
def loopback():
    with socket.create_server(("::1", 0), family=socket.AF_INET6): return True
note("loopback", loopback)
note("temporary", lambda: tempfile.TemporaryFile(dir="/tmp").write(b"x"))
note("home", lambda: open(os.path.expanduser("~/.cache-of-mine"), "w").write("x"))
note("raw", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3).fileno() > 0)
note("firewall", lambda: subprocess.run(["nft", "add", "table", "inet", "mine"], capture_output=True).returncode)
note("variable", lambda: os.environ["OF_THE_CALLER"])
note("ours", lambda: sorted(name for name in os.environ if name.startswith(("PYTHON", "MALLOC_"))))
note("folder", os.getcwd)
note("input", lambda: sys.stdin.read())
note("curl", lambda: subprocess.run(["curl", "--curves", "X25519", "-sSo", "/dev/null", "https://t.co/383000.bin"]).returncode)
json.dump(found, open("/run/output/found.json", "w"))
"""


def run_command(run_scenario: Runner, folder: Path, script: str, **options: object) -> FinishedRun:
    """Run a Python program that lies in a folder, from that folder."""
    (folder / "program.py").write_text(script)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = UserCommand(
        [sys.executable, "program.py"], environment={**environment, "OF_THE_CALLER": "yes"}, folder=folder
    )
    return run_scenario(*SMALL, user_command=command, **options)


def test_a_program_finds_an_ordinary_machine(run_scenario: Runner, tmp_path: Path) -> None:
    run = run_command(run_scenario, tmp_path, ORDINARY)
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stderr").read_text()
    found = json.loads((run.path / "output" / "found.json").read_text())
    assert found == {
        "uid": os.getuid() or 65_534, "fetched": 383_000, "plain": 200, "index": 200, "own name": "100.64.0.1",
        "dns": True, "loopback": True, "temporary": 1, "home": 1, "raw": True, "firewall": 0, "variable": "yes",
        "ours": [], "folder": str(tmp_path), "input": "", "curl": 0,
    }  # fmt: skip


def test_its_flows_are_transfers_with_rule_drops_bytes_and_times(run_scenario: Runner, tmp_path: Path) -> None:
    run = run_command(run_scenario, tmp_path, ORDINARY)
    by_name = {each["name"]: each for each in run.manifest["transfers"]}
    target, control = by_name["t.co port 443"], by_name["example.com port 443"]
    assert (target["throttled"], target["rule"], target["drops"] > 50) == (True, "t.co", True)
    assert (control["throttled"], control["rule"], control["drops"]) == (False, None, 0)
    assert min(target["bytes"], control["bytes"]) > 383_000
    assert target["duration_s"] > 5 * control["duration_s"]
    assert {"started", "connected", "bytes", "finished"} <= {
        each["event"] for each in run.records.measurements(target["id"])
    }


LARGE_HELLO = """
import socket, ssl
context = ssl.create_default_context()
context.set_alpn_protocols(["x" * 200] * 7)
with context.wrap_socket(socket.create_connection(("twitter.com", 443)), server_hostname="twitter.com") as tls:
    tls.sendall(b"GET /383000.bin HTTP/1.1\\r\\nHost: twitter.com\\r\\nConnection: close\\r\\n\\r\\n")
    while tls.recv(65536): pass
"""


def test_a_hello_that_the_box_cannot_see_is_said(run_scenario: Runner, tmp_path: Path) -> None:
    run = run_command(run_scenario, tmp_path, LARGE_HELLO)
    (transfer,) = run.manifest["transfers"]
    assert (transfer["throttled"], transfer["hello"]) == (False, "hello in 2 packets or more")
    assert any("not found by its box (hello in 2 packets" in note for note in run.manifest["notes"])


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        (["no-such-program"], "was not found in the folders of PATH"),
        (["./no-such-program"], "was not found"),
        (["/etc/passwd"], "may not be executed"),
        (["/etc"], "is a folder"),
    ],
)
def test_a_program_that_cannot_be_run_is_refused(argv: list[str], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        UserCommand(argv).program()


@pytest.mark.parametrize(("name", "known"), [("curl", True), ("no-such-program", False)])
def test_how_a_program_of_our_examples_is_installed_is_said(tmp_path: Path, name: str, *, known: bool) -> None:
    with pytest.raises(InputError, match="or give the path" if known else "PATH; give the path") as refused:
        UserCommand([name], environment={"PATH": str(tmp_path)}).program()
    assert (installation([name]) in str(refused.value)) is known


def test_a_program_is_found_in_the_callers_path_and_folder(tmp_path: Path) -> None:
    for name in ("bin/tool", "here/tool"):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    command = UserCommand(["tool"], environment={"PATH": str(tmp_path / "bin")}, folder=tmp_path / "here")
    assert command.program() == tmp_path / "bin/tool"
    assert UserCommand(["./tool"], environment={}, folder=tmp_path / "here").program() == tmp_path / "here/tool"


@pytest.mark.parametrize("home", ["/", "/usr/bin", "/usr/games", "/dev/null", "", "relative"])
def test_a_home_that_belongs_to_the_system_is_not_hidden(tmp_path: Path, home: str) -> None:
    order = UserCommand(["/bin/true"], environment={"HOME": home}, folder=tmp_path).order(tmp_path / "run")
    assert not {os.path.realpath(home), "/", "/usr"} & set(order["hidden"])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_a_folder_in_a_private_home_does_not_let_a_program_read_all(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "home" / "project"
    project.mkdir(parents=True)
    home.chmod(0o700)
    command = UserCommand(["/bin/true"], environment={"HOME": str(tmp_path)}, folder=project)
    assert command.order(tmp_path / "run")["reads_all"] is False
    at_home = UserCommand(["/bin/true"], environment={"HOME": str(home)}, folder=home)
    assert at_home.order(tmp_path / "run")["reads_all"] is False
    project.chmod(0o700)
    assert command.order(tmp_path / "run")["reads_all"] is True


def test_of_the_users_own_programs_no_key_rings_are_shown(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in (".local/bin/x", ".local/lib/y", ".local/share/keyrings/z", "project/file"):
        (home / name).parent.mkdir(parents=True)
        (home / name).touch()
    command = UserCommand(
        ["/bin/true"], environment={"HOME": str(home), "PATH": str(home / ".local/bin")}, folder=home / "project"
    )
    visible = command.order(tmp_path / "run")["visible"]
    assert {str(home / ".local/bin"), str(home / ".local/lib")} <= set(visible)
    assert str(home / ".local") not in visible


def test_what_is_roots_alone_stays_so_for_a_program_that_may_read_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, mode in {"open": 0o644, "closed": 0o640, "folder/key": 0o600, "mine/program": 0o700}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "mine").chmod(0o700)
    (tmp_path / "link").symlink_to("closed")
    monkeypatch.setattr("testbed.engine.prepare.command._SYSTEM_DATA", {str(tmp_path): 9})
    found = _closed_to_others([tmp_path / "mine" / "program"])
    assert found == [str(tmp_path / "closed"), str(tmp_path / "folder" / "key")]


def test_earlier_runs_beside_a_run_are_not_shown(tmp_path: Path) -> None:
    """With the same seed their ground truth is this run's."""
    tmp_path.chmod(0o755)
    runs = tmp_path / "results" / "runs"
    for name in ("1", "2"):
        (runs / name).mkdir(parents=True)
        (runs / name / "manifest.json").write_text("{}")
    (runs / "3").mkdir()
    command = UserCommand(["/bin/true"], environment={}, folder=tmp_path)
    assert command.order(runs / "3")["sealed"] == [str(runs)]
    assert UserCommand(["/bin/true"], environment={}, folder=runs / "1").order(runs / "3")["sealed"] == [
        str(runs / "3")
    ]
    (runs / "notes.txt").touch()
    assert command.order(runs / "3")["sealed"] == [str(runs / "3")]


def test_private_folders_are_hidden_but_for_what_the_command_names(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("project/program", ".ssh/id_rsa", "tools/bin/tool", "data/input", "other/file"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("#!/bin/sh\n")
        (home / name).chmod(0o755)
    command = UserCommand(
        ["./program", str(home / "data/input")],
        environment={"HOME": str(home), "PATH": str(home / "tools/bin")},
        folder=home / "project",
    )
    order = command.order(tmp_path / "run")
    assert str(home) in order["hidden"]
    assert order["visible"] == [str(home / name) for name in ("data/input", "project", "tools")]
    at_home = UserCommand(["project/program"], environment={"HOME": str(home)}, folder=home)
    visible = at_home.order(tmp_path / "run")["visible"]
    assert {str(home / "project"), str(home / "data")} <= set(visible)
    assert not any(".ssh" in each for each in visible)


def test_signals_give_128_and_their_number(run_scenario: Runner) -> None:
    run = run_scenario(*SMALL, command=["sh", "-c", "kill -TERM $$"])
    assert run.manifest["certificate"]["command_status"] == 128 + 15


def test_output_comes_while_the_program_runs_and_whole(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    script = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep 50; echo done"
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "--set", SMALL[0], "--set", SMALL[1],
         "-o", str(tmp_path / "run"), "--", "sh", "-c", script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stdout == "".join(f"line {number}\n" for number in range(2000)) + "done\n"
    assert RunDirectory.open(tmp_path / "run").manifest()["valid"] is True


def test_a_limit_of_open_files_that_programs_would_run_into_is_refused(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    result = subprocess.run(
        ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh", sys.executable, "-m", "testbed.cli", "run", "2021-03-10",
         "-o", str(tmp_path / "run"), "--", "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 3
    assert "ulimit -Hn 4096" in result.stderr
    assert not (tmp_path / "run").exists()


MANY_FILES = """
import os
print(len([os.open(__file__, os.O_RDONLY) for _ in range(3000)]))
"""


def test_a_program_may_have_thousands_of_files_open(run_scenario: Runner, tmp_path: Path) -> None:
    run = run_command(run_scenario, tmp_path, MANY_FILES)
    assert (run.path / "command.stdout").read_text() == "3000\n"


NODE = "require('https').get('https://example.com/', answer => { console.log(answer.statusCode); process.exit(0) })"


@pytest.mark.parametrize(
    ("program", "argv"),
    [
        ("wget", ["wget", "-qO", "/dev/null", "https://example.com/"]),
        ("git", ["sh", "-c", "git ls-remote https://example.com/x.git 2>&1 | grep -q 'not found'"]),
        ("node", ["node", "-e", NODE]),
        ("openssl", ["sh", "-c", "openssl s_client -connect example.com:443 -verify_return_error </dev/null"]),
    ],
)
def test_the_runs_authority_is_trusted_by(run_scenario: Runner, program: str, argv: list[str]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; install it to see whether it trusts the run's authority")
    run = run_scenario(*SMALL, command=argv)
    assert run.manifest["certificate"]["command_status"] == 0, (run.path / "command.stderr").read_text()


WAITS_FOR_A_FILE = (
    "import os, time\nprint('begun')\nwhile 'heard' not in os.listdir('.'):\n    time.sleep(60)\nprint('ended')"
)


def test_output_comes_while_the_program_runs(run_scenario: Runner, tmp_path: Path) -> None:
    """It ends only once somebody has read its first line: if that came at the end, neither would."""
    assert callable(run_scenario)  # skips where there is no kernel
    argv = [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "--set", SMALL[0], "-o", str(tmp_path / "run")]
    (tmp_path / "folder").mkdir()
    with subprocess.Popen(
        [*argv, "--", "python3", "-uc", WAITS_FOR_A_FILE], stdout=subprocess.PIPE, cwd=tmp_path / "folder"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        (tmp_path / "folder" / "heard").touch()
        assert process.stdout.readline() == b"ended\n"
    assert process.returncode == 0


def test_input_and_line_are_the_callers_choice(run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", "--set", SMALL[0], "--line", "landline",
         "-o", str(tmp_path / "run"), "--", "sh", "-c", "wc -c; hostname"],
        input="x" * 100_000, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "100000\nlandline\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [(["--line", "nowhere", "--", "true"], "no such line"), (["--line", "mobile"], "there is none after --")],
)
def test_a_line_without_a_meaning_is_refused(arguments: list[str], problem: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "testbed.cli", "run", "2021-03-10", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert problem in result.stderr
