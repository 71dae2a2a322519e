"""Everything is dropped, after some more packets have passed (X22: SNI-II 5-8, SNI-IV none)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.actions.action import Blocking
from testbed.middlebox.packet_events import packet_dropped
from testbed.middlebox.written import PacketRange

if TYPE_CHECKING:
    from testbed.middlebox.events import Event
    from testbed.middlebox.meters import Beginning
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.records.truth import Effect

__all__ = ["Drop", "Dropping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Blocking):
    """Silence. ``after_packets`` of either direction still pass: [least, most], drawn by lot for each flow."""

    kind = "drop"
    effect = "ends"

    after_packets: PacketRange

    def make(self, beginning: Beginning, metering: MeterChoice | None) -> Dropping:
        """Draw how many packets still pass."""
        del metering
        return Dropping(self, beginning.random.randint(*self.after_packets))


class Dropping:
    """A flow that is dropped once ``left`` more packets of either direction have passed."""

    __slots__ = ("_drop", "_left")

    def __init__(self, drop: Drop, left: int) -> None:
        self._drop = drop
        self._left = left

    @property
    def effect(self) -> Effect:
        """As the action says."""
        return self._drop.effect

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it, and drop the packet that matched if the profile says so."""
        return self._drop.start(flow, packet, now_ns)

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop the packet once the others have passed."""
        # Packets of either direction count, also where only one is dropped (assumption: X22 does not say).
        if self._left:
            self._left -= 1
            return []
        if packet.direction not in self._drop.directions:
            return []
        return [packet_dropped(flow, packet, now_ns, self._drop.kind)]
