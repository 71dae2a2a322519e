"""One guest: our kernel as an ordinary process, with the host's files as its read-only root and one folder to write to.

The line to the agent is a pair of pipes that the kernel presents as a serial port. Whatever ends this process ends the
guest: the kernel dies with its parent (PR_SET_PDEATHSIG), its user processes with the kernel (PTRACE_O_EXITKILL, in our
patch). Nothing is mounted on the host, and the fences of `confine` stand around the guest.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, Self

import testbed
from testbed.engine.prepare.guest_code import DISTUTILS, guest_python
from testbed.engine.prepare.guest_memory import describe_lack_of_memory
from testbed.engine.uml.confine import (
    die_with_parent,
    give_up_privileges,
    raise_limits,
    refuse_system_calls,
    restrict_writes,
)
from testbed.engine.uml.processor import own_processor
from testbed.engine.uml.stall import StallWatch
from testbed.errors import GuestError, MissingError
from testbed.records.follow import Follower
from testbed.records.messages import guest_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.engine.engine import GuestSetup
    from testbed.records.messages import GuestMessage, HostMessage, Message, OutputMessage, StallMessage, Stream

__all__ = ["Guest"]

_NS_PER_S = 1_000_000_000
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
_GRACE_S = 5.0
_FIRST_STALL_S = 5.0  # of silence, before it is said what the guest is doing
_LOOK_S = 0.1  # how often a command's output is looked at
_LIVE_LOOK_S = 0.02  # where somebody types, and waits to see it
_LOOK_AT_ROOM_S = 1.0  # how often it is looked at what a command has written
_HARMLESS = ("check_one_sigio failed", "reboot: Power down")  # the first: Landlock gives the kernel no terminal to try
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_UNQUOTABLE = '"\n\0'


@contextlib.contextmanager
def postponed_signals() -> Iterator[None]:
    """Let signals that end the run wait until a process has been started.

    Python runs functions of its own library right after a fork, and an exception in one of them, such as the
    KeyboardInterrupt of a signal, is printed and forgotten.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def starting(program: str) -> Iterator[None]:
    """Say of a guest's process that cannot be started why, and let signals wait until it has been.

    Raises:
        MissingError: This machine does not run the program, or not within the fences.
    """
    try:
        with postponed_signals():
            yield
    except OSError as error:
        raise MissingError(f"{program} cannot be started: {error.filename or program}: {error.strerror}") from error
    except subprocess.SubprocessError as error:  # what was wrong between fork and exec is not told
        raise MissingError(
            f"{program} cannot be started within its fences: this machine, or the container, refuses the change of "
            "user, a limit, Landlock or seccomp; run testbed as another user than root, or with fewer restrictions"
        ) from error


class Guest:
    """A running guest; a context manager that leaves nothing behind.

    Args:
        setup: What it is started with.
        settle_s: With time travel: its clock begins so long before the start of the run. None: without; its clock is
            the host's.

    Raises:
        MissingError: The testbed is installed where no kernel can be told of it.
    """

    def __init__(self, setup: GuestSetup, *, settle_s: float | None) -> None:
        spool = setup.spool
        self._log = setup.log
        self._operator = setup.operator
        self._printed: dict[Stream, Follower] = {
            "stdout": Follower(spool.output / "command.stdout"),
            "stderr": Follower(spool.output / "command.stderr"),
        }
        self._silence_s = setup.silence_s
        self._spool = spool
        self._next_look = 0.0
        self._doing = "booting"
        self._processor = contextlib.ExitStack()
        self._process = self._boot(setup, settle_s)
        self._stall_watch = StallWatch(self._process.pid)
        self._stall_said = _FIRST_STALL_S

    def _boot(self, setup: GuestSetup, settle_s: float | None) -> subprocess.Popen[bytes]:
        """Start what the guest runs on, and open the line to its agent, both ways."""
        spool = self._spool
        arguments = _arguments(setup, settle_s)
        to_guest_read, self._to_guest = os.pipe()
        self._from_guest, from_guest_write = os.pipe()
        fcntl.fcntl(from_guest_write, _F_SETPIPE_SZ, _PIPE_BYTES)
        line = ["ssl=null", f"ssl0=fd:{to_guest_read},fd:{from_guest_write}"]
        spool.hand_over()
        environment = {"HOME": str(spool.kernel), "TMPDIR": str(spool.kernel)}
        writable = [spool.kernel, spool.output]
        # Only where the clock stands still meanwhile: at the pace of the wall clock, to wait for one processor of
        # several would be to be late.
        processor = None if settle_s is None else self._processor.enter_context(own_processor())

        # The order matters: limits while they may still be raised; the signal of the parent's death after the change of
        # user, which forgets it (prctl(2)); system calls last, since the fences before are made of some.
        def confine() -> None:
            if processor is not None:
                os.sched_setaffinity(0, {processor})
            raise_limits()
            give_up_privileges(writes_are_refused=True)
            die_with_parent()
            restrict_writes(writable, [Path(os.devnull)])
            refuse_system_calls()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)

        with setup.log.open("wb") as printed, starting(str(setup.kernel.path)):
            process = subprocess.Popen(
                [str(setup.kernel.path), *line, *arguments],
                cwd=spool.folder,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env=environment,
                pass_fds=(to_guest_read, from_guest_write),
                start_new_session=True,  # Ctrl-C is ours alone, and one kill reaches all that the kernel has started
                preexec_fn=confine,  # noqa: PLW1509 - the program that runs this has one thread
            )
        # A pipe ends when its last writer has closed it: with ours open, the end of a guest would not be heard.
        os.close(to_guest_read)
        os.close(from_guest_write)
        return process

    def messages(self) -> Iterator[Message]:
        """Yield what the agent says, until it has finished.

        Raises:
            GuestError: The guest failed, crashed, or said nothing for too long.
        """
        pending = b""
        heard = time.monotonic()
        while True:
            silent = time.monotonic() - heard
            remaining = self._silence_s - silent
            if remaining <= 0:
                raise GuestError(self._silence())
            yield from self._stall(silent)
            self._expect_room()
            for output in self._output():
                heard = time.monotonic()
                yield output
            ready = self._wait(remaining)
            if self._from_guest not in ready:
                continue
            data = self._heard()
            if not data:
                raise GuestError(
                    f"the guest ended with status {self._process.wait()} while it was {self._doing}{self._log_tail()}"
                )
            heard = time.monotonic()
            self._stall_watch.reset()
            self._stall_said = _FIRST_STALL_S
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                message = _message(line)
                self._note(message)
                if message["kind"] == "finished" or message["kind"] == "failed":
                    yield from self._output(to_the_end=True)
                    yield message
                    return
                if message["kind"] == "ended":  # what a program printed is told before its end
                    yield from self._output(to_the_end=True)
                yield message

    def _heard(self) -> bytes:
        """Return what has come from the guest; nothing: it has ended."""
        try:
            return os.read(self._from_guest, 65_536)
        except OSError as error:
            if error.errno == errno.EIO:  # so a terminal says that nobody is at its other end
                return b""
            raise

    def _wait(self, most_s: float) -> list[int]:
        """Wait until somebody says something, or for a little while; pass on what is said to the guest.

        What a command prints is in files, and nothing tells that a file has grown: hence many looks a second.

        Returns:
            The descriptors that are readable.
        """
        if self._operator is None:
            return select([self._from_guest], [], [], min(most_s, _LOOK_S))[0]
        ready = select([self._from_guest, *self._operator.sources()], [], [], min(most_s, _LIVE_LOOK_S))[0]
        for order in self._operator.orders(ready):
            self._tell(order)
        return ready

    def _expect_room(self) -> None:
        """Raise GuestError if a command fills the disk."""
        now = time.monotonic()
        if now < self._next_look:
            return
        if self._spool.is_overfull():
            raise GuestError(
                "the command filled /run/output far beyond what is taken over (1 GiB, 10000 files) and was ended; "
                "let it write less, or to /tmp, which is memory of the guest"
            )
        self._next_look = now + _LOOK_AT_ROOM_S

    def _output(self, *, to_the_end: bool = False) -> Iterator[OutputMessage]:
        """Yield what the command has printed since, as messages."""
        for stream, follower in self._printed.items():
            shown = "terminal" if self._operator is not None and self._operator.has_terminal else stream
            for data in follower.new(most=None) if to_the_end else follower.new():
                yield {"kind": "output", "stream": shown, "data": data}

    def _stall(self, silent_s: float) -> Iterator[StallMessage]:
        """Yield what a silent guest is doing, as a message, the first time after a while and then ever more seldom."""
        if silent_s >= 1:
            self._stall_watch.look()
        if silent_s >= self._stall_said and (doing := self._stall_watch.describe()):
            self._stall_said *= 3
            yield {"kind": "stall", "what": f"silent for {silent_s:.0f} s: {doing}"}

    def _silence(self) -> str:
        doing = self._stall_watch.describe()
        return (
            f"the guest said nothing for {self._silence_s:.0f} s and was ended; it was last {self._doing}"
            f"{f': {doing}' if doing else ''}{self._log_tail()}"
        )

    def _note(self, message: GuestMessage) -> None:
        """Remember what the guest does, to say it if nothing more is heard."""
        match message["kind"]:
            case "progress":
                self._doing = f"{message['what']} at t = {message['t']:.1f} s"
            case "open":
                self._doing = f"running a shell since t = {message['t']:.1f} s"
            case "transfer":
                self._doing = f"running {message['transfer']} at t = {message['t']:.1f} s"

    def _log_tail(self) -> str:
        """Return what the guest printed last; if it ran out of memory, that in words."""
        printed = self._log.read_text(errors="replace").strip().splitlines()
        if lack := describe_lack_of_memory("\n".join(printed)):
            return f"; {lack}"
        lines = [line for line in printed if not line.startswith(_HARMLESS)]
        return "\n  guest.log: " + "\n  guest.log: ".join(lines[-5:]) if lines else ""

    def stop(self) -> None:
        """Ask the agent to end the run in good order."""
        if self._process.poll() is None:
            self._tell({"kind": "stop"})

    def _tell(self, message: HostMessage) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is heard on the other pipe
            os.write(self._to_guest, json.dumps(message).encode() + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # In good order the agent powers the guest off, and the kernel writes out what it has. After a failure there is
        # nothing to wait for.
        if error[0] is None or isinstance(error[1], KeyboardInterrupt):
            self._wait_for_its_end()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for follower in self._printed.values():
            follower.close()
        os.close(self._to_guest)
        os.close(self._from_guest)
        self._processor.close()

    def _wait_for_its_end(self) -> None:
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return


def _message(line: bytes) -> GuestMessage:
    """Return what the agent said. Raises GuestError: it makes no sense."""
    try:
        return guest_message(json.loads(line))
    except ValueError as error:
        raise GuestError(f"the guest said what is no message: {line[:80]!r} ({error})") from error


def _arguments(setup: GuestSetup, settle_s: float | None) -> list[str]:
    """Return the kernel's arguments; what it does not know and has a ``=`` becomes the environment of init."""
    environment = {"TESTBED_PYTHON": str(guest_python()), "TESTBED_DISTUTILS": DISTUTILS}
    clock = []
    if settle_s is not None:
        clock = ["time-travel=inf-cpu", f"time-travel-start={setup.start_ns - round(settle_s * _NS_PER_S)}"]
    boot = Path(testbed.__file__).resolve().parent / "guest" / "boot.sh"
    return [
        f"mem={setup.memory_mib}M",
        "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
        "con=null", "con0=null,fd:1",
        "uml_dir=kernel/", "umid=guest",  # relative to the guest's folder: it becomes the name of a socket
        "quiet", "norandmaps", f"emulation_seed={setup.seed}", *clock,
        *(f"{name}={_quoted(value)}" for name, value in environment.items()),
        "init=/bin/sh", "--", _quoted(str(boot)),
    ]  # fmt: skip


def _quoted(value: str) -> str:
    if any(character in value for character in _UNQUOTABLE):
        raise MissingError(f"the path {value!r} cannot stand on a kernel's command line; install the testbed elsewhere")
    return f'"{value}"' if " " in value else value
