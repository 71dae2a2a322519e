"""The fate of each packet as its receiver's capture tells it: holes in the numbers are losses, late ones are not.

This is what a measurer has who captures at the client alone. Lost retransmissions and a lost tail leave no hole and are
not seen, and there are no delays: what a packet took from its sender cannot be told at one end.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.delivery import HEADER_BYTES, Fates
from testbed.detectors.tools.rtt import data_side

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture import Flow

__all__ = ["Received", "receive"]

# What fills a hole sooner than a round trip after it showed was not sent again: the sender cannot know of it yet. Three
# quarters, because the round trip of the handshake is a sample with jitter, too.
_RESENT_AFTER: Final = 0.75
_LARGEST_HOLE: Final = 4 << 20  # bytes: more are not under way at once here; it is the capture that lacks packets
_SMALLEST_SEGMENT: Final = 500  # bytes; without one that is longer, the size of a segment is not known


@dataclass(slots=True)
class _Missing:
    """A segment that did not come when its successor did."""

    seq: int
    size: int
    since_ns: int
    is_lost: bool = True


@dataclass(frozen=True, slots=True)
class Received:
    """What a receiver's capture tells.

    Attributes:
        fates: Packets that arrived, and those whose absence showed. A lost packet has the time at which its hole
            showed: that of the packet sent after it.
        repeated_s: When packets came that had come before: their sender had not heard of it. Seconds since the
            transfer began, float64.
    """

    fates: Fates
    repeated_s: NDArray[np.float64]


def receive(flow: Flow, *, rtt_s: float) -> Received | None:
    """Follow what arrived; None where too little is known.

    Args:
        flow: Captured at or near the data's receiver.
        rtt_s: Least round-trip time, seconds.
    """
    rows = np.flatnonzero((flow.from_a == data_side(flow)) & (flow.payload > 0))
    segment = int(flow.payload[rows].max(initial=0))
    if segment < _SMALLEST_SEGMENT:
        return None
    events: list[tuple[int, int, int]] = []
    holes: list[_Missing] = []
    missing: list[_Missing] = []
    repeated: list[int] = []
    highest = int(flow.seq[rows[0]])
    soon_ns = int(rtt_s * _RESENT_AFTER * 1e9)
    for t_ns, seq, size in zip(*(column[rows].tolist() for column in (flow.t_ns, flow.seq, flow.payload)), strict=True):
        new = _missing(highest, seq, segment, t_ns)
        # Sorted by number, for each begins behind all that came before: a long capture with many holes is read at once.
        first, last = (bisect_left(missing, number, key=attrgetter("seq")) for number in (seq, seq + size))
        filled = missing[first:last]
        for hole in filled:
            hole.is_lost = t_ns - hole.since_ns >= soon_ns
        del missing[first:last]
        if not filled and seq + size <= highest:
            repeated.append(t_ns)
        holes += new
        missing += new
        events.append((t_ns, 1, size))
        highest = max(highest, seq + size)
    events += [(hole.since_ns, 0, hole.size) for hole in holes if hole.is_lost]
    events.sort(key=lambda event: event[:2])  # what was lost was sent before the packet that showed it
    began_ns = int(flow.t_ns[0])
    fates = Fates(
        times_s=np.array([(t_ns - began_ns) / 1e9 for t_ns, _, _ in events]),
        sizes=np.array([size + HEADER_BYTES for _, _, size in events], np.float64),
        lost=np.array([passed == 0 for _, passed, _ in events], np.bool_),
        delays_s=np.full(len(events), np.nan),
        paired=False,
    )
    return Received(fates, np.array([(t_ns - began_ns) / 1e9 for t_ns in repeated], np.float64))


def _missing(highest: int, seq: int, segment: int, t_ns: int) -> list[_Missing]:
    """Return the segments between the highest byte so far and what came now."""
    if seq - highest > _LARGEST_HOLE:
        return []
    return [_Missing(start, min(segment, seq - start), t_ns) for start in range(highest, seq, segment)]
