"""The inspector's events carried out: a verdict on each queued packet, decided flows to the kernel, all of it logged.

What a live box does between its sockets, with neither socket nor clock of its own: `nfqueue` gives it packets and the
time, tests and fuzzers give it the same.

What a packet's events say is done in their order; the packet itself goes on after them. So a reset for the server
overtakes the packet that caused it, and arrives while its sequence number is the one that the server waits for.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from testbed.middlebox.adapters.delays import Delays
from testbed.middlebox.events import (
    Event,
    FlowForgotten,
    FlowOpened,
    PacketDelayed,
    PacketDropped,
    PacketHeld,
    PacketInjected,
    PacketRewritten,
    ThrottlingStarted,
)
from testbed.middlebox.offload import kernel_policer
from testbed.middlebox.packet import TCP, UDP, Direction, FlowKey, Packet
from testbed.middlebox.succession import ProfileChange, Succession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from testbed.middlebox.meters.token_bucket import TokenBucketSpec
    from testbed.middlebox.profile import Profile

__all__ = ["Execution", "Kernel", "Outlet", "Queued"]

_NS_PER_S = 1_000_000_000
_PROTOCOLS = {"tcp": TCP, "udp": UDP}


class Kernel(Protocol):
    """What the kernel does on the box's behalf; `dataplane.Dataplane` is one."""

    def let_pass(self, flow: int, key: FlowKey, *, without_flags: int) -> None:
        """Keep a flow and let it pass, but for TCP packets that have one of the flags."""
        ...

    def police(self, flow: int, key: FlowKey, spec: TokenBucketSpec, directions: frozenset[Direction]) -> None:
        """Keep a flow and police it; each direction has its own bucket."""
        ...

    def holds(self, flow: int) -> bool:
        """Return whether a flow is in the kernel's hands."""
        ...

    def polices(self, flow: int) -> bool:
        """Return whether the kernel meters a flow."""
        ...

    def idle_s(self, flow: int) -> float | None:
        """Return seconds since the kernel last saw a packet of the flow; None if it saw none."""
        ...

    def forget(self, flow: int) -> None:
        """Let the flow's packets come to the box again."""
        ...

    def queue_for(self, followed: list[tuple[Profile, frozenset[int]]]) -> None:
        """Queue from now on what boxes of these profiles look at, each with the IP protocols that it follows."""
        ...


class Outlet(Protocol):
    """Where the box's own datagrams go; `wires.Wires` is one."""

    def send(self, direction: Direction, data: bytes) -> None:
        """Put a datagram on the wire."""
        ...


class Queued(Protocol):
    """What NFQUEUE hands out, as much of it as is needed here."""

    def accept(self) -> None:
        """Let the packet go on."""
        ...

    def drop(self) -> None:
        """Do not let it go on."""
        ...

    def set_payload(self, data: bytes) -> None:
        """Put another datagram in its place, before the verdict."""
        ...


class Execution:
    """A box's inspectors, one after the other, and what follows from what they say.

    Args:
        profile: The censor, resolved for a date; None: the box is a cable at first.
        seed: Of everything that the box draws by lot.
        kernel: Keeps decided flows.
        outlet: Sends what the box makes.
        log: Called with the events of some packets, in order, by `write_log`.
        changes: Of the profile, in the order of time.
    """

    def __init__(
        self,
        profile: Profile | None,
        *,
        seed: int,
        kernel: Kernel,
        outlet: Outlet,
        log: Callable[[list[Event]], None],
        changes: Iterable[ProfileChange] = (),
    ) -> None:
        self.inspector = Succession(profile, seed=seed, changes=changes)
        self.logged_drops = 0
        self._kernel = kernel
        self._outlet = outlet
        self._log = log
        self._unwritten: list[Event] = []
        self._keys: dict[int, FlowKey] = {}
        self._delays = Delays()
        self._now_ns = 0
        self._police = None if profile is None else kernel_policer(profile)
        self._directions = frozenset[Direction]() if profile is None else profile.action.directions

    def next_ns(self) -> int | None:
        """Return when `on_timer` will next have something to do; None: it will not, unless packets come."""
        instants = (self.inspector.next_expiry_ns(), self._delays.next_ns(), self.inspector.next_change_ns())
        return min((each for each in instants if each is not None), default=None)

    def on_packet(self, queued: Queued, packet: Packet, arrived_ns: int, clock_ns: Callable[[], int]) -> None:
        """Decide on a packet of the queue.

        Args:
            queued: Takes the verdict, now or after a delay.
            packet: What it holds.
            arrived_ns: When the kernel got it. Both ports have one clock, and the queue its order, so a time before
                that of an earlier packet counts as the same.
            clock_ns: Tells the time.
        """
        # A time that runs backwards would let a flow expire before it was seen.
        now_ns = self._now_ns = max(self._now_ns, arrived_ns)
        # By the packet's own time: whether it or the timer is seen to first must not decide which profile holds for it.
        self._change(now_ns)
        is_kept, departure_ns = False, now_ns
        for event in self.inspector.inspect(packet, now_ns):
            self._note(event)
            if isinstance(event, PacketDropped | PacketHeld):
                is_kept = True
            elif isinstance(event, PacketDelayed):
                departure_ns = now_ns + event.delay_ns
            elif isinstance(event, PacketRewritten):
                queued.set_payload(event.data)
            elif isinstance(event, PacketInjected):
                self._outlet.send(event.direction, event.data)
        if is_kept:
            queued.drop()
        elif departure_ns > now_ns and departure_ns > clock_ns():
            # Not where the departure passed while the box was busy: the timer would be set to what is over.
            self._delays.add(queued, departure_ns)
        else:
            queued.accept()
        self._settle(packet.key)

    def on_policed(self, packet: Packet, now_ns: int) -> None:
        """Log a packet that the kernel's policer dropped."""
        for event in self.inspector.dropped(packet, now_ns):
            self._note(event)

    def on_timer(self, now_ns: int) -> None:
        """Let go of what is due; forget idle flows, after asking the kernel when it last saw those that it holds."""
        self._delays.release(now_ns)
        self._change(now_ns)
        # The box sees no packet of a flow that the kernel holds, and would think it idle.
        for flow in self.inspector.due(now_ns):
            idle_s = self._kernel.idle_s(flow) if self._kernel.holds(flow) else None
            if idle_s is not None:
                self.inspector.refresh(flow, now_ns - round(idle_s * _NS_PER_S))
        for event in self.inspector.expire(now_ns):
            self._note(event)

    def write_log(self) -> None:
        """Hand the log what has happened since the last time."""
        if self._unwritten:
            self._log(self._unwritten)
            self._unwritten = []

    def _change(self, now_ns: int) -> None:
        """Follow another profile, if that is due."""
        events = self.inspector.change(now_ns)
        if not events:
            return
        for event in events:
            self._note(event)
        profile = self.inspector.profile
        # Those of the profile that was are of no use any more: what is throttled from now on is the other's doing.
        self._police = None if profile is None else kernel_policer(profile)
        self._directions = frozenset() if profile is None else profile.action.directions
        self._kernel.queue_for(self.inspector.followed)

    def _note(self, event: Event) -> None:
        """Remember an event for the log, and do in the kernel what follows from it."""
        self._unwritten.append(event)
        if isinstance(event, FlowOpened):
            self._keys[event.flow] = _key(event)
        elif isinstance(event, ThrottlingStarted):
            if self._police is not None:
                self._kernel.police(event.flow, self._keys[event.flow], self._police, self._directions)
        elif isinstance(event, FlowForgotten):
            self._kernel.forget(event.flow)
            del self._keys[event.flow]
        elif isinstance(event, PacketDropped):
            self.logged_drops += 1

    def _settle(self, key: FlowKey) -> None:
        """Leave a flow to the kernel once the box will leave it alone, and take it back if it no longer would."""
        flow = self.inspector.flow(key)
        # A policed flow stays with the kernel: only its end, which `_note` is told of, takes it back.
        if flow is None or self._kernel.polices(flow):
            return
        is_left_alone = self.inspector.leaves_alone(key)
        if is_left_alone == self._kernel.holds(flow):
            return
        if is_left_alone:
            self._kernel.let_pass(flow, key, without_flags=self.inspector.minded_flags)
        else:
            self._kernel.forget(flow)


def _key(opened: FlowOpened) -> FlowKey:
    """The five-tuple of a flow: its first packet may have been put together from fragments, which show no ports."""
    return FlowKey(
        _PROTOCOLS[opened.protocol],
        ip_address(opened.inside).packed,
        opened.inside_port,
        ip_address(opened.outside).packed,
        opened.outside_port,
    )
