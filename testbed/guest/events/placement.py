"""Another place: boxes are out of the path for a while, or stand after another hop.

A box out of the path sees nothing and touches nothing, as a cable, and has forgotten every flow when it is back. Where
it stands meanwhile another node of the network is the box, which sees flows from their next packet on.
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from testbed.guest.box_event import BoxEvent
from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import LONGEST_RUN_S, BoxSpan, EventError, RunSpan, RunTime, TimedEvent, because
from testbed.quantities import Written, shown

__all__ = ["Placement"]

_MOVABLE = "tspu"


def _hop_or_none(written: object) -> int | None:
    if written is None or written == "none":
        return None
    if isinstance(written, int) and not isinstance(written, bool) and written > 0:
        return written
    raise ValueError(f"expected the number of a hop, or none: out of the path; got {shown(written)}")


_Hop = Annotated[
    int | None,
    Written(_hop_or_none, {"type": ["integer", "string", "null"], "description": "a hop from 1 on, or none"}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(BoxEvent):
    """Boxes that are somewhere else for a while.

    Attributes:
        from_: When it begins, seconds since the start of the run.
        until: When they are back.
        after_hop: The router of their line behind which they stand; None: they are out of the path.
    """

    from_: RunTime
    until: RunTime = LONGEST_RUN_S
    after_hop: _Hop

    def __post_init__(self) -> None:
        BoxEvent.__post_init__(self)  # with slots, super() without arguments finds the class before it had any
        if self.until <= self.from_:
            raise ValueError(f"expected 'until' after 'from', got {self.from_:g} s to {self.until:g} s")
        if self.after_hop is not None and self.place != _MOVABLE:
            raise ValueError(f"a {self.place} can be out of the path, but stands nowhere else; say after_hop: none")

    def check(self, topology: RoutedTopo) -> None:
        """Refuse boxes that are not there, and places that the topology has not."""
        BoxEvent.check(self, topology)
        if self.after_hop is None:
            return
        spare = [topology.nodeInfo(each) for each in self.boxes(topology, spare=True)]
        there = {(info["line"], info["after_hop"]) for info in spare}
        for box in self.boxes(topology, spare=False):
            line = topology.nodeInfo(box)["line"]
            if (line, self.after_hop) not in there:
                raise EventError("after_hop", f"this topology puts no box of line {line} after hop {self.after_hop}")

    def box_spans(self, topology: RoutedTopo, run: RunSpan) -> Iterable[BoxSpan]:
        """Yield where no box is meanwhile, and where one is."""
        del run
        why = "it is out of the path" if self.after_hop is None else f"it stands after hop {self.after_hop}"
        for box in self.boxes(topology, spare=False):
            yield BoxSpan(box=box, from_s=self.from_, until_s=self.until, why=why)
        for box in self.boxes(topology, spare=True):
            if topology.nodeInfo(box)["after_hop"] == self.after_hop:
                yield BoxSpan(box=box, from_s=self.from_, until_s=self.until, why=why, is_there=True)

    def begins_s(self, topology: RoutedTopo) -> float:
        """Return when it begins."""
        del topology
        return self.from_

    def contradicts(self, other: TimedEvent) -> str | None:
        """Two that overlap must not put one box to two places."""
        if not isinstance(other, Placement) or not self.shares_boxes_with(other):
            return None
        if self.until <= other.from_ or other.until <= self.from_:
            return None
        at = max(self.from_, other.from_)
        return f"two placements say where one box is from {at:g} s on; let one end before the other begins"

    def note(self) -> str:
        """Return what a reader has to know: meanwhile nothing at the usual place is a box's doing."""
        span = f"from {self.from_:g} s " + ("on" if self.until == LONGEST_RUN_S else f"to {self.until:g} s")
        where = "were out of the path" if self.after_hop is None else f"stood after hop {self.after_hop}"
        return f"{self.whose()} {where} {span}{because(self.about)}"
