"""Another censor: from an instant on, boxes follow another profile, or are cables.

The host chooses each box's profile, for its line and for the date that the instant has (`testbed.scenario.boxes`), and
the box itself changes at the instant: which profile holds for a packet is decided by the packet's own time, not by who
of two processes wakes first.
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import BoxChange, Change, EventError, RunTime, TimedEvent, because
from testbed.quantities import Share, Written, shown

__all__ = ["Censor"]


def _name_or_none(written: object) -> str | None:
    if written in {None, "none"}:
        return None
    if isinstance(written, str):
        return written
    raise ValueError(f"expected a profile, a family or none, got {shown(written)}")


_Name = Annotated[
    str | None,
    Written(_name_or_none, {"type": ["string", "null"], "description": "a profile, its path, a family, or none"}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Censor(TimedEvent):
    """Boxes that follow another profile from an instant on.

    Attributes:
        at: The instant, seconds since the start of the run.
        censor: A profile by name or path, or a family; None: the boxes are cables from then on.
        share: Of the flows, on which the boxes act, drawn for each flow; None: as the profile says.
        lines: Whose boxes; None: those of all lines.
        place: Which box of a line, as ``censors`` of a scenario calls it.
        forgets: Flows that are acted on already are forgotten, too; else they keep what was decided.
        about: Why, in words.
    """

    at: RunTime
    censor: _Name
    share: Share | None = None
    lines: tuple[str, ...] | None = None
    place: str = "tspu"
    forgets: bool = False
    about: str = ""

    def __post_init__(self) -> None:
        if self.lines is not None and not self.lines:
            raise ValueError("expected one line or more under 'lines', got none; remove 'lines' to mean all")
        if self.share is not None and self.censor is None:
            raise ValueError("a share is of the flows that a censor acts on, and there is none; remove 'share'")

    def check(self, topology: RoutedTopo) -> None:
        """Refuse a line that is not there, and a place at which no box stands."""
        known = {str(topology.nodeInfo(node)["line"]) for node in topology.with_role("client")}
        for line in self.lines or ():
            if line not in known:
                raise EventError("lines", f"no line {line!r} (there: {', '.join(sorted(known))})")
        places = {(str(info["line"]), str(info["kind"])) for info in map(topology.nodeInfo, topology.with_role("box"))}
        for line in self.lines or ():
            if (line, self.place) not in places:
                raise EventError("lines", f"line {line} has no place for a box of kind {self.place}")
        if not any(place == self.place for _, place in places):
            there = ", ".join(sorted({place for _, place in places})) or "none"
            raise EventError("place", f"no line has a place for a box of kind {self.place} (there: {there})")

    def changes(self) -> Iterable[Change]:
        """Yield nothing: the boxes change by themselves."""
        return ()

    def box_changes(self, topology: RoutedTopo) -> Iterable[BoxChange]:
        """Yield a change for each box that is meant."""
        for node in topology.with_role("box"):
            info = topology.nodeInfo(node)
            if info["kind"] == self.place and (self.lines is None or info["line"] in self.lines):
                yield BoxChange(box=node, at_s=self.at, censor=self.censor, share=self.share, forgets=self.forgets)

    def note(self) -> str:
        """Return what a reader has to know: transfers before and after the instant met another censor."""
        who = "all lines" if self.lines is None else f"line {', '.join(self.lines)}"
        what = "no profile: they were cables" if self.censor is None else self.censor
        what += "" if self.share is None else f", for {self.share * 100:g} % of flows"
        kept = "all flows were forgotten" if self.forgets else "flows that were acted on kept what was decided"
        return (
            f"from {self.at:g} s on the boxes ({self.place}) of {who} were set to {what}; {kept}{because(self.about)}"
        )
