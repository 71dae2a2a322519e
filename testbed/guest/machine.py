"""What is done to a whole machine: its clock is set, its processor is shared, it is powered off. Only in our guest.

The agent is an ordinary Python program, and somebody may start it by hand, as root, on a host or in a container. There
it has to end before it has done anything. Three signs have to come together, and the second cannot be had elsewhere:

    process 1               the agent is the guest's init; on a host, somebody else is
    hostfs as the root      a file system of User-Mode Linux alone (fs/hostfs depends on UML): no kernel of a real or
                            virtual machine has it, and a container has its host's kernel
    emulation_seed=         our kernel's own parameter (seed.patch), so it is no other User-Mode Linux either
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.errors import GuestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["mapped_at_once", "power_off", "require_guest", "set_clock", "stand_behind", "take_turns"]

_HOSTFS = 0x00C0FFEE  # HOSTFS_SUPER_MAGIC, fs/hostfs/hostfs_kern.c
_OURS = "emulation_seed="
_POWER_OFF = 0x4321FEDC  # LINUX_REBOOT_CMD_POWER_OFF, reboot(2)
_MCL_FUTURE = 2  # mlockall(2)
_SCHEDULING = Path("/proc/sys/kernel")
_TURN_MS = 10  # of a process that never waits: one tick of the kernel's clock
_OURS_FIRST, _PROGRAMS = 2, 1  # sched(7): the higher priority runs first
_STATFS_BYTES = 256  # struct statfs has 120 on x86-64; its first field, a long, is the file system's type
_libc = ctypes.CDLL(None, use_errno=True)


def require_guest() -> None:
    """Check that this process is the first one of our guest.

    Raises:
        GuestError: It is not; the message says by what that was seen.
    """
    signs = {
        f"this is process {os.getpid()}, not the first one": os.getpid() == 1,
        "the root is no hostfs": _root_type() == _HOSTFS,
        "the kernel was not started by the testbed": _OURS in Path("/proc/cmdline").read_text(errors="replace"),
    }
    missing = [sign for sign, is_there in signs.items() if not is_there]
    if missing:
        raise GuestError(
            f"this program sets clocks and powers machines off, and here is no guest of the testbed's "
            f"({'; '.join(missing)}): nothing was done; use testbed run"
        )


def set_clock(instant_ns: int) -> None:
    """Set the guest's calendar, nanoseconds since 1970. Raises GuestError outside a guest."""
    require_guest()
    time.clock_settime_ns(time.CLOCK_REALTIME, instant_ns)


def take_turns() -> None:
    """Let processes run in the order in which they are woken, this one and all that will come of it.

    The kernel's fair scheduler prefers who has computed less so far, before the last time that all waited, too. Where
    the clock stands still while they compute that is a matter of chance: the guest mounted one folder more beforehand,
    and a packet left 256 ns later. A process that never waits, and so lets time pass, hands over at every tick.

    Raises:
        GuestError: Outside a guest.
    """
    require_guest()
    (_SCHEDULING / "sched_rr_timeslice_ms").write_text(str(_TURN_MS))
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_OURS_FIRST))


def stand_behind() -> None:
    """Let the testbed's own processes go first from here on, where processes take turns.

    A user's program may ask again and again instead of waiting: boxes are not to be late for that.
    """
    if os.sched_getscheduler(0) == os.SCHED_RR:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PROGRAMS))


def power_off() -> None:
    """Write everything to the disk and end the guest. Raises GuestError outside one."""
    require_guest()
    os.sync()
    _libc.reboot(_POWER_OFF)


@contextlib.contextmanager
def mapped_at_once() -> Iterator[None]:
    """Within the block, all memory that this process asks for is there when it has it, and not page by page.

    A page that is there only once it is touched costs the guest as much as a system call, and modules touch thousands.
    """
    _libc.mlockall(_MCL_FUTURE)  # where it is refused, all goes on as without
    try:
        yield
    finally:
        _libc.munlockall()


def _root_type() -> int:
    """Return the type of the file system that the root directory is on, as statfs(2) has it; 0: it cannot be told."""
    found = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.statfs(b"/", found):
        return 0
    return ctypes.c_long.from_buffer(found).value
