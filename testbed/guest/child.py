"""Child processes of the testbed's own in the guest, of two kinds.

    Child    works as long as the run does: it says when it is ready, ends on SIGTERM, and reports
    Task     ends by itself, and its exit status says how

Boxes, captures, the replaying server and what else a run cannot do without are children. One that ends before it is
asked to makes the run worthless, so each has a descriptor to be watched, and says why it ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import traceback
from typing import TYPE_CHECKING, Generic, Protocol, TypedDict, TypeVar, cast

from testbed.errors import GuestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.guest.network.namespace import Namespace

__all__ = ["Child", "Lifetime", "Service", "Task", "fork"]

_CHUNK = 65_536
_PR_SET_NAME = 15  # what ps shows, at most 15 bytes
Report = TypeVar("Report")


class Service(Protocol):
    """A process that a run cannot do without: the agent watches it, and ends it when the run is over."""

    def fileno(self) -> int:
        """Return a descriptor that is readable once the process has ended, for poll."""

    def early_end(self) -> GuestError:
        """Return the error of a process that has ended without being asked to."""

    def stop(self) -> object:
        """Ask it to end. Raises GuestError if it had ended before."""


class _Said(TypedDict, total=False):
    """What a child says to its parent, one JSON object a line: one of these keys."""

    ready: bool
    report: object
    failed: str


def fork(body: Callable[[], int], *, failed: Callable[[BaseException], None] | None = None) -> int:
    """Run a function in a child process.

    The child ends here whatever happens: nothing of the parent's, such as a handler that powers the guest off, may run
    in it a second time.

    Args:
        body: Returns the exit status.
        failed: Told of an exception, after its traceback has been printed; the exit status is 1 then.

    Returns:
        The child's process id.
    """
    # Nothing is flushed before: the lock of a stream looks at the clock, which moves it on in virtual time, and with it
    # every packet after this.
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        status = body()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    except BaseException as error:  # noqa: BLE001 - the child ends here whatever happened, and says what
        traceback.print_exc()
        if failed is not None:
            with contextlib.suppress(OSError):  # nobody may be there to be told
                failed(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


class Lifetime:
    """What a child's body is given: it says that it is ready, and learns that it is to end.

    Args:
        say: Tells the parent.
    """

    def __init__(self, say: Callable[[_Said], None]) -> None:
        self._say = say
        # SIGTERM wakes a poll instead of ending the process: what is under way is finished, and there is a report.
        self._ending, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGTERM, lambda *_: None)

    def ready(self) -> None:
        """The parent goes on from here."""
        self._say({"ready": True})

    def fileno(self) -> int:
        """Return a descriptor that is readable once the child is to end, for poll."""
        return self._ending


class Child(Generic[Report]):
    """A child process that works as long as the run does; it runs from its construction on.

    Args:
        name: As messages call it, such as "the middlebox mobile-tspu".
        body: What it does. It calls `Lifetime.ready`, works until `Lifetime` is readable, and returns its report, which
            is plain JSON.
        namespace: The network namespace that it moves to first; None: that of its parent.

    Raises:
        GuestError: It ended before it was ready; with its own words.
    """

    def __init__(self, name: str, body: Callable[[Lifetime], Report], namespace: Namespace | None = None) -> None:
        self.name = name
        self._said, write = os.pipe()
        self._pid = fork(lambda: self._work(body, namespace, write), failed=lambda error: _say(write, _failure(error)))
        os.close(write)
        self._descriptor = os.pidfd_open(self._pid)
        self._pending = b""
        first = self._next_line()
        if first != {"ready": True}:
            raise self._early_end(first)

    def _work(self, body: Callable[[Lifetime], Report], namespace: Namespace | None, write: int) -> int:
        os.close(self._said)
        ctypes.CDLL(None).prctl(_PR_SET_NAME, self.name.removeprefix("the ").encode(), 0, 0, 0)
        if namespace is not None:
            namespace.enter()
        report = body(Lifetime(lambda said: _say(write, said)))
        _say(write, {"report": report})
        return 0

    def fileno(self) -> int:
        """Return a descriptor that is readable once the process has ended, for poll."""
        return self._descriptor

    def early_end(self) -> GuestError:
        """Return the error of a child that has ended without being asked to."""
        return self._early_end(self._next_line())

    def _early_end(self, said: _Said | None) -> GuestError:
        """Return the error, from the last that it said."""
        _, status = os.waitpid(self._pid, 0)
        why = said["failed"] if said and "failed" in said else _how_ended(os.waitstatus_to_exitcode(status))
        return GuestError(f"{self.name} ended before the run did: {why}")

    def stop(self) -> Report:
        """Ask it to end; return its report.

        Raises:
            GuestError: It had ended before, or ended without a report.
        """
        poll = select.poll()  # select() takes no descriptor above 1023, and eighty lines have more
        poll.register(self._descriptor, select.POLLIN)
        if poll.poll(0):
            raise self.early_end()
        os.kill(self._pid, signal.SIGTERM)
        said = self._next_line()
        if said is None:
            raise self._early_end(None)
        if "report" not in said:
            raise GuestError(f"{self.name} failed at its end: {said['failed']}")
        os.waitpid(self._pid, 0)
        os.close(self._descriptor)
        os.close(self._said)
        return cast("Report", said["report"])  # our own code has written it, on the other side of the pipe

    def _next_line(self) -> _Said | None:
        """Return what it says next; None: it has ended and says nothing more."""
        while b"\n" not in self._pending:
            data = os.read(self._said, _CHUNK)
            if not data:
                return None
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        return cast("_Said", json.loads(line))


class Task:
    """A child process that ends by itself; it runs from its construction on.

    Args:
        body: Returns the exit status.
        namespace: The network namespace that it moves to first.
    """

    def __init__(self, body: Callable[[], int], namespace: Namespace) -> None:
        def work() -> int:
            namespace.enter()
            return body()

        self._pid = fork(work)
        self._descriptor = os.pidfd_open(self._pid)

    def fileno(self) -> int:
        """Return a descriptor that is readable once it has ended, for poll."""
        return self._descriptor

    def status(self) -> int:
        """Wait for its end; return its exit status, or -n for signal n. To be called once."""
        _, status = os.waitpid(self._pid, 0)
        os.close(self._descriptor)
        return os.waitstatus_to_exitcode(status)


def _say(write: int, said: _Said) -> None:
    data = json.dumps(said).encode() + b"\n"
    while data:
        data = data[os.write(write, data) :]


def _failure(error: BaseException) -> _Said:
    return {"failed": f"{type(error).__name__}: {error}"}


def _how_ended(code: int) -> str:
    """Return an exit code in words; a negative one is a signal."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal {-code} ({signal.Signals(-code).name})"
