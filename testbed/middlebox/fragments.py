"""IP fragments: what the box does with the pieces of a datagram before anything else looks at them.

X22 (CP22): the boxes of 2022 kept fragments until all were there, did not put them together, and sent them on one by
one with the TTL of the first; a datagram of more than 45 fragments was not accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from testbed.middlebox.craft import joined_datagram, with_ttl
from testbed.middlebox.packet import Direction, Packet
from testbed.middlebox.packet_events import packet_dropped, packet_held, packet_injected

if TYPE_CHECKING:
    from testbed.middlebox.events import Event, PacketInjected, PacketRewritten

__all__ = ["FragmentBuffer", "joined", "released", "sent_whole"]

_MOST_FRAGMENTS = 45  # CP22
# Assumptions: Linux keeps fragments for 30 s, and something has to bound the memory.
_TIMEOUT_NS = 30 * 1_000_000_000
_MOST_DATAGRAMS = 1024
_LONGEST = 65_535  # what a length field of 16 bits holds
_IPV4, _IPV4_HEADER = 4, 20


class _Key(NamedTuple):
    """What the pieces of one datagram have in common."""

    direction: Direction
    src: bytes
    dst: bytes
    protocol: int
    ip_id: int


class FragmentBuffer:
    """Fragments that wait for the rest of their datagram."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: dict[_Key, tuple[int, list[Packet]]] = {}

    def hold(self, packet: Packet, now_ns: int) -> tuple[list[Event], list[Packet]]:
        """Keep a fragment.

        A fragment whose own length cannot be is dropped. A datagram that would be too long for its own length field
        can never be put together: the fragment that would complete it is dropped, as Linux does.

        Returns:
            What happened to it, and all fragments of its datagram, in the order in which they came, if it is complete
            now (else none).
        """
        self._forget_old(now_ns)
        # One that ends before it begins would count as complete, and one that claims more than it has never would.
        if not _IPV4_HEADER <= packet.body_offset < packet.length <= len(packet.data):
            return [packet_dropped(0, packet, now_ns, "malformed fragment")], []
        key = _Key(packet.direction, packet.src, packet.dst, packet.protocol, packet.ip_id)
        _, pieces = self._waiting.setdefault(key, (now_ns, []))
        # The pieces that are there stay held: nothing was published about what becomes of them.
        if len(pieces) >= _MOST_FRAGMENTS:
            return [packet_dropped(0, packet, now_ns, "too many fragments")], []
        pieces.append(packet)
        held = packet_held(packet, now_ns)
        if not _is_complete(pieces):
            return [held], []
        del self._waiting[key]
        if _is_too_long(pieces):
            return [packet_dropped(0, packet, now_ns, "datagram too long")], []
        return [held], pieces

    def _forget_old(self, now_ns: int) -> None:
        """Datagrams are in the order in which they began."""
        while self._waiting:
            key, (began_ns, _) = next(iter(self._waiting.items()))
            if began_ns + _TIMEOUT_NS > now_ns and len(self._waiting) < _MOST_DATAGRAMS:
                return
            del self._waiting[key]


def released(pieces: list[Packet], now_ns: int) -> list[Event]:
    """Return the fragments sent on, each with the TTL of the one that begins the datagram."""
    ttl = next(piece.ttl for piece in pieces if not piece.fragment_offset)
    return [
        packet_injected(0, piece, now_ns, "fragments complete", data=with_ttl(piece.data[: piece.length], ttl))
        for piece in pieces
    ]


def sent_whole(rewritten: PacketRewritten) -> PacketInjected:
    """What becomes of a rewritten datagram that came in fragments: they stay held, and it is sent in one piece."""
    packet = Packet.parse(rewritten.data, rewritten.direction)
    return packet_injected(rewritten.flow, packet, rewritten.t_ns, rewritten.reason, data=rewritten.data)


def joined(pieces: list[Packet]) -> Packet:
    """Return the datagram that the fragments make up. Where they overlap, the first that came counts.

    It keeps their identification, which a whole datagram of IPv6 has not: so the log says of which fragments it is.
    """
    first = next(piece for piece in pieces if not piece.fragment_offset)
    body = bytearray(_end(pieces))
    # Backwards, so that the first that came is written last, and counts.
    for piece in reversed(pieces):
        body[piece.fragment_offset : piece.fragment_offset + len(piece.body)] = piece.body
    data = joined_datagram(first.data, first.body_offset, first.protocol, bytes(body))
    return Packet.parse(data, first.direction)._replace(ip_id=first.ip_id)


def _is_too_long(pieces: list[Packet]) -> bool:
    first = next(piece for piece in pieces if not piece.fragment_offset)
    # The length field of IPv6 does not count its own header.
    header = first.body_offset if first.version == _IPV4 else 0
    return header + _end(pieces) > _LONGEST


def _end(pieces: list[Packet]) -> int:
    return max(piece.fragment_offset + len(piece.body) for piece in pieces)


def _is_complete(pieces: list[Packet]) -> bool:
    """Return whether the last fragment is here and nothing before it is missing."""
    last = [piece for piece in pieces if not piece.more_fragments]
    if not last:
        return False
    covered = 0
    for piece in sorted(pieces, key=lambda each: each.fragment_offset):
        if piece.fragment_offset > covered:
            return False
        covered = max(covered, piece.fragment_offset + len(piece.body))
    return covered >= last[0].fragment_offset + len(last[0].body)
