"""An outage: every packet on a link is lost for a while, as behind a router that hangs.

The interfaces stay up, so no end of the link learns of it but by what does not come. Two outages of a link may overlap.
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

from collections.abc import Iterable
from dataclasses import dataclass

from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import Change, Effects, EventError, RunTime, TimedEvent, because

__all__ = ["Outage"]

_EVERYTHING = 100.0  # percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(TimedEvent):
    """A link on which every packet is lost for a while.

    Attributes:
        link: Its two nodes, in any order.
        from_: When it begins, seconds since the start of the run.
        until: When it ends.
        about: Why, in words.
    """

    link: tuple[str, str]
    from_: RunTime
    until: RunTime
    about: str = ""

    def __post_init__(self) -> None:
        if self.until <= self.from_:
            raise ValueError(f"expected 'until' after 'from', got {self.from_} s to {self.until} s")

    def check(self, topology: RoutedTopo) -> None:
        """The link has to be there, and to have a discipline that can lose packets: a box's ports have none."""
        if frozenset(self.link) not in {frozenset(pair) for pair in topology.iterLinks()}:
            named = " and ".join(self.link)
            raise EventError("link", f"no link between {named} (there: {topology.links_in_words()})")
        boxes = [end for end in self.link if topology.role(end) == "box"]
        if boxes:
            raise EventError("link", f"{boxes[0]} is a middlebox; choose another link to fail")

    def changes(self) -> Iterable[Change]:
        """Yield the failure and the restoration. Planned loss comes back, as does another outage that goes on."""
        yield Change(self.from_, self._fail)
        yield Change(self.until, self._restore, is_end=True)

    def _fail(self, effects: Effects) -> None:
        effects.alter_link(self.link, self, loss=_EVERYTHING)
        effects.record("link_failed", link=list(self.link), about=self.about)

    def _restore(self, effects: Effects) -> None:
        effects.restore_link(self.link, self)
        effects.record("link_restored", link=list(self.link), about=self.about)

    def note(self) -> str:
        """It has to be told where results are read: nothing that failed meanwhile is a censor's doing."""
        first, second = self.link
        span = f"from {self.from_:g} s to {self.until:g} s"
        return f"the link between {first} and {second} was out {span}{because(self.about)}"

    def cuts(self, link: frozenset[str], begins_s: float, ends_s: float) -> bool:
        """Return whether a transfer may have failed for it: one on its way over this link while it was out."""
        return link == frozenset(self.link) and self.from_ < ends_s and self.until > begins_s
