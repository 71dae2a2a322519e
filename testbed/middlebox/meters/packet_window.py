"""A limit for each window, and a window opens with the first packet that comes once the last one is over.

A window on a clock of its own is a `coarse_refill` whose quantum is its cap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.meters.meter import Policer, WindowSpec

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Beginning

__all__ = ["PacketWindow", "PacketWindowSpec"]

_NS_PER_S = 1_000_000_000


class PacketWindow(Policer):
    """A packet passes if, with it, no more than the limit has passed in this window."""

    __slots__ = ("_ends_ns", "_left", "_limit", "_window_ns")

    def __init__(self, *, limit_bytes: int, window_s: float) -> None:
        """No window is open yet."""
        self._limit = limit_bytes
        self._left = 0
        self._window_ns = round(window_s * _NS_PER_S)
        self._ends_ns: int | None = None

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet of ``length`` bytes may pass now; it is counted only if so."""
        # Not on a clock: what comes late opens a window that lasts as long as any other.
        if self._ends_ns is None or now_ns >= self._ends_ns:
            self._ends_ns = now_ns + self._window_ns
            self._left = self._limit
        if length > self._left:
            return False
        self._left -= length
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketWindowSpec(WindowSpec):
    """A window that packets open, as a profile describes it."""

    kind = "packet_window"

    def start(self, beginning: Beginning) -> PacketWindow:
        """Return one that the first packet opens."""
        del beginning
        return PacketWindow(limit_bytes=self.limit_bytes, window_s=self.window_s)
