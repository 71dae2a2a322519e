"""Resets are injected to either or both sides, for the packet that matched and for every payload after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from testbed.middlebox.actions.action import Blocking
from testbed.middlebox.actions.segments import answer, onward
from testbed.middlebox.packet import ACK, RST, Direction
from testbed.middlebox.packet_events import packet_dropped
from testbed.middlebox.written import words

if TYPE_CHECKING:
    from testbed.middlebox.events import Event
    from testbed.middlebox.packet import Packet

__all__ = ["Reset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Blocking):
    """Resets. ``reset_to``: which sides get them, inside, outside or both."""

    kind = "reset"
    effect = "ends"
    needs_tcp = True

    reset_to: Annotated[tuple[str, ...], words("inside", "outside")]

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it and reset the connection."""
        # `super()` without arguments knows no class that ``slots`` has made anew.
        return [*Blocking.start(self, flow, packet, now_ns), *self._resets(flow, packet, now_ns)]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop payload, and reset again."""
        # Not for acknowledgements: two ends that reset each other's resets would go on for ever.
        if not packet.payload_length or packet.direction not in self.directions:
            return []
        return [packet_dropped(flow, packet, now_ns, self.kind), *self._resets(flow, packet, now_ns)]

    def _resets(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        back = "inside" if packet.direction is Direction.UP else "outside"
        events: list[Event] = []
        if back in self.reset_to:
            events.append(answer(flow, packet, now_ns, RST | ACK, reason=self.kind))
        if set(self.reset_to) - {back}:
            events.append(onward(flow, packet, now_ns, RST | ACK, reason=self.kind))
        return events
