"""A user's program on the client: an ordinary user, on a machine that looks like the host but for the network.

The program is not trusted. It runs in namespaces of its own for mounts, processes, host name and System V objects: it
sees its own processes, its own folder to write to, and nothing of the plan, the ground truth or the captures. It may
send any packet and change its own node's network, since measurement and evasion programs do, and has no other
privilege.

On the machine's own kernel (`testbed.guest.contained`) the namespace knows one user alone, root, who is nobody but the
caller outside. There a program is that user, with the same few capabilities over its node's network and no others.

Three processes: one that the agent waits for, the first process of the new process namespace (when it ends, the
kernel ends all that the program left behind), and the program.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from testbed.errors import GuestError
from testbed.guest.child import fork
from testbed.guest.file_view import FileView
from testbed.guest.machine import stand_behind
from testbed.guest.terminal import Terminal, take_control

if TYPE_CHECKING:
    from collections.abc import Collection

    from testbed.guest.network.node import NamespaceNode
    from testbed.records.messages import CommandOrder

__all__ = ["COMMAND_FOLDER", "Program", "read_order", "start_program"]

COMMAND_FOLDER = "output"  # below the guest's folder; the program sees it as /run/output
_CLONE_NEWNS, _CLONE_NEWUTS, _CLONE_NEWIPC, _CLONE_NEWPID = 0x20000, 0x4000000, 0x8000000, 0x20000000
_PR_CAPBSET_DROP, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 24, 8, 38, 47, 2
_CAP_DAC_READ_SEARCH, _CAP_NET_BIND_SERVICE, _CAP_NET_ADMIN, _CAP_NET_RAW = 2, 10, 12, 13
_LAST_CAPABILITY = 40
_KEPT = (_CAP_NET_BIND_SERVICE, _CAP_NET_ADMIN, _CAP_NET_RAW)
# Who may administer the network of a node without a fence could administer every other.
_KEPT_IN_THE_OPEN = (_CAP_NET_BIND_SERVICE, _CAP_NET_RAW)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_CAPABILITY_VERSION_3 = 0x20080522
_SIGNAL_STATUS = 128  # what a shell adds to a signal's number
_CANNOT_BE_RUN = 127  # what a shell says of a program that is not there
_RNDRESEEDCRNG = 0x5207  # random(4)
_BEGIN_NS = 20_000_000  # a program begins at a multiple of this; all before it takes a hundredth of it
_MOST_PROCESSES = 1024  # of the program, threads counted: each is one of the host's, too
_PROCESS_KIB = 1024  # memory for each of them: a forked interpreter takes 0.75 MB
_FIRST_FOR_MEMORY = "1000"  # proc_pid_oom_score_adj(5): whatever lacks memory, it is the program that has to end
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Program:
    """A running program.

    Attributes:
        pid: Of the process that ends when the program and all that it started have ended.
        errors: Where it says why the program could not be started; empty at its end if it could.
        terminal: The terminal that it has; None: it has none.
    """

    pid: int
    errors: int
    terminal: Terminal | None
    _descriptor: int = -1

    def __post_init__(self) -> None:
        self._descriptor = os.pidfd_open(self.pid)

    def fileno(self) -> int:
        """Return a descriptor that is readable once it has ended, for poll."""
        return self._descriptor

    def send(self, number: int) -> None:
        """Send a signal to a program that was started with ``is_signalled``; SIGKILL ends all that it started, too.

        Other signals wait until it runs: those who start it ignore them, and a signal would be lost.
        """
        if number != signal.SIGKILL:
            select.select([self.errors], [], [])  # open until the program is executed, or told that it cannot be
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def status(self) -> int:
        """Return the exit status of the program, which has ended; 128 + n for signal n. To be called once.

        Raises:
            GuestError: It could not be started.
        """
        _, status = os.waitpid(self.pid, 0)
        os.close(self._descriptor)
        while self.terminal is not None and self.terminal.show():
            pass
        with os.fdopen(self.errors, "rb") as errors:
            problem = errors.read().decode("utf-8", "replace")
        if problem:
            raise GuestError(problem)
        return _status_of(status)


@dataclass(frozen=True, slots=True)
class _Start:
    """What the processes between the agent and the program need to know.

    Attributes:
        order: What the host says of the program.
        node: Where it runs.
        output: The guest's folder.
        etc: Its files of /etc.
        report: A pipe to the agent, for the reason why the program cannot be started.
        is_signalled: Signals to its process group are for the program: those around it wait for its end.
        is_contained: The kernel is the machine's own.
    """

    order: CommandOrder
    node: NamespaceNode
    output: Path
    etc: Path
    report: int
    is_signalled: bool
    is_contained: bool

    def tell(self, problem: str) -> None:
        """Tell the agent why the program cannot be started; it may be gone."""
        with contextlib.suppress(OSError):
            os.write(self.report, problem.encode("utf-8", "replace"))


def start_program(
    order: CommandOrder,
    node: NamespaceNode,
    output: Path,
    etc: Path,
    *,
    is_signalled: bool = False,
    is_contained: bool = False,
) -> Program:
    """Start the program.

    Args:
        order: What the host says of it.
        node: Where it runs.
        output: The guest's folder.
        etc: A folder in memory with the files that it finds in place of the host's (`FileView.set_up`).
        is_signalled: It gets a process group of its own, and signals to that (`Program.send`).
        is_contained: The kernel is the machine's own, and we are root of a user namespace that knows nobody else.
    """
    if is_contained:
        order = {**order, "uid": 0, "gid": 0, "reads_all": False}
    errors, report = os.pipe()
    size = order["terminal"]
    terminal = None if size is None else Terminal((size[0], size[1]), output / "command.stdout")
    if terminal is not None:
        os.fchown(terminal.inner, order["uid"], order["gid"])
    streams = _open_streams(output) if terminal is None else (terminal.inner,) * 3
    start = _Start(order, node, output, etc, report, is_signalled, is_contained)
    pid = fork(
        lambda: _wait_outside(start, streams),
        failed=lambda _: start.tell("the command could not be started; command.stderr says why"),
    )
    os.close(report)
    if is_signalled:
        os.setpgid(pid, pid)  # here, and not in the child: a signal may come before that has run
    for descriptor in set(streams):
        os.close(descriptor)
    return Program(pid, errors, terminal)


def _open_streams(output: Path) -> tuple[int, int, int]:
    stdin = output / "stdin"
    source = os.open(stdin if stdin.exists() else os.devnull, os.O_RDONLY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return source, os.open(output / "command.stdout", flags), os.open(output / "command.stderr", flags)


def _wait_outside(start: _Start, streams: tuple[int, int, int]) -> int:
    """The process that the agent waits for. It makes the namespaces; only a child of it is in the one of processes."""
    if start.is_signalled:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
    start.node.namespace.enter()
    # From here on what goes wrong is printed where the user looks for it.
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    if start.order["privileged"]:
        return _become_program(start)
    if start.is_contained:
        _be_first_for_memory()  # now: the program's own /proc is read-only
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWPID), "make namespaces")
    first = fork(
        lambda: _be_first_process(start),
        failed=lambda error: start.tell(f"the command could not be started: {error}"),
    )
    os.close(start.report)
    _, ended = os.waitpid(first, 0)
    return _status_of(ended)


def _be_first_process(start: _Start) -> int:
    """Arrange what the program sees, start it, and wait for it; whatever else it started ends with us."""
    order = start.order
    socket.sethostname(start.node.name)
    view = FileView(
        order["hidden"], order["visible"], order["sealed"], order["uid"], order["gid"], is_contained=start.is_contained
    )
    view.set_up(output=start.output / COMMAND_FOLDER, etc=start.etc)
    if not start.is_contained:  # where no two runs are equal, and the generator is the machine's
        _begin_as_ever()
    program = fork(lambda: _become_program(start))
    os.close(start.report)
    ended = None
    while ended is None:  # every orphan becomes ours: others end before the program does
        pid, how = os.wait()
        ended = how if pid == program else None
    return _status_of(ended)


def _begin_as_ever() -> None:
    """Let the program begin alike however much of the caller's folders it is shown.

    Each mount takes some of the guest's time, and each folder that is made for it a random number: with either, every
    key and every packet after it would be another.
    """
    urandom = os.open("/dev/urandom", os.O_RDONLY | os.O_CLOEXEC)
    fcntl.ioctl(urandom, _RNDRESEEDCRNG)  # a new key, from the run's seed: what was drawn before has no part in it
    os.close(urandom)
    time.sleep((_BEGIN_NS - time.time_ns() % _BEGIN_NS) / 1e9)


def _become_program(start: _Start) -> int:
    """Give up what the program must not have, and become it; return the exit status of one that cannot be run."""
    order, argv = start.order, start.order["argv"]
    try:
        # Python ignores or catches these, and a program that is executed inherits what is ignored.
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ, *(_SIGNALS if start.is_signalled else ())):
            signal.signal(number, signal.SIG_DFL)
        if order["terminal"] is not None:
            take_control()
        stand_behind()
        # Limits while this is still root: they may be lowered later, and never raised.
        resource.setrlimit(resource.RLIMIT_NOFILE, (order["open_files"],) * 2)
        if not order["privileged"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_bytes"],) * 2)
            resource.setrlimit(resource.RLIMIT_NPROC, (_most_processes(),) * 2)
            if not start.is_contained:
                _be_first_for_memory()
            start.node.namespace.become_confined()
            kept = _KEPT if start.node.is_fenced else _KEPT_IN_THE_OPEN
            _become_user(order["uid"], order["gid"], kept=(*kept, _CAP_DAC_READ_SEARCH) if order["reads_all"] else kept)
        os.chdir(order["folder"])  # as the user: a folder that they may not enter is refused as their shell would
        os.execve(order["program"], argv, order["environment"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        start.tell(f"the command {argv[0]!r} cannot be run: {error.strerror}: {error.filename or order['program']}")
    return _CANNOT_BE_RUN


def _most_processes() -> int:
    """Return how many processes the program may have: as many as memory is there for.

    A guest whose memory is full of processes ends one, and then reads pages of programs again and again.
    """
    [available] = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return min(_MOST_PROCESSES, int(available.split()[1]) // _PROCESS_KIB)


def _be_first_for_memory() -> None:
    Path("/proc/self/oom_score_adj").write_text(_FIRST_FOR_MEMORY)


def _become_user(uid: int, gid: int, *, kept: Collection[int]) -> None:
    """An ordinary user who has a few capabilities, and can never have more.

    Where root started the testbed from a folder that is root's alone, the program may read what only root may
    (CAP_DAC_READ_SEARCH), in what it sees at all.
    """
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in kept:
            # No error is one: what this kernel does not know cannot be had either.
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _check(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0), "keep capabilities")
    if uid != os.geteuid():  # or the namespace knows nobody else, and lets no groups be set
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
    """Return the exit status that a shell would show."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNAL_STATUS - code


def read_order(path: Path) -> CommandOrder:
    """Return what the host says of a command."""
    return cast("CommandOrder", json.loads(path.read_text()))  # the host has just written it
