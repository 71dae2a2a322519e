"""The rules of a live box: which packets on the bridge go to the inspector, and which never leave the kernel.

What the pure box looks at is queued, nothing else: the directions that it sees, the protocols that it follows, all
fragments where it has a policy for them, every IP packet where it meters a whole line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.packet import Direction
from testbed.netlink.nftables import (
    ETHER_IP,
    ETHER_IP6,
    IPV4_FRAGMENT_AT,
    IPV4_PROTOCOL_AT,
    Chain,
    Expression,
    accept,
    exthdr_exists,
    header,
    header_bits,
    mark,
    meta,
    queue,
    set_mark,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.middlebox.profile import Profile

__all__ = ["CHAIN", "DECIDED", "MARKS", "QUEUE", "Rule", "rules"]

MARKS = {Direction.UP: 2, Direction.DOWN: 3}
"""What a queued packet is marked with, so that the inspector knows where it comes from."""
DECIDED = 1
"""The mark of a packet whose flow is decided: it passes the queue."""
QUEUE = 0
"""The number of the queue."""
CHAIN = Chain(table="box", name="inspect")
Rule = tuple[Expression, ...]

# More follow, or an offset: everything but "don't fragment" (RFC 791, section 3.1).
_IS_FRAGMENT = b"\x3f\xff"
_FRAGMENT_HEADER = 44  # RFC 8200, section 4.5


def rules(followed: Iterable[tuple[Profile, frozenset[int]]], ports: dict[Direction, str]) -> list[Rule]:
    """Return the rules, in their order.

    Args:
        followed: The censors, most often one, each with the IP protocols that it follows. A box whose profile has
            changed has the one that was besides, for the flows that it acts on still.
        ports: By direction, the name of the port where packets come in.
    """
    queued = [
        (*meta("iifname", name.encode()), *match, *set_mark(MARKS[direction]), *queue(QUEUE))
        for profile, protocols in followed
        for direction, name in ports.items()
        if direction in profile.placement.sees
        for match in _matches(profile, protocols)
    ]
    decided = (*meta("mark", mark(DECIDED)), *accept())
    # Each once: the second of two equal rules would never be reached.
    return [decided, *dict.fromkeys(queued)]


def _matches(profile: Profile, protocols: frozenset[int]) -> Iterator[list[Expression]]:
    if profile.action.scope == "line":
        yield meta("protocol", ETHER_IP)
        yield meta("protocol", ETHER_IP6)
        return
    if profile.inspection.fragments != "pass":
        yield meta("protocol", ETHER_IP) + header_bits(IPV4_FRAGMENT_AT, _IS_FRAGMENT)
        yield meta("protocol", ETHER_IP6) + exthdr_exists(_FRAGMENT_HEADER)
    # Sorted, so that the rules of two runs are the same.
    for protocol in sorted(protocols):
        # For IPv4 the header's own field: what the kernel says is not there for a datagram that lies about its length.
        yield meta("protocol", ETHER_IP) + header(IPV4_PROTOCOL_AT, bytes([protocol]))
        yield meta("protocol", ETHER_IP6) + meta("l4proto", bytes([protocol]))
