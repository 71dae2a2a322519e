"""Queued packets whose verdict waits: the kernel keeps each until it is accepted at its departure."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Protocol

__all__ = ["Delays"]


class _Queued(Protocol):
    """What NFQUEUE hands out, as much of it as is needed here."""

    def accept(self) -> None: ...


class Delays:
    """Packets by departure; of several with the same, the one that came first leaves first."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        """Nothing waits."""
        self._heap: list[tuple[int, int, _Queued]] = []
        self._count = 0

    def add(self, queued: _Queued, departure_ns: int) -> None:
        """Keep a packet until ``departure_ns``."""
        # The number decides between equal departures: packets cannot be compared, and must not overtake each other.
        self._count += 1
        heappush(self._heap, (departure_ns, self._count, queued))

    def next_ns(self) -> int | None:
        """Return when `release` will next have something to do; None while nothing waits."""
        return self._heap[0][0] if self._heap else None

    def release(self, now_ns: int) -> None:
        """Let go of what is due."""
        while self._heap and self._heap[0][0] <= now_ns:
            heappop(self._heap)[2].accept()
