"""The nft rules of a live box: which packets on the bridge go to the inspector, and which never leave the kernel.

What the pure box looks at is queued, nothing else: the directions that it sees, the protocols that it follows, all
fragments where it has a policy for them, every IP packet where it meters a whole line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.packet import TCP, UDP, Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.middlebox.profile import Profile

__all__ = ["DECIDED", "MARKS", "REPLACED", "rules"]

MARKS = {Direction.UP: 2, Direction.DOWN: 3}
"""What a queued packet is marked with, so that the inspector knows where it comes from."""
DECIDED = 1
"""The mark of a packet whose flow is decided: it passes the queue."""

_NAMES = {TCP: "tcp", UDP: "udp"}
# The chain stays: with its hook, the kernel would drop the packets that wait for their verdict (nf_queue_nf_hook_drop).
REPLACED = "flush chain bridge box inspect\n"
"""Stands before the rules where there are others already: both happen at one instant, or neither does."""
_RULESET = """
table bridge box {{
  chain inspect {{
    type filter hook forward priority 0; policy accept;
    meta mark {decided} accept
{queued}
  }}
}}
"""


def rules(followed: Iterable[tuple[Profile, frozenset[int]]], ports: dict[Direction, str]) -> str:
    """Return the rules, for ``nft -f``.

    Args:
        followed: The censors, most often one, each with the IP protocols that it follows. A box whose profile has
            changed has the one that was besides, for the flows that it acts on still.
        ports: By direction, the name of the port where packets come in.
    """
    queued = [
        f'    iifname "{name}" {match} meta mark set {MARKS[direction]} queue num 0'
        for profile, protocols in followed
        for direction, name in ports.items()
        if direction in profile.placement.sees
        for match in _matches(profile, protocols)
    ]
    # Each once: the second of two equal rules would never be reached.
    return _RULESET.format(decided=DECIDED, queued="\n".join(dict.fromkeys(queued)))


def _matches(profile: Profile, protocols: frozenset[int]) -> Iterator[str]:
    if profile.action.scope == "line":
        yield from ("meta protocol ip", "meta protocol ip6")
        return
    # More follow, or an offset: everything but "don't fragment" (RFC 791, section 3.1).
    if profile.inspection.fragments != "pass":
        yield "ip frag-off & 0x3fff != 0"
        yield "meta protocol ip6 exthdr frag exists"
    # Sorted, so that the rules of two runs are the same text.
    for protocol in sorted(protocols):
        # For IPv4 the header's own field: ``meta l4proto`` is not there for a datagram that lies about its length.
        yield f"ip protocol {_NAMES[protocol]}"
        yield f"meta protocol ip6 meta l4proto {_NAMES[protocol]}"
