"""A timer that wakes a poll at an instant, to the nanosecond: the timeout of ``poll`` counts milliseconds."""

from __future__ import annotations

import ctypes
import os
import struct
import time

__all__ = ["Alarm"]

_CLOEXEC, _NONBLOCK, _ABSOLUTE = os.O_CLOEXEC, os.O_NONBLOCK, 1  # sys/timerfd.h
_NS_PER_S = 1_000_000_000
_libc = ctypes.CDLL(None, use_errno=True)


class Alarm:
    """A timerfd on the clock of `time.time_ns`. Python has it from 3.13 on.

    Raises:
        OSError: The kernel has no timers for files.
    """

    __slots__ = ("_armed_ns", "_descriptor")

    def __init__(self) -> None:
        self._descriptor: int = _libc.timerfd_create(time.CLOCK_REALTIME, _CLOEXEC | _NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._armed_ns: int | None = None

    def fileno(self) -> int:
        """For poll: readable from the instant on, until the next `set`."""
        return self._descriptor

    def set(self, instant_ns: int | None, *, has_gone_off: bool) -> None:
        """Go off at an instant since the epoch, at once if it has passed; None: never.

        ``has_gone_off``: it has, since it was last set; what it was set to then is over.
        """
        # Setting it takes a system call, and this is asked for after every packet.
        if instant_ns == self._armed_ns and not has_gone_off:
            return
        # All zeros disarm it (timerfd_settime(2)).
        seconds, nanoseconds = divmod(instant_ns or 0, _NS_PER_S)
        value = struct.pack("=qqqq", 0, 0, seconds, nanoseconds)
        if _libc.timerfd_settime(self._descriptor, _ABSOLUTE, value, None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        self._armed_ns = instant_ns

    def close(self) -> None:
        """Close the timer."""
        os.close(self._descriptor)
