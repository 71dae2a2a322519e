"""Days on which boxes act, and days on which they do not: a share of days, drawn from the seed for each date and box.

A day is one of the calendar, in UTC. On a day on which it does not act a box is a cable, and flows of the day before
are forgotten.
"""

# No postponed annotations: the host reads those of the fields, and the names in them have to be there.

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from testbed.guest.box_event import BoxEvent
from testbed.guest.network.topology import RoutedTopo
from testbed.guest.timed_event import LONGEST_RUN_S, BoxSpan, RunSpan, RunTime, TimedEvent, because
from testbed.quantities import Share

__all__ = ["Days"]

_DAY_S = 86_400
_NS_PER_S = 1_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Days(BoxEvent):
    """Boxes that act on a share of days alone.

    Attributes:
        share: Of the days, on which a box acts.
        from_: Since when days are drawn, seconds since the start of the run.
        until: Until when; after that boxes act every day.
    """

    share: Share
    from_: RunTime = 0.0
    until: RunTime = LONGEST_RUN_S

    def __post_init__(self) -> None:
        BoxEvent.__post_init__(self)  # with slots, super() without arguments finds the class before it had any
        if self.until <= self.from_:
            raise ValueError(f"expected 'until' after 'from', got {self.from_:g} s to {self.until:g} s")
        if not 0 < self.share < 1:
            raise ValueError(
                f"expected a share between 0 % and 100 % of days, got {self.share * 100:g} %; remove the event for all "
                "days, or say placement with after_hop: none for no day"
            )

    def box_spans(self, topology: RoutedTopo, run: RunSpan) -> Iterable[BoxSpan]:
        """Yield the days on which a box does not act; its spare places draw what it draws itself."""
        lines = {topology.nodeInfo(box)["line"]: box for box in self.boxes(topology, spare=False)}
        for node in (*lines.values(), *self.boxes(topology, spare=True)):
            for day in self._idle_days(lines[topology.nodeInfo(node)["line"]], run):
                begin_s = (day - _EPOCH) * _DAY_S - run.start_ns / _NS_PER_S
                yield BoxSpan(
                    box=node,
                    from_s=max(self.from_, begin_s),
                    until_s=min(self.until, begin_s + _DAY_S),
                    why=f"it does not act on {date.fromordinal(day)}",
                )

    def _idle_days(self, box: str, run: RunSpan) -> Iterator[int]:
        """Yield the days, as ordinals, on which a box does not act."""
        for day in self._days(run):
            # By the date itself: a run that begins earlier, or lasts longer, has the same days.
            digest = hashlib.sha256(f"{run.seed} {box} {date.fromordinal(day)}".encode()).digest()
            if int.from_bytes(digest[:8], "big") >= self.share * 2**64:
                yield day

    def _days(self, run: RunSpan) -> range:
        """Return the days of the run that it is about; none begins after whatever begins last, but for the next one."""
        first, last = (
            datetime.fromtimestamp((run.start_ns + round(t * _NS_PER_S)) // _NS_PER_S, UTC).toordinal()
            for t in (self.from_, min(self.until - 1e-6, run.last_s + _DAY_S))
        )
        return range(first, last + 1)

    def drawn(self, topology: RoutedTopo, run: RunSpan) -> tuple[str, str]:
        """Return on which days which boxes do not act."""
        days = len(self._days(run))
        told = []
        for box in self.boxes(topology, spare=False):
            idle = [str(date.fromordinal(day)) for day in self._idle_days(box, run)]
            told.append(
                f"{box} acts on {days - len(idle)} of {days} days" + (f", not on {', '.join(idle)}" if idle else "")
            )
        return f"{self.share * 100:g} % of days", "; ".join(told)

    def begins_s(self, topology: RoutedTopo) -> float:
        """Return since when days are drawn."""
        del topology
        return self.from_

    def contradicts(self, other: TimedEvent) -> str | None:
        """Two must not draw the days of one box at one time."""
        if not isinstance(other, Days) or not self.shares_boxes_with(other):
            return None
        if self.until <= other.from_ or other.until <= self.from_:
            return None
        at = max(self.from_, other.from_)
        return f"two shares of days hold for one box from {at:g} s on; let one end before the other begins"

    def note(self) -> str:
        """Return what a reader has to know; which days were drawn stands beside the seed's other draws."""
        span = "" if self.until == LONGEST_RUN_S else f" until {self.until:g} s"
        since = f"from {self.from_:g} s on" if not span else f"from {self.from_:g} s"
        return f"{self.whose()} acted on {self.share * 100:g} % of days, {since}{span}{because(self.about)}"
