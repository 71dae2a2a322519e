"""What all actions have in common: how a profile describes one, and what stands for it in one flow.

Pure: an action answers with events, and a packet is dropped if and only if one of them is a `PacketDropped`.
Not for: carrying it out in the kernel; deciding which flows are acted on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from testbed.middlebox.described import Described
from testbed.middlebox.events import BlockingStarted, ThrottlingStarted
from testbed.middlebox.packet import Direction
from testbed.middlebox.packet_events import packet_dropped
from testbed.middlebox.written import Directions, Seconds

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from testbed.middlebox.described import Problem
    from testbed.middlebox.events import Event
    from testbed.middlebox.meters import Beginning
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.middlebox.profile.model import Profile
    from testbed.records.truth import Effect

__all__ = ["Action", "Blocking", "Treatment", "throttling_started"]


class Treatment(Protocol):
    """An action at work on one flow, or on all that share it."""

    @property
    def effect(self) -> Effect:
        """What it means for the flow. Every action says it: labels are made of it."""
        ...

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Decide what the packet that matched meets on its way through the box."""
        ...

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Decide what a later packet of the flow meets on its way through the box."""
        ...


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True)
class Action(Described):
    """What a profile says is done to a flow that matched: the base of one class a module, each a frozen dataclass.

    Attributes:
        kind: Its name in profiles; the module is called so too.
        needs_meter: Whether the profile has to describe a meter. If not, it must not.
        needs_tcp: Whether it means nothing over UDP.
        directions: Which way is acted upon.
        scope: Whose packets share what it keeps.
        trigger_packet: What happens to the packet that matched. It is neither metered nor delayed.
        residual_s: The flow is forgotten this long after the match, whatever it sends; None: once it is idle.
    """

    kind: ClassVar[str]
    # Of the class, not of a profile: dataclasses take no class variable for a field, so none of these is a key.
    needs_meter: ClassVar[bool] = False
    needs_tcp: ClassVar[bool] = False

    directions: Directions
    scope: Literal["flow", "subscriber", "line"]
    trigger_packet: Literal["passes", "dropped"]
    residual_s: Seconds | None = None

    @property
    def effect(self) -> Effect:
        """What it means for a flow. Every action says it: labels are made of it."""
        raise NotImplementedError

    @property
    def is_metering(self) -> bool:
        """Whether it does nothing but meter from the match on, so that the kernel may do it."""
        return False

    def to_dict(self) -> dict[str, object]:
        """Plain JSON, with the kind, by which the class is found again."""
        return {"kind": self.kind, **Described.to_dict(self)}

    def make(self, beginning: Beginning, metering: MeterChoice | None) -> Treatment:
        """Return what stands for one flow. An action that keeps nothing of a flow stands for all of them itself."""
        del beginning, metering
        return self

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Decide what the packet that matched meets on its way through the box."""
        raise NotImplementedError

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Decide what a later packet of the flow meets on its way through the box."""
        raise NotImplementedError

    def delays(self, metering: MeterChoice | None) -> bool:
        """Return whether it sends packets on later than they came."""
        del metering
        return False

    def problems(self, profile: Profile) -> Iterator[Problem]:
        """Yield what cannot be honoured of it in its profile. Keys are the profile's."""
        del profile
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking(Action):
    """Base of actions that do more than slow a flow down: they say so when they begin, and may take the hello."""

    scope: Literal["flow"]

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Announce it, and drop the packet that matched if the profile says so."""
        events: list[Event] = [
            BlockingStarted(t_ns=now_ns, flow=flow, action=self.kind, effect=self.effect, residual_s=self.residual_s)
        ]
        # After the announcement: in the log, a drop belongs to an action that has begun.
        if self.trigger_packet == "dropped":
            events.append(packet_dropped(flow, packet, now_ns, self.kind))
        return events


def throttling_started(
    flow: int, now_ns: int, kind: str, *, effect: Effect, parameters: dict[str, float], directions: Container[Direction]
) -> ThrottlingStarted:
    """Return the event with which a flow begins to be slowed down, or counted."""
    up, down = (parameters if direction in directions else None for direction in (Direction.UP, Direction.DOWN))
    return ThrottlingStarted(t_ns=now_ns, flow=flow, meter=kind, effect=effect, up=up, down=down)
