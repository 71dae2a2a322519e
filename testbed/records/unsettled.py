"""Packets of a box of which something is still to come: those without a record, and those that have to leave it.

What a comparison (agreement.py) holds in memory, by what makes packets alike.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.crossings import Crossing, Identity
    from testbed.records.packet_log import LoggedPacket

__all__ = ["EARLY_NS", "Candidates", "Entry", "Exit", "Exits"]

# The kernel tells a queue when a packet arrived in whole microseconds (nfqnl_msg_packet_timestamp); captures have
# nanoseconds. So a record may stand up to a microsecond before its packet.
EARLY_NS: Final = 1000


@dataclass(slots=True)
class Entry:
    """A packet that entered the box, and the record of what became of it; None: it passed."""

    crossing: Crossing
    record: LoggedPacket | None = None


class Exit(NamedTuple):
    """A packet that has to leave the box. ``entry`` is None for one of the box's own making."""

    t_ns: int
    identity: Identity
    entry: Entry | None


class Candidates:
    """Packets that entered and have no record yet, alike ones together, in the order in which they came.

    They are alike in direction, IP identification and length: what every record has.
    """

    def __init__(self) -> None:
        self._alike: dict[tuple[bool, int, int], deque[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Offer a packet."""
        identity = entry.crossing.identity
        self._alike.setdefault((identity.upwards, identity.ip_id, identity.length), deque()).append(entry)

    def forget(self, entry: Entry) -> None:
        """Offer a packet no more: it is older than all that are left of those alike."""
        identity = entry.crossing.identity
        key = (identity.upwards, identity.ip_id, identity.length)
        alike = self._alike[key]
        alike.popleft()
        if not alike:
            del self._alike[key]

    def take(self, record: LoggedPacket) -> Entry | None:
        """Return the packet of a record, and offer it no more."""
        key = (record.upwards, record.ip_id, record.length)
        alike = self._alike.get(key)
        if alike is None:
            return None
        # From the latest back: a box decides on a packet before the next one reaches it, so the packet meant is the
        # one that came last. Older ones alike have passed, and have no record.
        for index in range(len(alike) - 1, -1, -1):
            entry = alike[index]
            if entry.crossing.t_ns <= record.t_ns + EARLY_NS and _is_about(record, entry.crossing.identity):
                del alike[index]
                if not alike:
                    del self._alike[key]
                return entry
        return None


class Exits:
    """Packets that have to leave the box, those of the same direction and bytes together, in the order of time."""

    def __init__(self) -> None:
        self._alike: dict[tuple[bool, bytes], list[Exit]] = {}

    def add(self, data: bytes, exit_: Exit) -> None:
        """Add one whose bytes are ``data``."""
        alike = self._alike.setdefault((exit_.identity.upwards, data), [])
        insort(alike, exit_, key=lambda each: each.t_ns)

    def take(self, packet: Crossing) -> Exit | None:
        """Return the exit of a packet that left, which is over then."""
        # By all of its bytes, not by its identity: a packet that the box changed without saying so is another packet.
        key = (packet.identity.upwards, packet.data)
        due = self._alike.get(key)
        if due is None:
            return None
        # Of packets with the same bytes, the first due is the first to leave: the box keeps their order.
        first = due.pop(0)
        if not due:
            del self._alike[key]
        return first

    def rest(self) -> Iterable[Exit]:
        """Return what never left."""
        return [exit_ for alike in self._alike.values() for exit_ in alike]


def _is_about(record: LoggedPacket, identity: Identity) -> bool:
    """Whether a record agrees with a packet in what it has; what it has not (flow, sequence number) cannot disagree."""
    return record.ends in {None, identity.ends} and record.seq in {None, identity.seq}
