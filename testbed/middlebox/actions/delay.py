"""Every packet is sent on later by the same time, or those of the TLS handshake alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from testbed.middlebox.actions.action import Action, throttling_started
from testbed.middlebox.packet import Direction
from testbed.middlebox.packet_events import packet_delayed
from testbed.middlebox.written import Seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.middlebox.actions.action import Treatment
    from testbed.middlebox.described import Problem
    from testbed.middlebox.events import Event
    from testbed.middlebox.meters import Beginning
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile.metering import MeterChoice
    from testbed.middlebox.profile.model import Profile
    from testbed.records.truth import Effect

__all__ = ["Delay", "DelayingHandshake"]

_NS_PER_S = 1_000_000_000
# RFC 8446, section 5.1: with one of these records the client ends its part of the handshake, in TLS 1.3 as in 1.2.
_CHANGE_CIPHER_SPEC, _APPLICATION_DATA = b"\x14\x03", b"\x17\x03"
_LAST_RECORDS = frozenset({_CHANGE_CIPHER_SPEC, _APPLICATION_DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Action):
    """A delay of ``delay_s``. The packet that matched passes at once.

    ``only`` the handshake: packets that come after it are no longer delayed.
    """

    kind = "delay"
    effect = "slows"

    scope: Literal["flow"]
    trigger_packet: Literal["passes"]
    delay_s: Seconds
    only: Literal["handshake"] | None = None

    def make(self, beginning: Beginning, metering: MeterChoice | None) -> Treatment:
        """Itself for all flows, unless it has to know how far each has come."""
        del beginning, metering
        return self if self.only is None else DelayingHandshake(self)

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Say how the flow is delayed from now on."""
        del packet
        parameters = {"delay_s": self.delay_s} | ({} if self.only is None else {"handshake_only": 1})
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
        """Return true: that is all it does."""
        del metering
        return True

    def problems(self, profile: Profile) -> Iterator[Problem]:
        """Refuse a handshake of which the box would not see the end."""
        others = set(profile.trigger.recognisers) - {"tls"}
        if self.only is not None and others:
            yield "action.only", f"the end of the handshake is seen in TLS over TCP alone, not in {min(others)}"


class DelayingHandshake:
    """A flow whose packets are delayed until the client sends the last of its handshake, which passes at once.

    By then it has the whole of the server's part: what is still delayed was sent again in vain, and may be overtaken.
    """

    __slots__ = ("_delay", "_is_over")

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._is_over = False

    @property
    def effect(self) -> Effect:
        """As the action says."""
        return self._delay.effect

    def start(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Say how the flow is delayed from now on."""
        return self._delay.start(flow, packet, now_ns)

    def on_packet(self, flow: int, packet: Packet, now_ns: int) -> list[Event]:
        """Send the packet on later, unless the handshake is over."""
        # The record's type, and the version that all of them claim. A hello that is sent again begins otherwise, and
        # its second half does in all but one case of thousands.
        if packet.direction is Direction.UP and packet.payload[:2] in _LAST_RECORDS:
            self._is_over = True
        return [] if self._is_over else self._delay.on_packet(flow, packet, now_ns)
