"""Another censor: from an instant on, boxes follow another profile, or are cables.

The host chooses each box's profile, for its line and for the date that the instant has (`testbed.scenario.boxes`), and
the box itself changes at the instant: which profile holds for a packet is decided by the packet's own time, not by who
of two processes wakes first.
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from testbed.guest.box_event import BoxEvent
from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import BoxChange, RunTime, because
from testbed.quantities import Share, Written, shown

__all__ = ["Censor"]


def _name_or_none(written: object) -> str | None:
    if written is None or written == "none":
        return None
    if isinstance(written, str):
        return written
    raise ValueError(f"expected a profile, a family or none, got {shown(written)}")


_Name = Annotated[
    str | None,
    Written(_name_or_none, {"type": ["string", "null"], "description": "a profile, its path, a family, or none"}),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Censor(BoxEvent):
    """Boxes that follow another profile from an instant on.

    Attributes:
        at: The instant, seconds since the start of the run.
        censor: A profile by name or path, or a family; None: the boxes are cables from then on.
        share: Of the flows, on which the boxes act, drawn for each flow; None: as the profile says.
        forgets: Flows that are acted on already are forgotten, too; else they keep what was decided.
    """

    at: RunTime
    censor: _Name
    share: Share | None = None
    forgets: bool = False

    def __post_init__(self) -> None:
        BoxEvent.__post_init__(self)  # with slots, super() without arguments finds the class before it had any
        if self.share is not None and self.censor is None:
            raise ValueError("a share is of the flows that a censor acts on, and there is none; remove 'share'")

    def box_changes(self, topology: RoutedTopo) -> Iterable[BoxChange]:
        """Yield a change for each box that is meant."""
        for node in (*self.boxes(topology, spare=False), *self.boxes(topology, spare=True)):
            yield BoxChange(box=node, at_s=self.at, censor=self.censor, share=self.share, forgets=self.forgets)

    def note(self) -> str:
        """Return what a reader has to know: transfers before and after the instant met another censor."""
        what = "no profile: they were cables" if self.censor is None else self.censor
        what += "" if self.share is None else f", for {self.share * 100:g} % of flows"
        kept = "all flows were forgotten" if self.forgets else "flows that were acted on kept what was decided"
        return f"from {self.at:g} s on {self.whose()} were set to {what}; {kept}{because(self.about)}"
