"""The box without its cables: packets in, events out. No socket, no clock, no randomness but a seeded generator.

`Inspector.inspect` is told each packet and the time, and returns what happened. A packet is dropped if and only if a
`PacketDropped` is among the events; held back, rewritten or delayed if the event of that name is. Flows that are
decided may leave: a live box hands them to the kernel and stops calling; it then reports back what the kernel saw
(`refresh`) and dropped (`dropped`).
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from testbed.middlebox.community_id import community_id
from testbed.middlebox.enforcement import Enforcement
from testbed.middlebox.events import (
    Event,
    FlowForgotten,
    FlowOpened,
    HelloSeen,
    InspectionEnded,
    PacketDropped,
    PacketRewritten,
    RuleMatched,
)
from testbed.middlebox.flows import Flow, FlowTable
from testbed.middlebox.fragments import FragmentBuffer, joined, released, sent_whole
from testbed.middlebox.lookup import Lookup
from testbed.middlebox.opening import opener, reason_not_to_inspect
from testbed.middlebox.packet import ACK, FIN, RST, SYN, TCP, UDP, Direction, FlowKey, Packet, address_text
from testbed.middlebox.packet_events import packet_dropped
from testbed.middlebox.readers import Readers
from testbed.middlebox.recognise import Hello, Outcome
from testbed.middlebox.unread import Overlooked

if TYPE_CHECKING:
    from testbed.middlebox.actions import Treatment
    from testbed.middlebox.profile import Profile
    from testbed.middlebox.profile.rules import Match

__all__ = ["Inspector"]

_NS_PER_S = 1_000_000_000
_CLEARING_FLAGS = {"fin": FIN, "rst": RST}


class Inspector:
    """One middlebox that follows one profile.

    Args:
        profile: The censor, resolved for a date.
        seed: Of everything that the box draws by lot. The same packets, times and seed give the same events.
        last_flow: Flows are numbered from the one after it on.
    """

    __slots__ = (
        "_clearing", "_enforcement", "_flows", "_fragments", "_handshake_timeouts", "_hellos", "_is_stateless", "_line",
        "_lookup", "_random", "_readers", "_residual_ns", "_sees", "_timeout_ns", "profile",
    )  # fmt: skip

    def __init__(self, profile: Profile, *, seed: int, last_flow: int = 0) -> None:
        self.profile = profile
        self._random = Random(seed)  # noqa: S311 - reproducible, not secret
        self._enforcement = Enforcement(profile, self._random)
        self._lookup = Lookup(profile)
        trigger, flows = profile.trigger, profile.flows
        self._readers = Readers(profile)
        self._hellos = tuple(
            name for name in trigger.recognisers if name in (trigger.names_from or trigger.recognisers)
        )
        self._flows = FlowTable(flows.table_size, last_number=last_flow)
        self._timeout_ns = round(flows.idle_timeout_s * _NS_PER_S)
        self._handshake_timeouts = {
            flags: round(seconds * _NS_PER_S)
            for flags, seconds in ((SYN, flows.syn_sent_timeout_s), (SYN | ACK, flows.syn_received_timeout_s))
            if seconds is not None
        }
        residual_s = profile.action.residual_s
        self._residual_ns = None if residual_s is None else round(residual_s * _NS_PER_S)
        self._clearing = sum(_CLEARING_FLAGS[name] for name in flows.cleared_by)
        self._sees = profile.placement.sees
        self._is_stateless = profile.action.scope == "line"
        self._fragments = None if profile.inspection.fragments == "pass" else FragmentBuffer()
        self._line: Treatment | None = None

    @property
    def last_flow(self) -> int:
        """The number of the flow that was opened last."""
        return self._flows.last_number

    @property
    def flow_count(self) -> int:
        """How many flows the box remembers."""
        return len(self._flows)

    @property
    def evicted(self) -> int:
        """How many flows were forgotten because the table was full."""
        return self._flows.evicted

    @property
    def protocols(self) -> frozenset[int]:
        """IP protocols whose flows the box follows."""
        return self._readers.protocols

    @property
    def minded_flags(self) -> int:
        """TCP flags that change what the box remembers of a flow, even of one that it has decided to leave alone."""
        return self._clearing | (SYN if self._handshake_timeouts else 0)

    def flow(self, key: FlowKey) -> int | None:
        """Return the number of the flow that has this five-tuple; None if none is remembered."""
        flow = self._flows.get(key)
        return None if flow is None else flow.id

    def leaves_alone(self, key: FlowKey) -> bool:
        """Return whether a live box need not see more of a flow than its packets with `minded_flags`."""
        flow = self._flows.get(key)
        if flow is None or self._lookup.minds_lines:
            return False  # what goes on may be acted on for what another flow does
        return flow.treatment is None and not flow.inspections_left and not flow.in_handshake

    def inspect(self, packet: Packet, now_ns: int) -> list[Event]:
        """Let one packet through the box.

        Args:
            packet: As it arrives.
            now_ns: When; never earlier than at the call before.

        Returns:
            What happened, in order; most often nothing. The packet is dropped iff a `PacketDropped` is among it.
        """
        if packet.direction not in self._sees:
            return []
        if self._is_stateless:
            return self._meter_line(packet, now_ns)
        if packet.is_fragment:
            # Before the protocol is looked at: a box that has a policy for fragments has it for those of any protocol.
            if self._fragments is not None:
                return self._take_fragment(self._fragments, packet, now_ns)
            self._overlook(packet)
        return self._follow(packet, now_ns) if packet.protocol in self._readers.protocols else []

    def dropped(self, packet: Packet, now_ns: int) -> list[Event]:
        """Return the events of a packet that the kernel's policer dropped on the box's behalf."""
        flow = self._flows.get(packet.key)
        metering = self.profile.meter
        if flow is None or metering is None:
            return []
        self.refresh(flow.id, now_ns)
        return [packet_dropped(flow.id, packet, now_ns, metering.kind)]

    def refresh(self, flow: int, last_seen_ns: int) -> None:
        """The kernel saw a packet of this flow at ``last_seen_ns``: its idle time counts from there."""
        known = self._flows.by_id(flow)
        if known is not None and known.is_refreshed:
            known.saw(last_seen_ns)

    def next_expiry_ns(self) -> int | None:
        """Return when `expire` will next have something to do; None while no flow is remembered."""
        return self._flows.next_expiry_ns()

    def due(self, now_ns: int) -> list[int]:
        """The flows that `expire` would forget now: a live box asks the kernel when it last saw them, and refreshes."""
        return [flow.id for flow in self._flows.due(now_ns)]

    def expire(self, now_ns: int) -> list[Event]:
        """Forget the flows that were idle for too long. Each event bears the time at which that came true."""
        return [event for flow in self._flows.due(now_ns) for event in self._forget_idle(flow)]

    def forget_if_over(self, key: FlowKey, now_ns: int) -> list[Event]:
        """Forget one flow if it was idle for too long."""
        flow = self._flows.get(key)
        return [] if flow is None or flow.expires_ns > now_ns else self._forget_idle(flow)

    def relieve(self, now_ns: int, *, forgets: bool) -> list[Event]:
        """Forget every flow that nothing is done to; or, if it ``forgets``, every flow. No other will be opened."""
        gone = (flow for flow in self._flows.all() if forgets or flow.treatment is None)
        return [event for flow in gone for event in self._forget(flow, now_ns, "profile changed")]

    def _follow(self, packet: Packet, now_ns: int) -> list[Event]:
        """Handle a packet of a flow that the box knows or opens now."""
        flow = self._flows.get(packet.key)
        events: list[Event] = []
        # A live box looks at its timers between packets, and a capture has none: a flow that is over by now may still
        # be in the table, and its five-tuple begins a new one.
        if flow is not None and flow.expires_ns <= now_ns:
            events += self._forget_idle(flow)
            flow = None
        legible = packet.malformed is None and not packet.is_fragment
        if flow is None:
            if not legible:
                # It may not say whose it is, so it opens nothing. In a flow that is known, its time counts.
                return events
            flow = self._open(packet, now_ns, events)
        else:
            flow.packets += 1
            if flow.is_refreshed:
                flow.saw(now_ns)
        # Before the payload: a SYN may carry data, which the reader can place only once it knows where the stream
        # begins, and a SYN from outside ends inspection of what it carries too. After `saw`: the timeout that a
        # handshake sets counts from this packet.
        if flow.in_handshake or packet.flags & SYN:
            self._follow_handshake(flow, packet, now_ns, events)
        self._pass(flow, packet, now_ns, events, legible=legible)
        flow.is_new = False
        # Last: what is done to a flow is done to its FIN or RST too, before it is forgotten.
        if packet.flags & self._clearing:
            events += self._forget(flow, now_ns, "fin" if packet.flags & FIN & self._clearing else "rst")
        return events

    def _pass(self, flow: Flow, packet: Packet, now_ns: int, events: list[Event], *, legible: bool) -> None:
        """Do to a packet what is done to its flow, or read it."""
        # An address may match at the first packet, in `_open`: `start` has dealt with that one.
        if flow.treatment is not None:
            if not flow.is_new:
                events += flow.treatment.on_packet(flow.id, packet, now_ns)
            return
        line = self._lookup.by_line(flow, now_ns) if self._lookup.minds_lines and not flow.is_new else None
        if line is not None:
            events += self._act(flow, packet, now_ns, line, None)
        elif flow.inspections_left and packet.payload and legible:
            self._read(flow, packet, now_ns, events)

    def _meter_line(self, packet: Packet, now_ns: int) -> list[Event]:
        """Handle a packet of a line whose traffic shares one meter. No flow is remembered: its number is 0."""
        if self._line is None:
            # Made by the first packet: meters that refill in steps count from there, as from the opening of a flow.
            self._line = self._enforcement.fresh(now_ns, now_ns, packets=0)  # it meters the first one too
            return self._line.start(0, packet, now_ns) + self._line.on_packet(0, packet, now_ns)
        return self._line.on_packet(0, packet, now_ns)

    def _take_fragment(self, fragments: FragmentBuffer, packet: Packet, now_ns: int) -> list[Event]:
        """Drop a fragment, or keep it until its datagram is complete."""
        policy = self.profile.inspection.fragments
        if policy == "drop":
            return [packet_dropped(0, packet, now_ns, "fragment")]
        events, pieces = fragments.hold(packet, now_ns)
        if not pieces:
            return events
        if policy == "hold":
            self._overlook(next(piece for piece in pieces if not piece.fragment_offset))
        # The datagram is inspected once it is whole; what comes of it decides whether its pieces go on at last.
        inspected = self.inspect(joined(pieces), now_ns) if policy == "reassemble" else []
        if any(isinstance(event, PacketDropped) for event in inspected):
            return events + inspected
        if any(isinstance(event, PacketRewritten) for event in inspected):
            return events + [sent_whole(event) if isinstance(event, PacketRewritten) else event for event in inspected]
        return events + inspected + released(pieces, now_ns)

    def _overlook(self, first: Packet) -> None:
        """Note the first fragment of a datagram that passes unread."""
        flow = self._flows.get(first.key)
        if flow is not None and flow.overlooked is not None and first.direction in self.profile.trigger.directions:
            flow.overlooked.note_fragment(first)

    def _forget_idle(self, flow: Flow) -> list[Event]:
        return self._forget(flow, flow.expires_ns, "idle" if flow.is_refreshed else "residual time over")

    def _forget(self, flow: Flow, t_ns: int, reason: str) -> list[Event]:
        self._flows.forget(flow)
        # The hello that was not found first: in the log, what is told of a flow stands before its end.
        return [*self._unread(flow, t_ns), FlowForgotten(t_ns=t_ns, flow=flow.id, reason=reason)]

    def _unread(self, flow: Flow, t_ns: int) -> list[Event]:
        """Tell of the hello that the box looked for in this flow and will not find."""
        overlooked, flow.overlooked = flow.overlooked, None
        event = None if overlooked is None else overlooked.event(flow.id, t_ns)
        return [] if event is None else [event]

    def _make_room(self, now_ns: int, events: list[Event]) -> None:
        """Forget the flow that would be forgotten first anyway."""
        oldest = self._flows.oldest()
        if oldest is None:
            return
        if oldest.expires_ns <= now_ns:
            # It is over anyway: no one was evicted, and the time of its end is its own.
            events += self._forget_idle(oldest)
        else:
            self._flows.evicted += 1
            events += self._forget(oldest, now_ns, "evicted")

    def _open(self, packet: Packet, now_ns: int, events: list[Event]) -> Flow:
        """Remember a new flow, and decide whether to inspect it."""
        if self._flows.is_full():
            self._make_room(now_ns, events)
        key = packet.key
        flow = self._flows.open(key, now_ns, self._timeout_ns)
        opened_by = opener(packet)
        events.append(FlowOpened(
            t_ns=now_ns, flow=flow.id, protocol="udp" if packet.protocol == UDP else "tcp",
            inside=address_text(key.inside), inside_port=key.inside_port,
            outside=address_text(key.outside), outside_port=key.outside_port,
            community_id=community_id(*key), opened_by=opened_by,
        ))  # fmt: skip
        trigger = self.profile.trigger
        # It draws a lot only where the share is below one, and before the budget does: the order of draws is a part of
        # what a seed means.
        reason = reason_not_to_inspect(trigger, packet, opened_by, self._random)
        if reason is None and self._lookup.matches_at_open:
            reason = self._match_at_open(flow, packet, now_ns, events)
        if reason is not None:
            self._end(flow, now_ns, reason, events)
        elif flow.treatment is None:
            # The first packet, and so many more.
            flow.inspections_left = 1 + self._random.randint(*self.profile.inspection.budget_packets)
            flow.reader = self._readers.start(packet.protocol)
            flow.overlooked = Overlooked(self._hellos, key.outside_port)
        return flow

    def _match_at_open(self, flow: Flow, packet: Packet, now_ns: int, events: list[Event]) -> str | None:
        """Act on a flow before anything is read of it. Returns a reason to end inspection without a match."""
        if self._lookup.spares(flow.key.outside):
            return "exempt"
        match = self._lookup.at_open(flow, now_ns)
        if match is not None:
            events += self._act(flow, packet, now_ns, match, None)
        return None

    def _follow_handshake(self, flow: Flow, packet: Packet, now_ns: int, events: list[Event]) -> None:
        """Timeouts of half-open connections, the beginning of streams, and SYNs from the wrong side."""
        if packet.protocol != TCP:
            return
        flags = packet.flags & (SYN | ACK)
        # Not where residual time counts from the match: a client must not prolong or shorten it by sending SYNs.
        if self._handshake_timeouts and flow.is_refreshed:
            self._flows.set_timeout(flow, self._handshake_timeouts.get(flags, self._timeout_ns))
            flow.in_handshake = bool(flags & SYN)
        if flags & SYN and flow.reader is not None:
            flow.reader.syn(packet)
        is_remote_syn = flags == SYN and packet.direction is Direction.DOWN and not flow.is_new
        if is_remote_syn and flow.inspections_left and self.profile.trigger.remote_syn == "ends_inspection":
            self._end(flow, now_ns, "SYN from outside", events)

    def _read(self, flow: Flow, packet: Packet, now_ns: int, events: list[Event]) -> None:
        """Look at one payload while the flow is under inspection."""
        if flow.reader is None:
            return
        reading = flow.reader.read(packet)
        # Noted whatever comes of it, since the box itself does not know yet whether it will find a name.
        if flow.overlooked is not None and packet.direction in self.profile.trigger.directions:
            flow.overlooked.note(packet, reading.data, reading.result)
        hello = reading.result if isinstance(reading.result, Hello) else None
        if hello is not None:
            events.append(HelloSeen(
                t_ns=now_ns, flow=flow.id, protocol=hello.protocol, sni=hello.name, direction=packet.direction
            ))  # fmt: skip
        name = None if hello is None else hello.name
        # Before the rules: a name that is allowed is spared at an address that is not (N4P490).
        if self._lookup.is_exempt(flow, reading, name):
            self._end(flow, now_ns, "exempt", events)
            return
        match = self._lookup.match(flow, packet.direction, reading, name, now_ns)
        if match is not None:
            events += self._act(flow, packet, now_ns, match, name)
            return
        # The budget is spent on payload alone: a hundred acknowledgements cost nothing.
        flow.inspections_left -= 1
        if reading.result is Outcome.NOT_THIS and len(packet.payload) >= self.profile.inspection.give_up_bytes:
            self._end(flow, now_ns, "gave up", events)
        elif not flow.inspections_left:
            self._end(flow, now_ns, "budget", events)

    def _act(self, flow: Flow, packet: Packet, now_ns: int, match: Match, name: str | None) -> list[Event]:
        """Begin what the profile does to flows that match."""
        events: list[Event] = [RuleMatched(t_ns=now_ns, flow=flow.id, rule=match.rule, pattern=match.pattern, sni=name)]
        self._lookup.remember(flow, match, now_ns)
        flow.treatment = self._enforcement.treatment(flow.key.inside, flow.opened_ns, now_ns, flow.packets)
        events += flow.treatment.start(flow.id, packet, now_ns)
        if self._residual_ns is not None:
            # Packets no longer push the expiry back. An assumption: X22 does not say what its times count from.
            flow.last_seen_ns, flow.is_refreshed = now_ns, False
            self._flows.set_timeout(flow, self._residual_ns)
        flow.overlooked = None  # found, whatever else was there
        self._end(flow, now_ns, "matched", events)
        return events

    def _end(self, flow: Flow, now_ns: int, reason: str, events: list[Event]) -> None:
        flow.inspections_left = 0
        flow.reader = None
        events += self._unread(flow, now_ns)
        events.append(InspectionEnded(t_ns=now_ns, flow=flow.id, reason=reason))
