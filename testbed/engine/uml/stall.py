"""What a silent guest is doing, seen from the host: which of its programs has the processor, and whether time passes.

Our kernel writes into the title of its process (title.patch) which of the guest's processes runs, its last system call,
the number of calls, and the guest's clock. Two looks at it tell apart a program that computes, one that polls, and a
guest in which everybody waits; none of them costs the guest anything.

Not for: ending a guest (guest.py), or the engine without a kernel of our own.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Activity", "StallWatch", "describe_stall", "read_activity"]

# The form that title.patch fills in; the numbers are hexadecimal.
_TITLE = re.compile(
    rb"guest runs (?P<program>.{16}) pid (?P<pid>[0-9a-f]{8}) call (?P<call>[0-9a-f]{4})"
    rb" calls (?P<calls>[0-9a-f]{16}) clock (?P<clock>[0-9a-f]{16})",
    re.DOTALL,
)
_NO_CALL = 0xFFFF
_IDLE = 0  # the process that runs when no other can

# Of the x86-64 table, those in which programs wait or poll.
_CALL_NAMES = {
    0: "read", 1: "write", 7: "poll", 23: "select", 24: "sched_yield", 35: "nanosleep", 39: "getpid", 44: "sendto",
    45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 61: "wait4", 96: "gettimeofday", 201: "time", 202: "futex",
    228: "clock_gettime", 230: "clock_nanosleep", 232: "epoll_wait", 247: "waitid", 270: "pselect6", 271: "ppoll",
    281: "epoll_pwait",
}  # fmt: skip

_KERNEL_BUSY = 0.5  # share of the time that the kernel's own process computes
_REALTIME = "a program that waits so needs a clock that runs on: --engine realtime"
_FIELDS_AFTER_NAME = 2  # of /proc/PID/stat: what follows the name in parentheses begins with field 3
_USER_TICKS, _SYSTEM_TICKS = 14, 15


@dataclass(frozen=True, slots=True)
class Activity:
    """One look at a guest.

    Args:
        program: Name of the guest's program on the processor, escaped for a terminal.
        pid: Its number inside the guest; 0 when nobody wants the processor.
        call: Number of its last system call; None where it has made none since it was switched to.
        calls: System calls of the whole guest since its start.
        clock_s: What the guest's clock shows, in seconds since its start.
        kernel_s: Processor time that the guest's kernel has used, without its programs.
    """

    program: str
    pid: int
    call: int | None
    calls: int
    clock_s: float
    kernel_s: float


def read_activity(host_pid: int) -> Activity | None:
    """Look at a guest once.

    Args:
        host_pid: The guest's kernel, as a process of the host.

    Returns:
        What it does; None where it has ended or its kernel has no such title. Never raises.
    """
    process = Path("/proc") / str(host_pid)
    try:
        title = _TITLE.match((process / "cmdline").read_bytes())
        ticks = (process / "stat").read_bytes().rpartition(b")")[2].split()
        used = sum(int(ticks[field - _FIELDS_AFTER_NAME - 1]) for field in (_USER_TICKS, _SYSTEM_TICKS))
    except (OSError, ValueError, IndexError):
        return None
    if title is None:
        return None
    call = int(title["call"], 16)
    return Activity(
        program=_printable(title["program"]),
        pid=int(title["pid"], 16),
        call=None if call == _NO_CALL else call,
        calls=int(title["calls"], 16),
        clock_s=int(title["clock"], 16) / 1e9,
        kernel_s=used / os.sysconf("SC_CLK_TCK"),
    )


def describe_stall(host_pid: int, *, over_s: float = 0.3) -> str | None:
    """Say what a guest is doing, from two looks.

    Args:
        host_pid: The guest's kernel, as a process of the host.
        over_s: Time between the looks.
    """
    watch = StallWatch(host_pid)
    watch.look()
    time.sleep(over_s)
    watch.look()
    return watch.describe()


class StallWatch:
    """Looks at a guest now and then, and says what it has been doing since the first look that shows the same.

    Args:
        host_pid: The guest's kernel, as a process of the host.
        clock: Seconds, of the host.
        read: Makes one look.
    """

    def __init__(
        self,
        host_pid: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[int], Activity | None] = read_activity,
    ) -> None:
        self._host_pid = host_pid
        self._clock = clock
        self._read = read
        self.reset()

    def reset(self) -> None:
        """Forget what was seen: the guest has spoken."""
        self._first: tuple[float, Activity] | None = None
        self._last: tuple[float, Activity] | None = None

    def look(self) -> None:
        """Look once more; cheap enough for once a second."""
        seen = self._read(self._host_pid)
        if seen is None:
            self.reset()
            return
        look = (self._clock(), seen)
        if self._first is None or self._last is None:
            self._first = look
        elif _changed(self._first[1], self._last[1], seen):
            self._first = self._last
        self._last = look

    def describe(self) -> str | None:
        """Return one sentence, or None where two looks have not been made."""
        if self._first is None or self._last is None or self._first is self._last:
            return None
        (began, before), (now, after) = self._first, self._last
        return _describe(before, after, now - began)


def _changed(first: Activity, last: Activity, now: Activity) -> bool:
    """Return whether the guest does something else than it did between the first look and the last."""
    return now.pid != first.pid or (last.calls == first.calls) != (now.calls == last.calls)


def _describe(before: Activity, after: Activity, elapsed_s: float) -> str:
    who = f"{after.program} (process {after.pid} of the guest)"
    passed = after.clock_s - before.clock_s
    calls = after.calls - before.calls
    if after.pid == before.pid == _IDLE:
        return f"everybody in the guest waits; its clock went on by {passed:.0f} s in {elapsed_s:.0f} s"
    if after.pid != before.pid:
        return f"its programs take turns, now {who}; its clock went on by {passed:.3f} s in {elapsed_s:.0f} s"
    if not calls and after.kernel_s - before.kernel_s > _KERNEL_BUSY * elapsed_s:
        return f"the guest's kernel has worked for {elapsed_s:.0f} s on {_call(after.call)} of {who}"
    if not calls:
        return (
            f"{who} has computed for {elapsed_s:.0f} s without a system call, and no time passes while it does; "
            f"if it waits for another thread, {_REALTIME}"
        )
    rate = calls / elapsed_s if elapsed_s else 0.0
    return (
        f"{who} makes {rate:,.0f} system calls a second, the last {_call(after.call)}, and never waits; "
        f"the guest's clock went on by {passed:.3f} s in {elapsed_s:.0f} s; {_REALTIME}"
    )


def _call(number: int | None) -> str:
    if number is None:
        return "a call"
    return _CALL_NAMES.get(number, f"system call {number}")


def _printable(name: bytes) -> str:
    text = name.split(b"\0", 1)[0].decode(errors="replace").strip()
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
