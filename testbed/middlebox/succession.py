"""The inspectors of a box that follows one profile after the other: the present one, and those it has relieved.

A flow that is already acted on stays with the inspector that decided so, until that forgets it. Every other flow is
forgotten at the change, and its next packet is one of a connection that began before the present inspector saw it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.middlebox.events import Event, ProfileChanged
from testbed.middlebox.inspector import Inspector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from testbed.middlebox.packet import FlowKey, Packet
    from testbed.middlebox.profile import Profile

__all__ = ["ProfileChange", "Succession"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileChange:
    """From an instant on, a box follows another profile.

    Attributes:
        at_ns: When, on the clock of the packets.
        profile: The other one; None: the box is a cable from then on.
        forgets: What was decided about flows is forgotten, too.
    """

    at_ns: int
    profile: Profile | None
    forgets: bool = False


class Succession:
    """What an `Inspector` is to a live box, across changes of the profile.

    Args:
        profile: The first one; None: nothing is inspected at first.
        seed: Of the first inspector. Those after it have seeds that follow from it.
        changes: In the order of time.
    """

    __slots__ = ("_changes", "_count", "_evicted", "_present", "_relieved", "_seed")

    def __init__(self, profile: Profile | None, *, seed: int, changes: Iterable[ProfileChange] = ()) -> None:
        self._seed = seed
        self._count = 0
        self._evicted = 0
        self._changes = deque(changes)
        self._relieved: list[Inspector] = []
        self._present = None if profile is None else Inspector(profile, seed=seed)

    @property
    def profile(self) -> Profile | None:
        """The one that new flows are inspected by."""
        return None if self._present is None else self._present.profile

    @property
    def followed(self) -> list[tuple[Profile, frozenset[int]]]:
        """The profiles of which packets have to be inspected, each with the IP protocols that it follows."""
        return [(each.profile, each.protocols) for each in self._all()]

    @property
    def flow_count(self) -> int:
        """How many flows the box remembers."""
        return sum(each.flow_count for each in self._all())

    @property
    def evicted(self) -> int:
        """How many flows were forgotten because the table was full."""
        return self._evicted + sum(each.evicted for each in self._all())

    @property
    def minded_flags(self) -> int:
        """TCP flags that change what the box remembers of a flow that it leaves alone."""
        return 0 if self._present is None else self._present.minded_flags

    def next_change_ns(self) -> int | None:
        """Return when the profile changes next; None: it stays."""
        return self._changes[0].at_ns if self._changes else None

    def change(self, now_ns: int) -> list[Event]:
        """Carry out the changes that are due by now. Empty: none was."""
        events: list[Event] = []
        while self._changes and self._changes[0].at_ns <= now_ns:
            events += self._carry_out(self._changes.popleft())
        return events

    def flow(self, key: FlowKey) -> int | None:
        """Return the number of the flow that has this five-tuple; None if none is remembered."""
        return next((number for each in self._all() if (number := each.flow(key)) is not None), None)

    def leaves_alone(self, key: FlowKey) -> bool:
        """Return whether a live box need not see more of a flow than its packets with `minded_flags`."""
        # Only what is acted on outlives a change, and that is not left alone.
        return self._present is not None and self._present.leaves_alone(key)

    def inspect(self, packet: Packet, now_ns: int) -> list[Event]:
        """Let one packet through the box; see `Inspector.inspect`."""
        events: list[Event] = []
        for each in self._relieved:
            if each.flow(packet.key) is not None:
                # One that is over by now must not begin anew under the profile that was.
                events += each.forget_if_over(packet.key, now_ns)
                if each.flow(packet.key) is not None:
                    return each.inspect(packet, now_ns)
        return events if self._present is None else events + self._present.inspect(packet, now_ns)

    def dropped(self, packet: Packet, now_ns: int) -> list[Event]:
        """Return the events of a packet that the kernel's policer dropped on the box's behalf."""
        return [event for each in self._all() for event in each.dropped(packet, now_ns)]

    def refresh(self, flow: int, last_seen_ns: int) -> None:
        """The kernel saw a packet of this flow."""
        for each in self._all():
            each.refresh(flow, last_seen_ns)

    def next_expiry_ns(self) -> int | None:
        """Return when `expire` will next have something to do; None while no flow is remembered."""
        instants = (each.next_expiry_ns() for each in self._all())
        return min((each for each in instants if each is not None), default=None)

    def due(self, now_ns: int) -> list[int]:
        """Return the flows that `expire` would forget now."""
        return [flow for each in self._all() for flow in each.due(now_ns)]

    def expire(self, now_ns: int) -> list[Event]:
        """Forget the flows that were idle for too long."""
        return [event for each in self._all() for event in each.expire(now_ns)]

    def _all(self) -> Iterator[Inspector]:
        yield from self._relieved
        if self._present is not None:
            yield self._present

    def _carry_out(self, change: ProfileChange) -> list[Event]:
        present, self._present = self._present, None
        if present is not None:
            self._relieved.append(present)
        events: list[Event] = []
        first_flow = 0
        for each in self._relieved:
            events += each.relieve(change.at_ns, forgets=change.forgets)
            first_flow = max(first_flow, each.last_flow)
        self._evicted += sum(each.evicted for each in self._relieved if not each.flow_count)
        self._relieved = [each for each in self._relieved if each.flow_count]
        # Numbers go on over the whole run: readers of the log take a number for one flow.
        self._count = max(self._count, first_flow)
        name = None
        if change.profile is not None:
            self._seed += 1  # another generator: the first one's draws have been used
            self._present = Inspector(change.profile, seed=self._seed, last_flow=self._count)
            name = change.profile.name
        # Behind what was forgotten for it: what a reader finds after this record is the other profile's doing.
        return [*events, ProfileChanged(t_ns=change.at_ns, flow=0, profile=name, forgets=change.forgets)]
