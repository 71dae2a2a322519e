"""Every timed change of a run, in the order of time, and how it is carried out in the guest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from testbed.guest.events import planned_event
from testbed.guest.network.build import change_link
from testbed.records.clock import iso_time
from testbed.records.jsonl import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from testbed.guest.stage import Stage
    from testbed.guest.timed_event import Change, Effects, TimedEvent
    from testbed.records.jsonl import Json
    from testbed.records.plan import EventPlan

__all__ = ["LinkAlterations", "Schedule", "StageEffects"]

_NS_PER_S = 1e9


class Schedule:
    """The changes that are still to come.

    Args:
        planned: The events, in the plan's order; they may overlap.
        start_ns: The instant that is t = 0.
    """

    def __init__(self, planned: Iterable[EventPlan], start_ns: int) -> None:
        self._start_ns = start_ns
        changes = [change for event in planned for change in planned_event(event).changes()]
        # The sort keeps the plan's order where it decides nothing itself, so two runs do the same.
        self._changes: list[Change] = sorted(changes, key=lambda change: (change.at_s, change.is_end))

    def next_ns(self) -> int | None:
        """Return when the next change is due, nanoseconds since 1970; None: none is left."""
        return self._start_ns + round(self._changes[0].at_s * _NS_PER_S) if self._changes else None

    def carry_out_next(self, effects: Effects) -> None:
        """Carry the next change out. Raises IndexError if none is left."""
        self._changes.pop(0).carry_out(effects)


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

    def record(self, event: str, **fields: Json) -> None:
        """Write a line into the ground truth. It is opened each time: the boxes' processes append to it, too."""
        truth = LineWriter(self._stage.output / "truth.jsonl")
        now = time.time_ns()
        at = {"t": (now - self._stage.start_ns) / _NS_PER_S, "wall": iso_time(now)}
        truth.write({**at, "box": None, "flow": None, "event": event, **fields})
        truth.close()
