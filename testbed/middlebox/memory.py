"""What the box remembers of a subscriber beyond single flows: what a match has tainted, and which names are repeated.

Bounded: of each kind so many entries as the flow table has, and the one that was used least recently goes first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, TypeVar

from testbed.middlebox.profile.conditions import network_of

if TYPE_CHECKING:
    from testbed.middlebox.profile.conditions import Repeated, Taint
    from testbed.middlebox.profile.rules import Match

__all__ = ["Memory"]

_NS_PER_S = 1_000_000_000
_LONGEST_NAME = 255  # DNS allows 253 characters: what comes behind them would be kept for nothing

K = TypeVar("K")
V = TypeVar("V")


class Memory:
    """Taints and counts of at most ``limit`` subscribers and servers each."""

    __slots__ = ("_counts", "_limit", "_taints")

    def __init__(self, limit: int) -> None:
        """Nothing remembered yet."""
        self._limit = limit
        self._taints: OrderedDict[tuple[bytes, bytes], tuple[int, Match]] = OrderedDict()
        self._counts: OrderedDict[tuple[str, bytes, bytes], _Count] = OrderedDict()

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._taints) + len(self._counts)

    def taint(self, taint: Taint, match: Match, subscriber: bytes, server: bytes, now_ns: int) -> None:
        """Remember what a flow that matched leaves behind. Both are packed addresses."""
        key = (subscriber, server if taint.what == "address" else b"")
        self._keep(self._taints, key, (now_ns + round(taint.lasts_s * _NS_PER_S), match))

    def tainted(self, subscriber: bytes, server: bytes, now_ns: int) -> Match | None:
        """Return by which match a flow between these is tainted, if it is."""
        return self._in_force((subscriber, server), now_ns) or self.tainted_line(subscriber, now_ns)

    def tainted_line(self, subscriber: bytes, now_ns: int) -> Match | None:
        """Return by which match all of a subscriber's flows are tainted, if they are."""
        return self._in_force((subscriber, b""), now_ns)

    def repeats(
        self, rule: str, asked: Repeated, *, subscriber: bytes, server: bytes, name: str | None, flow: int, now_ns: int
    ) -> bool:
        """Count a flow's hello, and return whether it is one too many of its name.

        A hello of another name begins the count anew. One without a name is not counted.
        """
        if not name:
            return False
        key = (rule, subscriber, network_of(server, asked.network))
        name = name[:_LONGEST_NAME].lower()
        count = self._counts.get(key)
        if count is None or count.name != name:
            count = _Count(name)
        self._keep(self._counts, key, count)
        return count.add(asked, flow, now_ns)

    def _in_force(self, key: tuple[bytes, bytes], now_ns: int) -> Match | None:
        found = self._taints.get(key)
        if found is None:
            return None
        until_ns, match = found
        if until_ns <= now_ns:
            del self._taints[key]
            return None
        return match

    def _keep(self, entries: OrderedDict[K, V], key: K, value: V) -> None:
        entries[key] = value
        entries.move_to_end(key)
        if len(entries) > self._limit:
            entries.popitem(last=False)


class _Count:
    """The latest flows with one name."""

    __slots__ = ("_flows", "_until_ns", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._flows: deque[tuple[int, int]] = deque()
        self._until_ns = 0

    def add(self, asked: Repeated, flow: int, now_ns: int) -> bool:
        if now_ns < self._until_ns:
            return True
        # A hello that is sent again is no second flow.
        if any(flow == each for each, _ in self._flows):
            return False
        within_ns = round(asked.within_s * _NS_PER_S)
        while self._flows and now_ns - self._flows[0][1] > within_ns:
            self._flows.popleft()
        self._flows.append((flow, now_ns))
        if len(self._flows) < asked.times:
            return False
        self._until_ns = now_ns + round(asked.lasts_s * _NS_PER_S)
        self._flows.clear()
        return True
