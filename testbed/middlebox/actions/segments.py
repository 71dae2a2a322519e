"""TCP segments that a box makes from one that it sees: to its sender, or in its sender's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.packet import FIN, SYN, Direction, Packet
from testbed.middlebox.packet_events import packet_injected

if TYPE_CHECKING:
    from testbed.middlebox.events import PacketInjected

__all__ = ["answer", "onward", "segment"]

_FRESH_TTL = 64  # an answer sets out at the box: most stacks begin with this


def answer(flow: int, packet: Packet, now_ns: int, flags: int, *, reason: str, payload: bytes = b"") -> PacketInjected:
    """Return a segment to the packet's sender, as if its receiver had got the packet."""
    # SYN and FIN take a sequence number each, as a byte does (RFC 9293, section 3.4).
    ack = (packet.seq + packet.payload_length + bool(packet.flags & (SYN | FIN))) % 2**32
    data = segment(packet, flags=flags, seq=packet.ack, ack=ack, ttl=_FRESH_TTL, payload=payload, backwards=True)
    return _injected(flow, data, packet.direction.opposite, now_ns, reason)


def onward(flow: int, packet: Packet, now_ns: int, flags: int, *, reason: str) -> PacketInjected:
    """Return a segment to the packet's receiver, in its sender's place."""
    data = segment(packet, flags=flags, seq=packet.seq, ack=packet.ack, ttl=packet.ttl)
    return _injected(flow, data, packet.direction, now_ns, reason)


def segment(
    packet: Packet, *, flags: int, seq: int, ack: int, ttl: int, payload: bytes = b"", backwards: bool = False
) -> bytes:
    """Return a segment between the packet's two ends; ``backwards``: from its receiver to its sender."""
    source, destination = (packet.src, packet.sport), (packet.dst, packet.dport)
    if backwards:
        source, destination = destination, source
    return tcp_segment(
        src=source[0],
        sport=source[1],
        dst=destination[0],
        dport=destination[1],
        seq=seq,
        ack=ack,
        flags=flags,
        payload=payload,
        ttl=ttl,
        ip_id=packet.ip_id,
    )


def _injected(flow: int, data: bytes, direction: Direction, now_ns: int, reason: str) -> PacketInjected:
    return packet_injected(flow, Packet.parse(data, direction), now_ns, reason, data=data)
