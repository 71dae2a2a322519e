"""The events of one packet, made from it: dropped, delayed, held, answered, rewritten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.events import PacketDelayed, PacketDropped, PacketHeld, PacketInjected, PacketRewritten

if TYPE_CHECKING:
    from testbed.middlebox.packet import Packet

__all__ = ["packet_delayed", "packet_dropped", "packet_held", "packet_injected", "packet_rewritten"]


def packet_dropped(flow: int, packet: Packet, now_ns: int, reason: str) -> PacketDropped:
    """Return the event of a dropped packet."""
    return PacketDropped(
        t_ns=now_ns,
        flow=flow,
        direction=packet.direction,
        seq=packet.seq,
        ack=packet.ack,
        payload_length=packet.payload_length,
        ip_id=packet.ip_id,
        length=packet.length,
        reason=reason,
    )


def packet_delayed(flow: int, packet: Packet, now_ns: int, reason: str, *, departure_ns: int) -> PacketDelayed:
    """Return the event of a packet that leaves later."""
    return PacketDelayed(
        t_ns=now_ns,
        flow=flow,
        direction=packet.direction,
        seq=packet.seq,
        payload_length=packet.payload_length,
        ip_id=packet.ip_id,
        length=packet.length,
        delay_ns=departure_ns - now_ns,
        reason=reason,
    )


def packet_held(packet: Packet, now_ns: int) -> PacketHeld:
    """The event of an IP fragment that waits for the rest of its datagram. It is of no flow: it may show no ports."""
    return PacketHeld(
        t_ns=now_ns,
        flow=0,
        direction=packet.direction,
        ip_id=packet.ip_id,
        offset=packet.fragment_offset,
        length=packet.length,
    )


def packet_injected(flow: int, packet: Packet, now_ns: int, reason: str, *, data: bytes) -> PacketInjected:
    """Return the event of a datagram of the box's own: ``data``, which is what ``packet`` says and goes its way."""
    return PacketInjected(
        t_ns=now_ns,
        flow=flow,
        direction=packet.direction,
        flags=packet.flags,
        seq=packet.seq,
        ack=packet.ack,
        payload_length=packet.payload_length,
        data=data,
        reason=reason,
    )


def packet_rewritten(flow: int, packet: Packet, now_ns: int, reason: str, *, data: bytes) -> PacketRewritten:
    """Return the event of a packet in whose place the box sends ``data``."""
    return PacketRewritten(
        t_ns=now_ns,
        flow=flow,
        direction=packet.direction,
        seq=packet.seq,
        ack=packet.ack,
        ip_id=packet.ip_id,
        length=packet.length,
        data=data,
        reason=reason,
    )
