"""Every timed change of a run, in the order of time, and how it is carried out in the guest."""

from __future__ import annotations

import heapq
import time
from typing import TYPE_CHECKING

from testbed.guest.events import planned_event
from testbed.guest.network.build import change_link, change_rate
from testbed.guest.network.capacity import trace_changes
from testbed.records.clock import iso_time
from testbed.records.jsonl import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from testbed.guest.stage import Stage
    from testbed.guest.timed_event import Change, Effects, TimedEvent
    from testbed.records.jsonl import Json
    from testbed.records.link_plan import LinkPlan
    from testbed.records.plan import EventPlan

__all__ = ["LinkAlterations", "Schedule", "StageEffects"]

_NS_PER_S = 1e9


class Schedule:
    """The changes that are still to come.

    Args:
        planned: The events, in the plan's order; they may overlap.
        start_ns: The instant that is t = 0.
        links: Some may follow traces, which never end.
    """

    def __init__(self, planned: Iterable[EventPlan], start_ns: int, links: Iterable[LinkPlan] = ()) -> None:
        self._start_ns = start_ns
        changes = [change for event in planned for change in planned_event(event).changes()]
        # Sort and merge keep the plan's order where they decide nothing themselves, so two runs do the same.
        self._changes: Iterator[Change] = heapq.merge(
            sorted(changes, key=_order), *(trace_changes(link) for link in links), key=_order
        )
        self._next = next(self._changes, None)

    def next_ns(self) -> int | None:
        """Return when the next change is due, nanoseconds since 1970; None: none is left."""
        return None if self._next is None else self._start_ns + round(self._next.at_s * _NS_PER_S)

    def carry_out_next(self, effects: Effects) -> None:
        """Carry the next change out. Raises IndexError if none is left."""
        if self._next is None:
            raise IndexError("no change is left")
        due, self._next = self._next, next(self._changes, None)
        due.carry_out(effects)


def _order(change: Change) -> tuple[float, bool]:
    return change.at_s, change.is_end


class LinkAlterations:
    """What events have in force on links: by link its events, the latest last."""

    def __init__(self) -> None:
        self._in_force: dict[frozenset[str], list[tuple[TimedEvent, dict[str, float | str]]]] = {}

    def add(self, ends: tuple[str, str], by: TimedEvent, options: Mapping[str, float | str]) -> None:
        """An event begins to alter a link."""
        self._in_force.setdefault(frozenset(ends), []).append((by, dict(options)))

    def remove(self, ends: tuple[str, str], by: TimedEvent) -> set[str]:
        """Take note that an event ends, and return the options that it had altered."""
        there = self._in_force.get(frozenset(ends), [])
        own = next((each for each in there if each[0] is by), None)  # two events may be equal, and are two all the same
        if own is None:
            return set()
        there.remove(own)
        return set(own[1])

    def options(self) -> dict[frozenset[str], dict[str, float | str]]:
        """By link that is altered: the options that are in force in the place of the planned ones."""
        merged: dict[frozenset[str], dict[str, float | str]] = {}
        for link, events in self._in_force.items():
            for _, options in events:
                merged.setdefault(link, {}).update(options)
        return merged


class StageEffects:
    """The effects of events on a real network and a real truth (`testbed.guest.timed_event.Effects`)."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._alterations = LinkAlterations()
        self._rates_bps: dict[tuple[str, str], int] = {}

    def altered(self) -> dict[frozenset[str], dict[str, float | str]]:
        """By link that is not as planned now: the options in force."""
        return self._alterations.options()

    def alter_link(self, ends: tuple[str, str], by: TimedEvent, **options: float | str) -> None:
        """Give a link other options than planned."""
        self._alterations.add(ends, by, options)
        self._bring_about(ends, set(options))

    def restore_link(self, ends: tuple[str, str], by: TimedEvent) -> None:
        """Take back what an event did to a link."""
        self._bring_about(ends, self._alterations.remove(ends, by))

    def _bring_about(self, ends: tuple[str, str], names: set[str]) -> None:
        in_force = self._alterations.options().get(frozenset(ends), {})
        change_link(self._stage.network, self._stage.topology, ends, names=names, in_force=in_force)

    def set_rate(self, near: str, far: str, rate_bps: int) -> None:
        """Give one direction of a link another rate."""
        self._rates_bps[near, far] = rate_bps
        change_rate(self._stage.network, near, far, rate_bps)

    def rates_bps(self) -> dict[tuple[str, str], int]:
        """Return the rates that traces have set, by the node that sends and the node that it sends to."""
        return dict(self._rates_bps)

    def record(self, event: str, **fields: Json) -> None:
        """Write a line into the ground truth. It is opened each time: the boxes' processes append to it, too."""
        truth = LineWriter(self._stage.output / "truth.jsonl")
        now = time.time_ns()
        at = {"t": (now - self._stage.start_ns) / _NS_PER_S, "wall": iso_time(now)}
        truth.write({**at, "box": None, "flow": None, "event": event, **fields})
        truth.close()
