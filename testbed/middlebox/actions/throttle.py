"""Each direction has a meter of its own; what does not conform is dropped, or waits where the meter is a shaper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from testbed.middlebox.actions.action import Action, throttling_started
from testbed.middlebox.packet import Direction
from testbed.middlebox.packet_events import packet_delayed, packet_dropped

if TYPE_CHECKING:
    from testbed.middlebox.events import Event
    from testbed.middlebox.meters import Beginning, Meter
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.records.truth import Effect

__all__ = ["Metered", "Throttle"]


class Metered:
    """The meters of one flow, one subscriber or one line (CP21: each direction has its own bucket, same limit).

    The packet that matched is not metered (assumption: not published): the kernel's policer is installed after it.
    """

    # Subscribers share meters by weak references, which need a slot.
    __slots__ = ("__weakref__", "_length", "_meters", "_spec")

    def __init__(self, metering: MeterChoice, directions: frozenset[Direction], beginning: Beginning) -> None:
        """Fresh meters."""
        self._spec = metering.spec
        self._length = metering.length
        # In the order of the enumeration: a set's own would decide which meter draws first.
        self._meters: dict[Direction, Meter] = {
            direction: self._spec.start(beginning) for direction in Direction if direction in directions
        }

    @property
    def effect(self) -> Effect:
        """What the meter means for the flow."""
        return self._spec.effect

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Say how the flow is metered from now on."""
        del packet  # it passes unmetered
        parameters = self._spec.parameters()
        return [
            throttling_started(
                flow, now_ns, self._spec.kind, effect=self.effect, parameters=parameters, directions=self._meters
            )
        ]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop the packet if it does not conform, or let it wait its turn."""
        meter = self._meters.get(packet.direction)
        if meter is None:
            return []
        departure_ns = meter.departure_ns(self._length(packet), now_ns)
        if departure_ns is None:
            return [packet_dropped(flow, packet, now_ns, self._spec.kind)]
        if departure_ns > now_ns:
            return [packet_delayed(flow, packet, now_ns, self._spec.kind, departure_ns=departure_ns)]
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle(Action):
    """Metering as a profile describes it. What it means for a flow its meter says."""

    kind = "throttle"
    needs_meter = True
    is_metering = True

    # Nobody published that the packet that matches is dropped where a flow is slowed down.
    trigger_packet: Literal["passes"]

    def make(self, beginning: Beginning, metering: MeterChoice | None) -> Metered:
        """Fresh meters."""
        if metering is None:
            raise ValueError("an action of kind throttle has no meter")
        return Metered(metering, self.directions, beginning)

    def delays(self, metering: MeterChoice | None) -> bool:
        """As the meter that is used."""
        return metering is not None and metering.spec.delays
