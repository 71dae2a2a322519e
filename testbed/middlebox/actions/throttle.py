"""Each direction has a meter of its own; what does not conform is dropped, or waits where the meter is a shaper.

A meter may be one for both directions, and it may act in a part of the flow only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from testbed.middlebox.actions.action import Action, throttling_started
from testbed.middlebox.meters.period import InPeriod, Period
from testbed.middlebox.packet import Direction
from testbed.middlebox.packet_events import packet_delayed, packet_dropped
from testbed.middlebox.written import Bytes, Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.events import Event
    from testbed.middlebox.meters import Beginning, Meter
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.middlebox.profile.model import Profile
    from testbed.records.truth import Effect

__all__ = ["Metered", "Throttle"]


class Metered:
    """The meters of one flow, one subscriber or one line (CP21: each direction has its own bucket, same limit).

    The packet that matched is not metered (assumption: not published): the kernel's policer is installed after it.
    """

    # Subscribers share meters by weak references, which need a slot.
    __slots__ = ("__weakref__", "_length", "_meters", "_period", "_spec")

    def __init__(
        self, metering: MeterChoice, directions: frozenset[Direction], beginning: Beginning, period: Period
    ) -> None:
        """Fresh meters."""
        self._spec = metering.spec
        self._length = metering.length
        self._period = period
        # In the order of the enumeration: a set's own would decide which meter draws first.
        self._meters: dict[Direction, Meter] = {
            direction: self._meter(beginning) for direction in Direction if direction in directions
        }
        if self._spec.is_shared:
            self._meters = dict.fromkeys(self._meters, self._meter(beginning))

    @property
    def effect(self) -> Effect:
        """What the meter means for the flow: one that stops for a while only goes on afterwards."""
        return "slows" if self._period.lasts_s is not None else self._spec.effect

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Say how the flow is metered from now on."""
        del packet  # it passes unmetered
        parameters = self._spec.parameters() | self._period.parameters()
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

    def _meter(self, beginning: Beginning) -> Meter:
        return self._spec.start(beginning) if self._period.is_all else InPeriod(self._period, self._spec, beginning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle(Action):
    """Metering as a profile describes it. What it means for a flow its meter says.

    Attributes:
        after_amount_bytes: So much of each direction passes before it is metered, in what the meter counts.
        after_time_s: So long after the match metering begins.
        lasts_s: So long after it began metering ends.
    """

    kind = "throttle"
    needs_meter = True

    # Nobody published that the packet that matches is dropped where a flow is slowed down.
    trigger_packet: Literal["passes"]
    after_amount_bytes: Bytes | None = None
    after_time_s: Seconds | None = None
    lasts_s: Seconds | None = None

    @property
    def period(self) -> Period:
        """In which part of a flow it meters."""
        return Period(after_amount_bytes=self.after_amount_bytes, after_time_s=self.after_time_s, lasts_s=self.lasts_s)

    @property
    def is_metering(self) -> bool:
        """Whether it meters from the match on. The kernel's policer knows no other beginning, and no end."""
        return self.period.is_all

    def make(self, beginning: Beginning, metering: MeterChoice | None) -> Metered:
        """Return fresh meters."""
        if metering is None:
            raise ValueError("an action of kind throttle has no meter")
        return Metered(metering, self.directions, beginning, self.period)

    def delays(self, metering: MeterChoice | None) -> bool:
        """As the meter that is used."""
        return metering is not None and metering.spec.delays

    def problems(self, profile: Profile) -> Iterator[Problem]:
        """Refuse two beginnings, and an end before which packets may still wait."""
        if self.after_amount_bytes is not None and self.after_time_s is not None:
            yield "action.after_time", "a limit begins once; remove after_amount or after_time"
        described = () if profile.meter is None else profile.meter.described.values()
        waiting = next((each.kind for each in described if each.delays), None)
        if self.lasts_s is not None and waiting is not None:
            yield "action.lasts", f"packets that still wait in a {waiting} would be overtaken; remove lasts"
