"""A user's program on the machine's own kernel: it is kept from the machine and from the truth as elsewhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from testbed.engine.native.probe import native_checks
from testbed.engine.prepare.command import UserCommand
from testbed.engine.uml.confine import give_up_privileges, guest_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.messages import CommandOrder

ROOT = Path(__file__).resolve().parents[3]
# Looks, writes and breaks out as far as it gets, and prints what came of each.
SPY = """
import ctypes, json, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
def attempt(deed, *arguments):
    try: deed(*arguments)
    except OSError as error: return type(error).__name__
    return "done"
def call(*words):
    return subprocess.run(words, capture_output=True).returncode
def syscall(result):
    if result: raise OSError(ctypes.get_errno(), "refused")
def talk():
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        listener.bind("/run/output/own")
        listener.listen()
        caller.connect("/run/output/own")
seen = []
for root in ("/run", "/dev", "/proc/1/cwd", SEALED):
    for folder, _, names in os.walk(root):
        seen += [name for name in names if name in ("truth.jsonl", "command.json", "ttyS0")]
found = {
    "seen": seen,
    "processes": len([each for each in os.listdir("/proc") if each.isdecimal()]),
    "host": socket.gethostname(),
    "hosts": open("/etc/hosts").read(),
    "links": sorted(name for _, name in socket.if_nameindex()),
    "own network": call("ip", "link", "set", "lo", "mtu", "1500"),
    "raw": attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "output": attempt(lambda: open("/run/output/left", "w").close()),
    "scratch": attempt(lambda: open("/tmp/left", "w").close()),
    "null": attempt(lambda: open("/dev/null", "wb").write(b"x")),
    "random": attempt(lambda: open("/dev/urandom", "rb").read(1)),
    "system": attempt(lambda: open("/usr/left", "w").close()),
    "folder": attempt(lambda: open(os.path.join(os.getcwd(), "left"), "w").close()),
    "mount": attempt(lambda: syscall(libc.mount(b"tmpfs", b"/mnt", b"tmpfs", 0, None))),
    "umount": attempt(lambda: syscall(libc.umount2(b"/run", 2))),
    "clock": attempt(lambda: syscall(libc.settimeofday(b"\\0" * 16, None))),
    "user": attempt(os.setuid, 1000),
    "kernel": attempt(lambda: open("/proc/sys/kernel/hostname", "w").write("taken")),
    "host's line": [each for each in os.listdir("/proc/self/fd") if int(each) > 3],
    "virtual machine": attempt(socket.socket, socket.AF_VSOCK, socket.SOCK_STREAM),
    "machine's program": attempt(lambda: socket.socket(socket.AF_UNIX).connect(LISTENER)),
    "own program": attempt(talk),
}
# A namespace of its own makes it root of that one alone: what covers the truth cannot be taken away there.
found["deeper"] = [libc.unshare(0x10020000), libc.umount2(b"/run", 2), libc.umount2(b"/dev", 2)]
print(json.dumps(found))
sys.exit(7)
"""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The guest's folder, as `Spool` makes it, and something in it that a program must not see."""
    allowed = next(iter(native_checks()))
    if not allowed.ok:
        pytest.skip(f"{allowed.name}: {allowed.found}; {allowed.remedy}")
    tmp_path.chmod(0o755)  # who is root is nobody there
    folder = tmp_path / "run" / ".guest"
    for name in ("kernel", "output/code", "output/etc"):
        (folder / name).mkdir(parents=True)
    (folder / "output" / "truth.jsonl").write_text("the truth\n")
    return folder


def started(spool: Path, order: CommandOrder) -> tuple[int, str]:
    """Run a program as the agent would; return its status and what it printed."""
    (spool / "output" / "command.json").write_text(json.dumps(order))
    ours, theirs = os.openpty()
    for place in (spool, spool / "output", spool / "kernel", theirs):
        os.chown(place, *guest_identity())
    argv = [sys.executable, "-m", "testbed.engine.native.boot", str(theirs), "tests.engine.native.program_inside"]
    done = subprocess.run(
        argv, cwd=spool, env={"PYTHONPATH": str(ROOT)}, pass_fds=[theirs], capture_output=True, text=True, check=False,
        preexec_fn=give_up_privileges,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    output = spool / "output"
    files = [output / name for name in ("command.stderr", "command.stdout")]
    printed = "".join(file.read_text() for file in files if file.exists())
    return int(json.loads(done.stdout)["status"]), printed


@pytest.fixture
def listener() -> Iterator[Path]:
    """A program of the machine's that everybody may speak to, in a folder that the user has shown."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as bound:
        path = Path(name) / "machine"
        path.parent.chmod(0o755)
        bound.bind(str(path))
        path.chmod(0o777)
        bound.listen()
        yield path


def test_a_program_has_its_node_and_its_folders_and_nothing_else(spool: Path, listener: Path) -> None:
    script = SPY.replace("SEALED", repr(str(spool))).replace("LISTENER", repr(str(listener)))
    command = UserCommand([sys.executable, "-c", script], folder=Path("/usr"), visible=[listener.parent])
    status, printed = started(spool, command.order(spool.parent))
    assert status == 7, printed
    found = json.loads(printed)
    assert found == {
        "seen": [], "processes": 2, "host": "client", "hosts": "hosts of the guest\n", "links": ["lo"],
        "own network": 0, "raw": "done", "output": "done", "scratch": "done", "null": "done", "random": "done",
        "system": "OSError", "folder": "OSError", "mount": "PermissionError", "umount": "PermissionError",
        "clock": "PermissionError", "user": "OSError", "kernel": "OSError", "deeper": [0, -1, -1],
        "host's line": [], "virtual machine": "OSError", "machine's program": "ConnectionRefusedError",
        "own program": "done",
    }  # fmt: skip
    assert (spool / "output" / "output" / "left").exists()


def test_a_program_has_the_terminal_that_its_user_has(spool: Path) -> None:
    order = UserCommand(["sh", "-c", "tty; stty size; exit 3"], folder=Path("/usr")).order(spool.parent)
    status, printed = started(spool, {**order, "terminal": [33, 77]})
    assert (status, printed.split()) == (3, ["/dev/pts/0", "33", "77"])
