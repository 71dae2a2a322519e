"""What timed events of middleboxes have in common: whose boxes they mean, and what is refused.

Not for: what a kind of them does (events/), or what becomes of it in a box's plan (`testbed.scenario.boxes`).
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

from dataclasses import dataclass

from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import Change, EventError, TimedEvent

__all__ = ["BoxEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxEvent(TimedEvent):
    """Something that happens to boxes; the boxes do it by themselves, at the time of a packet.

    Attributes:
        lines: Whose boxes; None: those of all lines.
        place: Which box of a line, as ``censors`` of a scenario calls it.
        about: Why, in words.
    """

    lines: tuple[str, ...] | None = None
    place: str = "tspu"
    about: str = ""

    def __post_init__(self) -> None:
        if self.lines is not None and not self.lines:
            raise ValueError("expected one line or more under 'lines', got none; remove 'lines' to mean all")

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

    def changes(self) -> tuple[Change, ...]:
        """Return nothing: the boxes change by themselves."""
        return ()

    def acts_on_boxes(self) -> bool:
        """It does."""
        return True

    def boxes(self, topology: RoutedTopo, *, spare: bool) -> list[str]:
        """Return the nodes that are meant: where the boxes stand, or the spare places that they may be moved to."""
        found = []
        for node in topology.with_role("box"):
            info = topology.nodeInfo(node)
            is_meant = info["kind"] == self.place and (self.lines is None or info["line"] in self.lines)
            if is_meant and ("after_hop" in info) == spare:
                found.append(node)
        return found

    def whose(self) -> str:
        """Return the boxes that are meant, in words."""
        lines = "all lines" if self.lines is None else f"line {', '.join(self.lines)}"
        return f"the boxes ({self.place}) of {lines}"

    def shares_boxes_with(self, other: "BoxEvent") -> bool:
        """Whether some box is meant by both."""
        if self.place != other.place:
            return False
        return self.lines is None or other.lines is None or bool(set(self.lines) & set(other.lines))
