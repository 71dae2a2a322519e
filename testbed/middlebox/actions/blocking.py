"""What the box does to a flow that matched and is to fail: silent drops, resets, rewritten answers, a block page.

Pure: an action answers with events, and datagrams of the box's own making are in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from testbed.middlebox.craft import tcp_segment
from testbed.middlebox.enforcement.actions import packet_dropped
from testbed.middlebox.events import BlockingStarted, Effect, Event, PacketInjected, PacketRewritten
from testbed.middlebox.packet import ACK, FIN, PSH, RST, SYN, Direction, Packet

if TYPE_CHECKING:
    from testbed.middlebox.enforcement.actions import Action
    from testbed.middlebox.profile.measures import ActionSpec

__all__ = ["BlockPage", "Drop", "Reset", "Rewrite"]


class Drop:
    """Everything is dropped, after some more packets have passed (X22: SNI-II 5-8, SNI-IV none)."""

    __slots__ = ("_left", "_spec")
    effect: Effect = "ends"

    def __init__(self, spec: ActionSpec, passing_packets: int) -> None:
        """Let ``passing_packets`` more packets of either direction pass first."""
        self._spec = spec
        self._left = passing_packets

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it, and drop the packet that matched if the profile says so."""
        return _start(self, self._spec, flow, packet, now_ns)

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop the packet once the others have passed."""
        if self._left:
            self._left -= 1
            return []
        if packet.direction not in self._spec.directions:
            return []
        return [packet_dropped(flow, packet, now_ns, self._spec.kind)]


class Reset:
    """Resets are injected to either or both sides, for the packet that matched and for every payload after it."""

    __slots__ = ("_spec",)
    effect: Effect = "ends"

    def __init__(self, spec: ActionSpec) -> None:
        """Reset as the profile says."""
        self._spec = spec

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it and reset the connection."""
        return _start(self, self._spec, flow, packet, now_ns) + self._resets(flow, packet, now_ns)

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop payload, and reset again."""
        if not packet.payload_length or packet.direction not in self._spec.directions:
            return []
        return [packet_dropped(flow, packet, now_ns, self._spec.kind), *self._resets(flow, packet, now_ns)]

    def _resets(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        back = "inside" if packet.direction is Direction.UP else "outside"
        events: list[Event] = []
        if back in self._spec.reset_to:
            events.append(_answer(flow, packet, now_ns, RST | ACK, self._spec.kind))
        if self._spec.reset_to - {back}:
            events.append(_onward(flow, packet, now_ns, RST | ACK, self._spec.kind))
        return events


class Rewrite:
    """Packets of the server are cut to their headers and become RST/ACK (X22: SNI-I)."""

    __slots__ = ("_spec",)
    effect: Effect = "ends"

    def __init__(self, spec: ActionSpec) -> None:
        """Rewrite as the profile says."""
        self._spec = spec

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it; the packet that matched is treated as the profile says."""
        return _start(self, self._spec, flow, packet, now_ns)

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Turn the packet into a reset."""
        if packet.direction not in self._spec.directions:
            return []
        data = _segment(packet, flags=RST | ACK, seq=packet.seq, ack=packet.ack, ttl=packet.ttl)
        return [
            PacketRewritten(
                t_ns=now_ns,
                flow=flow,
                direction=packet.direction,
                seq=packet.seq,
                ack=packet.ack,
                ip_id=packet.ip_id,
                length=packet.length,
                data=data,
                reason=self._spec.kind,
            )
        ]


class BlockPage:
    """A request is answered with the ISP's page, and the server is reset. What comes later is dropped."""

    __slots__ = ("_spec",)
    effect: Effect = "ends"

    def __init__(self, spec: ActionSpec) -> None:
        """Answer with the profile's page."""
        self._spec = spec

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it and answer in the server's place."""
        page = self._spec.page.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
        return [
            *_start(self, self._spec, flow, packet, now_ns),
            _answer(flow, packet, now_ns, FIN | PSH | ACK, self._spec.kind, payload=head.encode() + page),
            _onward(flow, packet, now_ns, RST | ACK, self._spec.kind),
        ]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop what either side still sends."""
        if packet.direction not in self._spec.directions:
            return []
        return [packet_dropped(flow, packet, now_ns, self._spec.kind)]


def _start(action: Action, spec: ActionSpec, flow: int, packet: Packet, now_ns: int) -> list[Event]:
    events: list[Event] = [
        BlockingStarted(t_ns=now_ns, flow=flow, action=spec.kind, effect=action.effect, residual_s=spec.residual_s)
    ]
    if spec.trigger_packet == "dropped":
        events.append(packet_dropped(flow, packet, now_ns, spec.kind))
    return events


def _answer(flow: int, packet: Packet, now_ns: int, flags: int, reason: str, *, payload: bytes = b"") -> PacketInjected:
    """A segment to the packet's sender, as if its receiver had got the packet."""
    seq = packet.ack
    ack = (packet.seq + packet.payload_length + bool(packet.flags & (SYN | FIN))) % 2**32
    data = _segment(packet, flags=flags, seq=seq, ack=ack, ttl=64, payload=payload, backwards=True)
    return PacketInjected(
        t_ns=now_ns,
        flow=flow,
        direction=packet.direction.opposite,
        flags=flags,
        seq=seq,
        ack=ack,
        payload_length=len(payload),
        data=data,
        reason=reason,
    )


def _onward(flow: int, packet: Packet, now_ns: int, flags: int, reason: str) -> PacketInjected:
    """A segment to the packet's receiver, in its sender's place."""
    return PacketInjected(
        t_ns=now_ns,
        flow=flow,
        direction=packet.direction,
        flags=flags,
        seq=packet.seq,
        ack=packet.ack,
        payload_length=0,
        data=_segment(packet, flags=flags, seq=packet.seq, ack=packet.ack, ttl=packet.ttl),
        reason=reason,
    )


def _segment(
    packet: Packet, *, flags: int, seq: int, ack: int, ttl: int, payload: bytes = b"", backwards: bool = False
) -> bytes:
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
