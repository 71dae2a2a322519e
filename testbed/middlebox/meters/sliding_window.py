"""A limit on what has passed in the time just behind: tokens do not trickle back, each comes when its packet is old."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.meters.meter import Policer, WindowSpec

if TYPE_CHECKING:
    from testbed.middlebox.meters.meter import Beginning

__all__ = ["SlidingWindow", "SlidingWindowSpec"]

_NS_PER_S = 1_000_000_000


class SlidingWindow(Policer):
    """A packet passes if, with it, no more than the limit has passed in the window that ends now."""

    __slots__ = ("_left", "_limit", "_passed", "_window_ns")

    def __init__(self, *, limit_bytes: int, window_s: float) -> None:
        """Nothing has passed yet."""
        self._limit = self._left = limit_bytes
        self._window_ns = round(window_s * _NS_PER_S)
        self._passed: deque[tuple[int, int]] = deque()  # (when it leaves the window, length)

    def conforms(self, length: int, now_ns: int) -> bool:
        """Return whether a packet of ``length`` bytes may pass now; it is counted only if so."""
        while self._passed and self._passed[0][0] <= now_ns:
            self._left += self._passed.popleft()[1]
        if length > self._left:
            return False
        self._left -= length
        self._passed.append((now_ns + self._window_ns, length))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindowSpec(WindowSpec):
    """A sliding window as a profile describes it."""

    kind = "sliding_window"

    def start(self, beginning: Beginning) -> SlidingWindow:
        """Return a window in which nothing has passed."""
        del beginning
        return SlidingWindow(limit_bytes=self.limit_bytes, window_s=self.window_s)
