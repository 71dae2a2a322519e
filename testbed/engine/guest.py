"""One guest: our kernel as an ordinary process, with the host's files as its read-only root and one folder to write to.

The line to the agent is a pair of pipes that the kernel presents as a serial port. Whatever ends this process ends the
guest: the kernel dies with its parent (PR_SET_PDEATHSIG), its user processes with the kernel (PTRACE_O_EXITKILL, in our
patch). Nothing is mounted on the host, and Landlock keeps the guest from writing outside the run directory.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, Any, Self

import testbed
from testbed.engine.confine import restrict_writes
from testbed.errors import GuestError, MissingError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["MEMORY_MIB", "Guest"]

MEMORY_MIB = 512
_PR_SET_PDEATHSIG = 1
_SETTLE_S = 5  # the agent sets up before t = 0, in emulated time
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031
_GRACE_S = 5.0
_STATE = ".guest"
_UNQUOTABLE = '"\n\0'


class Guest:
    """A running guest; a context manager that leaves nothing behind.

    Args:
        kernel: the binary.
        folder: the run directory; ``plan.json`` is in it.
        start_ns: instant that is t = 0.
        seed: of the kernel's random numbers.
        virtual: with time travel, or at the pace of the wall clock.
        silence_s: the guest is ended when it says nothing for so long (wall clock).

    Raises:
        MissingError: no room for the guest's memory.
        RecordError: the path of the run directory cannot be handed to the kernel.
    """

    def __init__(
        self, kernel: Path, folder: Path, *, start_ns: int, seed: int, virtual: bool, silence_s: float
    ) -> None:
        self._folder = folder = folder.resolve()
        self._silence_s = silence_s
        self._doing = "booting"
        arguments = _arguments(folder, start_ns=start_ns, seed=seed, virtual=virtual)
        memory_folder = _memory_folder()
        self._state = folder / _STATE
        self._state.mkdir()
        to_guest_read, self._to_guest = os.pipe()
        self._from_guest, from_guest_write = os.pipe()
        fcntl.fcntl(from_guest_write, _F_SETPIPE_SZ, _PIPE_BYTES)
        line = ["ssl=null", f"ssl0=fd:{to_guest_read},fd:{from_guest_write}"]
        self._memory = Path(tempfile.mkdtemp(prefix="testbed-", dir=memory_folder))
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(self._state), "TMPDIR": str(self._memory)}

        def confine() -> None:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            restrict_writes([folder, self._memory], [Path(os.devnull)])

        with (folder / "guest.log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(kernel), *line, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=(to_guest_read, from_guest_write),
                start_new_session=True,
                preexec_fn=confine,  # noqa: PLW1509 - the program that runs this has one thread
            )
        os.close(to_guest_read)
        os.close(from_guest_write)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the agent says, until it has finished.

        Raises:
            GuestError: the guest failed, crashed, or said nothing for too long.
        """
        pending = b""
        heard = time.monotonic()
        while True:
            remaining = heard + self._silence_s - time.monotonic()
            if remaining <= 0:
                raise GuestError(
                    f"the guest said nothing for {self._silence_s:.0f} s and was ended; it was last {self._doing}"
                    f"{self._log_tail()}"
                )
            if not select([self._from_guest], [], [], min(remaining, 1.0))[0]:
                continue
            data = os.read(self._from_guest, 65_536)
            if not data:
                raise GuestError(
                    f"the guest ended with status {self._process.wait()} while it was {self._doing}{self._log_tail()}"
                )
            heard = time.monotonic()
            pending += data
            *lines, pending = pending.split(b"\n")
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                self._note(message)
                yield message
                if message["kind"] in {"finished", "failed"}:
                    return

    def _note(self, message: dict[str, Any]) -> None:
        if self._memory.exists():
            self._memory.rmdir()  # the kernel has opened and unlinked its file in it
        if message["kind"] == "progress":
            at = f"at t = {message['t']:.1f} s"
            self._doing = f"running {message['transfer']} {at}" if "transfer" in message else f"{message['what']} {at}"

    def _log_tail(self) -> str:
        lines = (self._folder / "guest.log").read_text(errors="replace").strip().splitlines()
        return "\n  guest.log: " + "\n  guest.log: ".join(lines[-5:]) if lines else ""

    def stop(self) -> None:
        """Ask the agent to end the run in good order."""
        if self._process.poll() is None:
            os.write(self._to_guest, b'{"kind":"stop"}\n')

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self._wait()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._to_guest)
        os.close(self._from_guest)
        shutil.rmtree(self._state, ignore_errors=True)
        shutil.rmtree(self._memory, ignore_errors=True)

    def _wait(self) -> None:
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return


def _arguments(folder: Path, *, start_ns: int, seed: int, virtual: bool) -> list[str]:
    """The kernel's arguments; what it does not know and has a ``=`` becomes the environment of init."""
    package = Path(testbed.__file__).resolve().parent
    environment = {
        "TESTBED_OUTPUT": str(folder),
        "TESTBED_PYTHON": sys.executable,
        "PYTHONPATH": str(package.parent),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SETUPTOOLS_USE_DISTUTILS": "stdlib" if sys.version_info < (3, 12) else "local",
        "LC_ALL": "C.UTF-8",
    }
    clock = ["time-travel=inf-cpu", f"time-travel-start={start_ns - _SETTLE_S * 1_000_000_000}"] if virtual else []
    return [
        f"mem={MEMORY_MIB}M",
        "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
        "con=null", "con0=null,fd:1",
        f"uml_dir={_STATE}/", "umid=guest",  # relative to the run directory: it becomes the name of a socket
        "quiet", "norandmaps", f"emulation_seed={seed}", *clock,
        *(f"{name}={_quoted(value)}" for name, value in environment.items()),
        "init=/bin/sh", "--", _quoted(str(package / "world" / "boot.sh")),
    ]  # fmt: skip


def _quoted(value: str) -> str:
    if any(character in value for character in _UNQUOTABLE):
        raise RecordError(f"the path {value!r} holds a character that a kernel command line cannot; choose another")
    return f'"{value}"' if " " in value else value


def _memory_folder() -> Path:
    """Where the guest's memory file goes: fastest first, if it has room and may be executed."""
    candidates = [Path("/dev/shm"), Path(tempfile.gettempdir())]  # noqa: S108 - the kernel unlinks its file at once
    for candidate in candidates:
        if not candidate.is_dir():
            continue
        status = os.statvfs(candidate)
        room = status.f_bavail * status.f_frsize
        if room >= MEMORY_MIB << 20 and not status.f_flag & os.ST_NOEXEC and os.access(candidate, os.W_OK):
            return candidate
    raise MissingError(
        f"no room for the guest's memory: {MEMORY_MIB} MB are needed in one of "
        f"{', '.join(map(str, candidates))}, not mounted noexec; free some, or set TMPDIR to a folder with room"
    )
