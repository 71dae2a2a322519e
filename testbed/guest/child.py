"""A child process of the testbed's own in the guest: it is ready before it counts, and reports when it is asked to end.

Boxes, captures, the replaying server and what else has to live as long as the run does are children. One that ends
before it is asked to makes the run worthless, so each has a descriptor to be watched, and says why it ended.
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
from typing import TYPE_CHECKING, Any, NoReturn

from testbed.errors import GuestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from testbed.guest.network.namespace import Namespace

__all__ = ["Child", "await_signal"]

_CHUNK = 65_536
_PR_SET_NAME = 15  # what ps shows, at most 15 bytes


class Child:
    """A child process; it runs from its construction on.

    Args:
        name: as messages call it, such as "the middlebox mobile-tspu".
        body: what it does. It is given a function to call once it is ready, and returns its report (plain JSON) after
            SIGTERM, for which it installs a handler of its own.
        namespace: the network namespace that it moves to first; None: that of its parent.

    Raises:
        GuestError: it ended before it was ready; with its own words.
    """

    def __init__(
        self, name: str, body: Callable[[Callable[[], None]], Any], namespace: Namespace | None = None
    ) -> None:
        self.name = name
        self._report, report = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._report)
            _run(name, body, namespace, report)
        os.close(report)
        self._descriptor = os.pidfd_open(self._pid)
        self._pending = b""
        if self._next_line() != {"ready": True}:
            raise self.early_end()

    def fileno(self) -> int:
        """A descriptor that is readable once the process has ended, for poll."""
        return self._descriptor

    def early_end(self) -> GuestError:
        """The error of a child that has ended without being asked to."""
        said = self._next_line()
        _, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        why = said["failed"] if said and "failed" in said else _how_ended(code)
        return GuestError(f"{self.name} ended before the run did: {why}")

    def stop(self) -> Any:
        """Ask it to end; return its report.

        Raises:
            GuestError: it had ended before, or ended without a report.
        """
        poll = select.poll()  # select() takes no descriptor above 1023, and eighty lines have more
        poll.register(self._descriptor, select.POLLIN)
        if poll.poll(0):
            raise self.early_end()
        os.kill(self._pid, signal.SIGTERM)
        said = self._next_line()
        if said is None or "report" not in said:
            raise self.early_end() if said is None else GuestError(f"{self.name} failed at its end: {said['failed']}")
        os.waitpid(self._pid, 0)
        os.close(self._descriptor)
        os.close(self._report)
        return said["report"]

    def _next_line(self) -> dict[str, Any] | None:
        """What it says next; None: it has ended and says nothing more."""
        while b"\n" not in self._pending:
            data = os.read(self._report, _CHUNK)
            if not data:
                return None
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        said: dict[str, Any] = json.loads(line)
        return said


def _run(name: str, body: Callable[[Callable[[], None]], Any], namespace: Namespace | None, report: int) -> NoReturn:
    def say(**words: Any) -> None:
        data = json.dumps(words).encode() + b"\n"
        while data:
            data = data[os.write(report, data) :]

    status = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.removeprefix("the ").encode(), 0, 0, 0)
        if namespace is not None:
            namespace.enter()
        say(report=body(lambda: say(ready=True)))
        status = 0
    except BaseException as error:  # noqa: BLE001 - the child ends here whatever happened, and says what
        traceback.print_exc()
        with contextlib.suppress(OSError):
            say(failed=f"{type(error).__name__}: {error}")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _how_ended(code: int) -> str:
    """An exit code in words; a negative one is a signal."""
    if code >= 0:
        return f"exit status {code}"
    return f"signal {-code} ({signal.Signals(-code).name})"


def await_signal() -> int:
    """Make SIGTERM wake a poll instead of ending the process; return the descriptor that becomes readable then."""
    awake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGTERM, lambda *_: None)
    return awake
