"""A live box without a kernel: `Execution` between a kernel and a queue made by hand, driven as the live adapter does.

The kernel here keeps decided flows to itself, polices them, tells their age in steps of 10 ms, and refuses what the
real one refuses: two filters for one flow, or a deletion of none.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from testbed.middlebox.adapters.execution import Execution
from testbed.middlebox.events import event_name
from testbed.middlebox.meters.token_bucket import TokenBucket
from testbed.middlebox.packet import TCP, Direction, FlowKey, Packet

if TYPE_CHECKING:
    from testbed.middlebox.events import Event
    from testbed.middlebox.meters.token_bucket import TokenBucketSpec
    from testbed.middlebox.profile import Profile

__all__ = ["KernelByHand", "LiveByHand"]

_TICK_NS = 10_000_000
_LONGEST_DATAGRAM = 65_535


class _Filter:
    """What the kernel knows of a decided flow."""

    def __init__(self, key: FlowKey, without_flags: int) -> None:
        self.key = key
        self.without_flags = without_flags
        self.buckets: dict[Direction, TokenBucket] = {}
        self.is_policed = False
        self.last_seen_ns: int | None = None


class KernelByHand:
    """The box's dataplane, with the clock of its driver."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._filters: dict[int, _Filter] = {}
        self._by_key: dict[FlowKey, _Filter] = {}

    def let_pass(self, flow: int, key: FlowKey, *, without_flags: int) -> None:
        self._install(flow, _Filter(key, without_flags))

    def police(self, flow: int, key: FlowKey, spec: TokenBucketSpec, directions: frozenset[Direction]) -> None:
        policed = _Filter(key, 0)
        policed.is_policed = True
        policed.buckets = {each: TokenBucket(spec.rate_bps, spec.burst_bytes) for each in directions}
        self._install(flow, policed)

    def holds(self, flow: int) -> bool:
        return flow in self._filters

    def polices(self, flow: int) -> bool:
        return flow in self._filters and self._filters[flow].is_policed

    def idle_s(self, flow: int) -> float | None:
        seen_ns = self._filters[flow].last_seen_ns
        return None if seen_ns is None else max(0, self.now_ns - seen_ns) // _TICK_NS / 100

    def forget(self, flow: int) -> None:
        gone = self._filters.pop(flow, None)
        if gone is not None:
            del self._by_key[gone.key]

    def queue_for(self, followed: object) -> None:
        self.followed = followed

    def takes(self, packet: Packet) -> str:
        """Whether a packet is "queued", or stays in the kernel and is "passed" or "policed"."""
        held = None if packet.is_fragment else self._by_key.get(packet.key)
        if held is None or (packet.protocol == TCP and packet.flags & held.without_flags):
            return "queued"
        held.last_seen_ns = self.now_ns
        bucket = held.buckets.get(packet.direction)
        return "passed" if bucket is None or bucket.conforms(packet.length, self.now_ns) else "policed"

    def _install(self, flow: int, new: _Filter) -> None:
        if flow in self._filters or new.key in self._by_key:
            raise FileExistsError(f"a filter for flow {flow}")
        self._filters[flow] = self._by_key[new.key] = new


class _Queued:
    """A packet in the queue: it gets one verdict."""

    def __init__(self) -> None:
        self.verdicts = 0

    def accept(self) -> None:
        self.verdicts += 1

    def drop(self) -> None:
        self.verdicts += 1

    def set_payload(self, data: bytes) -> None:
        if not 0 < len(data) <= _LONGEST_DATAGRAM:
            raise ValueError(f"a payload of {len(data)} bytes")


class LiveByHand:
    """A box, its kernel, and a clock: packets come in, timers go off when the poll looks at them.

    Args:
        profile: the censor.
        seed: of the box.
    """

    def __init__(self, profile: Profile, *, seed: int = 1) -> None:
        self.kernel = KernelByHand()
        self.execution = Execution(profile, seed=seed, kernel=self.kernel, outlet=self, log=self._count)
        self.profile = profile
        self.counts: Counter[str] = Counter()
        self.last: list[Event] = []

    def send(self, direction: Direction, data: bytes) -> None:
        """Put a datagram of the box's own on the wire, which takes 1500 bytes but for joined fragments."""
        if not data or data[0] >> 4 not in {4, 6} or len(data) > _LONGEST_DATAGRAM or direction is None:
            raise ValueError(f"{len(data)} bytes for the wire")

    def poll(self, packet: Packet, arrived_ns: int, clock_ns: int) -> None:
        """One turn of the live box's loop: a packet that arrived at some time, then the timers, then the log.

        The kernel meters at its own time; the box looks at a queued packet later, and at its timers later still.
        """
        self.kernel.now_ns = max(self.kernel.now_ns, arrived_ns)
        fate = self.kernel.takes(packet) if packet.direction in self.profile.placement.sees else "passed"
        if fate == "queued":
            self.execution.on_packet(_Queued(), packet, arrived_ns, lambda: clock_ns)
        elif fate == "policed":
            self.execution.on_policed(packet, self.kernel.now_ns)
        due_ns = self.execution.next_ns()
        if due_ns is not None and due_ns <= clock_ns:
            self.execution.on_timer(clock_ns)
        self.execution.write_log()

    def _count(self, events: list[Event]) -> None:
        self.counts.update(map(event_name, events))
        self.last = events
