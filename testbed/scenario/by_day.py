"""A plan of weeks taken apart into its days: each a plan of its own, which knows what came before it.

A day is one of the calendar, in UTC. What an event did earlier is in force from the day's beginning on; a flow that is
under way at midnight belongs to the day on which it began, and nothing of the next day happens to it. A day's guest has
a seed of its own, from the plan's seed and the date: which days are run, in what order and beside what others, changes
no packet.
"""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import ScenarioError
from testbed.guest.events import event_kind
from testbed.guest.timed_event import LONGEST_RUN_S, RunTime
from testbed.records.box_plan import profile_at
from testbed.records.plan import LAST_SEED, planned_transfers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from testbed.records.box_plan import BoxPlan
    from testbed.records.plan import DrawPlan, EventPlan, Phase, PlanDocument
    from testbed.scenario.plan import Plan

__all__ = ["day_of", "days_of"]

_DAY_S = 86_400
_US_PER_S = 1_000_000
_NS_PER_US = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Span(NamedTuple):
    """Of a plan, in seconds since its start."""

    from_s: float
    until_s: float

    def holds(self, at_s: float) -> bool:
        return self.from_s <= at_s < self.until_s


def days_of(plan: Plan) -> list[date]:
    """Return the days on which something is measured, in order.

    Raises:
        ScenarioError: The plan cannot be taken apart.
    """
    _refuse_what_no_day_has_alone(plan.data)
    start = _start(plan.data)
    return sorted(
        {
            (start + timedelta(seconds=transfer["at_s"])).date()
            for line in plan.data["phases"][-1]["lines"]
            for transfer in line["transfers"]
        }
    )


def day_of(plan: Plan, day: date) -> Plan:
    """Return the plan of one day of a plan.

    Raises:
        ScenarioError: The plan cannot be taken apart.
    """
    _refuse_what_no_day_has_alone(plan.data)
    whole, start = plan.data, _start(plan.data)
    midnight = datetime.combine(day, time(), UTC)
    begins = max(midnight, start)
    span = _Span(_seconds(begins - start), _seconds(midnight - start) + _DAY_S)
    seed = _seed_of(whole["seed"], day)
    boxes: dict[str, BoxPlan] = {}
    without = dict(whole["without_box"])
    for node, box in whole["boxes"].items():
        of_day = _box(box, span, _seed_of(box["seed"], day))
        if of_day["profile"] is None and "changes" not in of_day:
            if why := _why_none(box, span.from_s):
                without[box["line"]] = why
            continue
        without.pop(box["line"], None)
        boxes[node] = of_day
    # Not the plan's own seed: each day would have the same ports, keys and lots as every other.
    drawn: DrawPlan = {"key": "seed", "written": f"from seed {whole['seed']} and the day {day}", "value": seed}
    data: PlanDocument = {
        **whole,
        "seed": seed,
        "drawn": [drawn, *whole["drawn"]],
        "start_ns": (begins - _EPOCH) // timedelta(microseconds=1) * _NS_PER_US,
        "boxes": boxes,
        "without_box": without,
        "phases": [*whole["phases"][:-1], _phase(whole["phases"][-1], span)],
        "events": _events(whole["events"], span),
    }
    return replace(plan, data=data)


def _refuse_what_no_day_has_alone(plan: PlanDocument) -> None:
    """Refuse what goes on over midnight, and what has no days.

    Raises:
        ScenarioError: It is refused.
    """
    why = None
    if any(phase["command"] is not None for phase in plan["phases"]):
        why = "a command has no days; remove --by-day"
    elif plan.get("background"):
        why = "its background traffic may go on over midnight; remove it, or --by-day"
    elif any("trace" in link for link in plan["links"]):
        why = "a link's trace would begin anew each day; say a rate, or remove --by-day"
    elif not any(True for _ in planned_transfers(plan)):
        why = "nothing is measured"
    if why is not None:
        raise ScenarioError(f"{plan['scenario']} cannot be run day by day: {why}")


def _start(plan: PlanDocument) -> datetime:
    return _EPOCH + timedelta(microseconds=plan["start_ns"] // _NS_PER_US)


def _seconds(span: timedelta) -> float:
    return (span // timedelta(microseconds=1)) / _US_PER_S


def _seed_of(seed: int, day: date) -> int:
    digest = hashlib.sha256(f"{seed} on {day.isoformat()}".encode()).digest()
    return 1 + int.from_bytes(digest[:8], "big") % LAST_SEED


def _box(box: BoxPlan, span: _Span, seed: int) -> BoxPlan:
    found: BoxPlan = {"line": box["line"], "profile": profile_at(box, span.from_s), "seed": seed}
    later = [each for each in box.get("changes", []) if span.from_s < each["at_s"] < span.until_s]
    if later:
        found["changes"] = [{**each, "at_s": _after(each["at_s"], span)} for each in later]
    return found


def _why_none(box: BoxPlan, at_s: float) -> str | None:
    """Return why a box is a cable at an instant although one would stand there; None: nobody named a censor."""
    last = [each for each in box.get("changes", []) if each["at_s"] <= at_s][-1:]
    return next((each.get("away") or each.get("why") for each in last), None)


def _phase(phase: Phase, span: _Span) -> Phase:
    lines = []
    for line in phase["lines"]:
        of_day = [each for each in line["transfers"] if span.holds(each["at_s"])]
        if of_day:
            # Equal but for the instant, of whatever kind the transfer is.
            moved = [{**each, "at_s": _after(each["at_s"], span)} for each in of_day]
            lines.append({**line, "transfers": moved})
    return {"lines": lines, "command": None}  # type: ignore[typeddict-item]  # a union keeps no member through **


def _events(events: list[EventPlan], span: _Span) -> list[EventPlan]:
    found: list[EventPlan] = []
    for planned in events:
        kind, values = event_kind(planned["kind"]), dict(planned["fields"])
        instants = {field.name: values[field.name] for field in fields(kind) if field.type == RunTime}  # type: ignore[arg-type]
        moved = _instants(planned["kind"], instants, span)
        if moved is not None:
            found.append({"kind": planned["kind"], "fields": {**values, **moved}})
    return found


def _instants(kind: str, instants: Mapping[str, object], span: _Span) -> dict[str, float] | None:
    """Return the instants of an event as the day counts them; None: nothing happens on that day.

    What an event about boxes has done before is in the boxes' own plans, so an instant that is past is left out.
    """
    match instants:
        case {"at": int() | float() as at_s, **others} if not others:
            return {"at": _after(at_s, span)} if span.holds(at_s) else None
        case {"from_": int() | float() as from_s, "until": int() | float() as until_s, **others} if not others:
            if until_s <= span.from_s or from_s >= span.until_s:
                return None
            ends_s = until_s if until_s == LONGEST_RUN_S else _after(until_s, span)
            return {"from_": max(0.0, _after(from_s, span)), "until": ends_s}
        case _:
            raise ScenarioError(
                f"events of the kind {kind!r} cannot be taken apart into days: their instants are "
                f"{', '.join(sorted(instants)) or 'not known'}, where at, or from and until, were expected"
            )


def _after(at_s: float, span: _Span) -> float:
    """Return an instant as the day counts it, to the microsecond: a difference of floats has none of its own."""
    return round(at_s - span.from_s, 6)
