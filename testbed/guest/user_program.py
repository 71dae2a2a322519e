"""A user's program on the client: an ordinary user, on a machine that looks like the host but for the network.

The program is not trusted. It runs in namespaces of its own for mounts, processes, host name and System V objects:
it sees
its own processes, its own folder to write to, and nothing of the plan, the ground truth or the captures. It may send
any packet and change its own node's network, since measurement and evasion programs do, and has no other privilege.

Three processes: one that the agent waits for, the first process of the new process namespace (when it ends, the
kernel ends all that the program left behind), and the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from testbed.errors import GuestError
from testbed.guest.file_view import FileView
from testbed.guest.terminal import Terminal, take_control

if TYPE_CHECKING:
    from testbed.guest.network.node import NamespaceNode

__all__ = ["COMMAND_FOLDER", "Command", "read_order", "start_command"]

COMMAND_FOLDER = "output"  # below the guest's folder; the program sees it as /run/output
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWPID = 0x20000, 0x4000000, 0x8000000, 0x20000000
_PR_CAPBSET_DROP, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 24, 8, 38, 47, 2
_CAP_DAC_READ_SEARCH, _CAP_NET_BIND_SERVICE, _CAP_NET_ADMIN, _CAP_NET_RAW = 2, 10, 12, 13
_LAST_CAPABILITY = 40
_KEPT = (_CAP_NET_BIND_SERVICE, _CAP_NET_ADMIN, _CAP_NET_RAW)
_CAPABILITY_VERSION_3 = 0x20080522
_SIGNAL_STATUS = 128
_MOST_PROCESSES = 1024  # of the program, threads counted: each is one of the host's, too
_FIRST_FOR_MEMORY = "1000"  # proc_pid_oom_score_adj(5): whatever lacks memory, it is the program that has to end
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Command:
    """A running program.

    Attributes:
        pid: of the process that ends when the program and all that it started have ended.
        terminal: that it has; None: it has none.
        errors: where it says why the program could not be started; empty at its end if it could.
    """

    pid: int
    errors: int
    terminal: Terminal | None = None

    def status(self) -> int:
        """The exit status of the program that has ended; 128 + n for signal n.

        Raises:
            GuestError: it could not be started.
        """
        _, status = os.waitpid(self.pid, 0)
        while self.terminal is not None and self.terminal.show():
            pass
        with os.fdopen(self.errors, "rb") as errors:
            problem = errors.read().decode("utf-8", "replace")
        if problem:
            raise GuestError(problem)
        return _status_of(status)


class _Start(NamedTuple):
    """What the processes between the agent and the program need to know."""

    order: dict[str, Any]
    node: NamespaceNode
    output: Path
    etc: Path
    report: int


def start_command(order: dict[str, Any], node: NamespaceNode, output: Path, etc: Path) -> Command:
    """Start the program.

    Args:
        order: what the host says of it (`testbed.engine.prepare.command`): ``argv, program, environment, folder, uid,
            gid, privileged, reads_all, hidden, visible, sealed, most_bytes, open_files``, and ``terminal``: its
            rows and columns, or None.
        node: where it runs.
        output: the guest's folder.
        etc: a folder in memory with the files that it finds in place of the host's (`FileView.set_up`).
    """
    errors, report = os.pipe()
    size = order["terminal"]
    terminal = None if size is None else Terminal((size[0], size[1]), output / "command.stdout")
    if terminal is not None:
        os.fchown(terminal.inner, order["uid"], order["gid"])
    streams = _open_streams(output) if terminal is None else (terminal.inner,) * 3
    pid = os.fork()
    if not pid:
        _run(_Start(order, node, output, etc, report), streams)
    os.close(report)
    for descriptor in set(streams):
        os.close(descriptor)
    return Command(pid, errors, terminal)


def _open_streams(output: Path) -> tuple[int, int, int]:
    stdin = output / "stdin"
    source = os.open(stdin if stdin.exists() else os.devnull, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return source, os.open(output / "command.stdout", flags), os.open(output / "command.stderr", flags)


def _run(start: _Start, streams: tuple[int, int, int]) -> NoReturn:
    """The process that the agent waits for."""
    status = 1
    try:
        start.node.namespace.enter()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        if start.order["privileged"]:
            _become_program(start)
        _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID), "make namespaces")
        first = os.fork()
        if not first:
            _be_first_process(start)
        os.close(start.report)
        _, ended = os.waitpid(first, 0)
        status = _status_of(ended)
    except BaseException:  # noqa: BLE001 - the child ends here whatever happened; its traceback is what is left of it
        traceback.print_exc()
        _tell(start.report, "the command could not be started; command.stderr says why")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _be_first_process(start: _Start) -> NoReturn:
    """Set the stage, start the program, and wait for it; whatever else it started ends with us."""
    status, order = 1, start.order
    try:
        socket.sethostname(start.node.name)
        outlook = FileView(order["hidden"], order["visible"], order["sealed"], order["uid"], order["gid"])
        outlook.set_up(output=start.output / COMMAND_FOLDER, etc=start.etc)
        program = os.fork()
        if not program:
            _become_program(start)
        os.close(start.report)
        ended = None
        while ended is None:
            pid, how = os.wait()
            ended = how if pid == program else None
        status = _status_of(ended)
    except BaseException as error:  # noqa: BLE001 - as above
        traceback.print_exc()
        _tell(start.report, f"the command could not be started: {error}")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become_program(start: _Start) -> NoReturn:
    """Give up what the program must not have, and become it."""
    order, report = start.order, start.report
    argv: list[str] = order["argv"]
    try:
        os.set_inheritable(report, False)  # noqa: FBT003 - the os module's
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if order["terminal"] is not None:
            take_control()
        resource.setrlimit(resource.RLIMIT_NOFILE, (order["open_files"],) * 2)
        if not order["privileged"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_bytes"],) * 2)
            resource.setrlimit(resource.RLIMIT_NPROC, (_MOST_PROCESSES,) * 2)
            Path("/proc/self/oom_score_adj").write_text(_FIRST_FOR_MEMORY)
            start.node.namespace.become_confined()
            _become_user(order["uid"], order["gid"], reads_all=order["reads_all"])
        os.chdir(order["folder"])
        os.execve(order["program"], argv, order["environment"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        _tell(report, f"the command {argv[0]!r} cannot be run: {error.strerror}: {error.filename or order['program']}")
    finally:
        os._exit(127)


def _become_user(uid: int, gid: int, *, reads_all: bool) -> None:
    """An ordinary user who may send any packet and change the node's network, and can never have more.

    Where root started the testbed from a folder that is root's alone, ``reads_all``: the program may read what only
    root may, in what it sees at all.
    """
    kept = (*_KEPT, _CAP_DAC_READ_SEARCH) if reads_all else _KEPT
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in kept:
            _libc.prctl(
                _PR_CAPBSET_DROP, capability, 0, 0, 0
            )  # one that this kernel does not know cannot be had either
    _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    mask = sum(1 << capability for capability in kept)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, struct.pack("=6I", mask, mask, mask, 0, 0, 0)), "set capabilities")
    for capability in kept:
        _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0), "pass capabilities on")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "refuse new privileges")


def _check(result: int, what: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {what}: {os.strerror(code)}")


def _status_of(status: int) -> int:
    """The exit status that a shell would show."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNAL_STATUS - code


def _tell(report: int, problem: str) -> None:
    with contextlib.suppress(OSError):
        os.write(report, problem.encode("utf-8", "replace"))


def read_order(output: Path) -> dict[str, Any]:
    """What the host says of the command."""
    order: dict[str, Any] = json.loads((output / "command.json").read_text())
    return order
