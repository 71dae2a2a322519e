"""Packets of the server are cut to their headers and become RST/ACK (X22: SNI-I)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.actions.action import Blocking
from testbed.middlebox.actions.segments import segment
from testbed.middlebox.packet import ACK, RST, Direction
from testbed.middlebox.packet_events import packet_rewritten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.events import Event
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.model import Profile

__all__ = ["Rewrite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite(Blocking):
    """Answers turned into resets. The packet that matched is treated as ``trigger_packet`` says."""

    kind = "rewrite"
    effect = "ends"
    needs_tcp = True

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Turn the packet into a reset."""
        if packet.direction not in self.directions:
            return []
        # The server's own TTL and numbers: to the client it is the answer that came, cut short.
        data = segment(packet, flags=RST | ACK, seq=packet.seq, ack=packet.ack, ttl=packet.ttl)
        return [packet_rewritten(flow, packet, now_ns, self.kind, data=data)]

    def problems(self, profile: Profile) -> Iterator[Problem]:
        """Rewriting what the client sends: nobody saw that, and no reset of it would reach anyone."""
        del profile
        if Direction.UP in self.directions:
            yield "action.directions", "rewrite turns the server's packets into resets; expected [down]"
