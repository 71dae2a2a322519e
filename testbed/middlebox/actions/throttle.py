"""What the box does to a flow that matched and is slowed down: policing, shaping, delaying.

Pure: an action answers with events, and a packet is dropped if and only if one of them is a `PacketDropped`.
Actions that block are in `blocking`. Not for: carrying it out in the kernel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from testbed.middlebox.events import Effect, Event, PacketDelayed, PacketDropped, ThrottlingStarted
from testbed.middlebox.packet import Direction, Packet

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from random import Random

    from testbed.middlebox.enforcement.meters import Meter
    from testbed.middlebox.enforcement.shaper import ShaperSpec
    from testbed.middlebox.profile.measures import PolicerSpec

__all__ = ["LENGTHS", "Action", "Delay", "Shape", "Throttle", "packet_dropped"]

_ETHERNET_HEADER = 14
_NS_PER_S = 1_000_000_000

LENGTHS: dict[str, Callable[[Packet], int]] = {
    "ip_length": lambda packet: packet.length,
    "payload": lambda packet: packet.payload_length,
    "frame_length": lambda packet: packet.length + _ETHERNET_HEADER,
}
"""What a meter may count of a packet, in bytes."""


class Action(Protocol):
    """What happens to a matched flow."""

    @property
    def effect(self) -> Effect:
        """What that means for the flow. Every action says it: labels are made of it."""
        ...

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """The packet that matched passes the box."""
        ...

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """A later packet of the flow passes the box."""
        ...


class Throttle:
    """Each direction has its own meter; what does not conform is dropped (CP21: own bucket, same limit).

    The packet that matched is not metered (assumption: not published): the kernel's policer is installed after it.
    """

    __slots__ = ("__weakref__", "_length", "_meters", "_spec")

    def __init__(
        self,
        spec: PolicerSpec,
        directions: frozenset[Direction],
        *,
        opened_ns: int,
        matched_ns: int = 0,
        counts: str,
        random: Random,
    ) -> None:
        """Fresh meters for a flow that was opened at ``opened_ns`` and has matched at ``matched_ns``.

        ``counts`` is a key of `LENGTHS`.
        """
        self._spec = spec
        self._length = LENGTHS[counts]
        self._meters: dict[Direction, Meter] = {
            direction: spec.start(opened_ns, random, matched_ns=matched_ns)
            for direction in Direction
            if direction in directions
        }

    @property
    def effect(self) -> Effect:
        """What the meter means for the flow."""
        return self._spec.effect

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:  # noqa: ARG002 - it passes unmetered
        """Say how the flow is metered from now on."""
        return [_throttling_started(self, flow, now_ns, self._spec.kind, self._spec.parameters(), self._meters)]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Drop the packet if it does not conform."""
        meter = self._meters.get(packet.direction)
        if meter is None or meter.conforms(self._length(packet), now_ns):
            return []
        return [packet_dropped(flow, packet, now_ns, self._spec.kind)]


class Shape:
    """Each direction has its own shaper: packets wait their turn, and are dropped when the queue is full."""

    __slots__ = ("__weakref__", "_length", "_shapers", "_spec")

    def __init__(self, spec: ShaperSpec, directions: frozenset[Direction], *, counts: str) -> None:
        """Empty shapers; ``counts`` is a key of `LENGTHS`."""
        self._spec = spec
        self._length = LENGTHS[counts]
        self._shapers = {direction: spec.start() for direction in Direction if direction in directions}

    @property
    def effect(self) -> Effect:
        """What the meter means for the flow."""
        return self._spec.effect

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:  # noqa: ARG002 - it passes unshaped
        """Say how the flow is shaped from now on."""
        return [_throttling_started(self, flow, now_ns, self._spec.kind, self._spec.parameters(), self._shapers)]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Let the packet wait its turn."""
        shaper = self._shapers.get(packet.direction)
        if shaper is None:
            return []
        departure_ns = shaper.departure_ns(self._length(packet), now_ns)
        if departure_ns is None:
            return [packet_dropped(flow, packet, now_ns, self._spec.kind)]
        return [_packet_delayed(flow, packet, now_ns, departure_ns, self._spec.kind)] if departure_ns > now_ns else []


class Delay:
    """Every packet is sent on later by the same time."""

    __slots__ = ("_delay_ns", "_directions", "_parameters")
    effect: Effect = "slows"

    def __init__(self, delay_s: float, directions: frozenset[Direction]) -> None:
        """Delay by ``delay_s`` in these directions."""
        self._delay_ns = round(delay_s * _NS_PER_S)
        self._directions = directions
        self._parameters = {"delay_s": delay_s}

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:  # noqa: ARG002 - it passes at once
        """Say how the flow is delayed from now on."""
        return [_throttling_started(self, flow, now_ns, "delay", self._parameters, self._directions)]

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Send the packet on later."""
        if packet.direction not in self._directions:
            return []
        return [_packet_delayed(flow, packet, now_ns, now_ns + self._delay_ns, "delay")]


def packet_dropped(flow: int, packet: Packet, now_ns: int, reason: str) -> PacketDropped:
    """The event of a dropped packet."""
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


def _packet_delayed(flow: int, packet: Packet, now_ns: int, departure_ns: int, reason: str) -> PacketDelayed:
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


def _throttling_started(  # noqa: PLR0917 - private, and all of one event
    action: Action, flow: int, now_ns: int, kind: str, parameters: dict[str, float], directions: Container[Direction]
) -> ThrottlingStarted:
    up, down = (parameters if direction in directions else None for direction in (Direction.UP, Direction.DOWN))
    return ThrottlingStarted(t_ns=now_ns, flow=flow, meter=kind, effect=action.effect, up=up, down=down)
