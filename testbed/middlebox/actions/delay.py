"""Every packet is sent on later by the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from testbed.middlebox.actions.action import Action, throttling_started
from testbed.middlebox.packet_events import packet_delayed
from testbed.middlebox.written import Seconds

if TYPE_CHECKING:
    from testbed.middlebox.events import Event
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.metering import MeterChoice

__all__ = ["Delay"]

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Action):
    """A delay of ``delay_s``. The packet that matched passes at once."""

    kind = "delay"
    effect = "slows"

    scope: Literal["flow"]
    trigger_packet: Literal["passes"]
    delay_s: Seconds

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Say how the flow is delayed from now on."""
        del packet
        parameters = {"delay_s": self.delay_s}
        return [
            throttling_started(
                flow, now_ns, self.kind, effect=self.effect, parameters=parameters, directions=self.directions
            )
        ]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Send the packet on later."""
        if packet.direction not in self.directions:
            return []
        departure_ns = now_ns + round(self.delay_s * _NS_PER_S)
        return [packet_delayed(flow, packet, now_ns, self.kind, departure_ns=departure_ns)]

    def delays(self, metering: MeterChoice | None) -> bool:
        """That is all it does."""
        del metering
        return True
