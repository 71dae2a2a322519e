"""Run a program with bounds on its time and on what it may write, in memory that depends on neither."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from testbed.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

__all__ = ["Done", "OutputTooLongError", "run_bounded"]

_PIECE: Final = 1 << 16


class OutputTooLongError(InputError):
    """The program wrote more than it may."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended, what it wrote, and the last of what it said on stderr."""

    status: int
    stdout: bytes
    stderr: bytes


def run_bounded(arguments: Sequence[str], given: bytes, *, timeout_s: float, most_bytes: int, tail: int) -> Done:
    """Run a program to its end, in a process group of its own, of which nothing is left afterwards.

    The program's end is the end: a process that it started and that still holds its pipes is not waited for.

    Args:
        arguments: Program and arguments.
        given: What it finds on stdin. It need not read it.
        timeout_s: Seconds that it may take.
        most_bytes: Bytes that it may write on stdout.
        tail: Bytes of stderr to keep.

    Raises:
        OSError: It cannot be started.
        TimeoutError: It took longer.
        OutputTooLongError: It wrote more.
    """
    if not hasattr(os, "pidfd_open"):
        return _run_with_files(arguments, given, timeout_s=timeout_s, most_bytes=most_bytes, tail=tail)
    child = subprocess.Popen(
        # a session of its own, so that whatever it starts can be ended with it
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        return _Conversation(child, given, most_bytes, tail).until(time.monotonic() + timeout_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _run_with_files(arguments: Sequence[str], given: bytes, *, timeout_s: float, most_bytes: int, tail: int) -> Done:
    """As `run_bounded`, where nothing tells of a process's end but waiting for it: on platforms other than Linux.

    What the program writes goes into files, so that nobody holds a pipe open. How much that is, is known at its end.
    """
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        child = subprocess.Popen(arguments, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True)
        try:
            status = child.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        finally:
            # Its children are ended with it where there are groups of processes.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(child.pid, signal.SIGKILL)
                elif child.poll() is None:
                    child.kill()
            child.wait()
        # Looked at before it is read: it need not fit into memory.
        written = stdout.seek(0, os.SEEK_END)
        if written > most_bytes:
            raise OutputTooLongError
        stdout.seek(0)
        said = stderr.seek(0, os.SEEK_END)
        stderr.seek(max(0, said - tail))
        return Done(status, stdout.read(), stderr.read())


@dataclass(slots=True)
class _Conversation:
    """What is still to be given, and what came back."""

    child: subprocess.Popen[bytes]
    given: bytes
    most_bytes: int
    tail: int
    sent: int = 0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)

    def until(self, deadline: float) -> Done:
        """Talk until the program ends."""
        # The end of its pipes would not do: a grandchild may hold them open for days. A descriptor of the process tells
        # when the program itself has ended.
        ended = os.pidfd_open(self.child.pid)
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(ended, selectors.EVENT_READ)
                for pipe, events in (
                    (self.child.stdin, selectors.EVENT_WRITE),
                    (self.child.stdout, selectors.EVENT_READ),
                    (self.child.stderr, selectors.EVENT_READ),
                ):
                    if pipe is not None:
                        os.set_blocking(
                            pipe.fileno(), False
                        )  # "ready" is a hint, and a write may be larger than the room
                        selector.register(pipe, events, pipe)
                self._talk(selector, ended, deadline)
        finally:
            os.close(ended)
        return Done(self.child.wait(), bytes(self.stdout), bytes(self.stderr))

    def _talk(self, selector: selectors.BaseSelector, ended: int, deadline: float) -> None:
        while True:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            for key, _ in ready:
                if key.fileobj is self.child.stdin:
                    self._give(selector)
                elif key.fileobj != ended:
                    self._take(selector, key.data)
            if any(key.fileobj == ended for key, _ in ready):
                self._take_the_rest(selector)
                return
            if time.monotonic() >= deadline:
                raise TimeoutError

    def _give(self, selector: selectors.BaseSelector) -> None:
        pipe = self.child.stdin
        if pipe is None:
            return
        with contextlib.suppress(BrokenPipeError):  # it has closed its stdin: it need not read what it is given
            if self.sent < len(self.given):
                self.sent += os.write(pipe.fileno(), self.given[self.sent : self.sent + _PIECE])
                return
        selector.unregister(pipe)
        with contextlib.suppress(OSError):
            pipe.close()

    def _take(self, selector: selectors.BaseSelector, pipe: IO[bytes]) -> bool:
        """Read a piece; return whether there may be more."""
        try:
            piece = os.read(pipe.fileno(), _PIECE)
        except BlockingIOError:
            return False
        if not piece:
            selector.unregister(pipe)
            return False
        if pipe is self.child.stdout:
            self.stdout += piece
            if len(self.stdout) > self.most_bytes:
                raise OutputTooLongError
        else:
            self.stderr += piece
            del self.stderr[: -self.tail]  # the last words tell why it failed
        return True

    def _take_the_rest(self, selector: selectors.BaseSelector) -> None:
        """What the program wrote before it ended is in the pipes; what others write on, up to a limit, too."""
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is None or pipe not in selector.get_map():
                continue
            for _ in range(self.most_bytes // _PIECE + 2):  # a grandchild that goes on writing is not read for ever
                if not self._take(selector, pipe):
                    break
