"""``schedule``: the whole list of measurements again and again, every few hours of emulated time.

This happens to the document, before draws: each round draws values of its own. What begins a round waits for its
instant, and the others follow as they always do; `at` of a measurement counts from the beginning of its round.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple

from testbed.guest.timed_event import LONGEST_RUN_S
from testbed.quantities import parse_duration, shown
from testbed.scenario.calendar import since_start

if TYPE_CHECKING:
    from testbed.scenario.document import Document, Key

__all__ = ["SCHEDULE", "expand_schedule", "place_rounds"]

MOST_MEASUREMENTS = 20_000

SCHEDULE: dict[str, object] = {
    "type": "object", "required": ["every"], "additionalProperties": False,
    "properties": {
        "every": {"type": "string", "description": "a duration with its unit, such as 4 h"},
        "until": {"type": "string", "description": "a duration since the start, or a date"},
        "count": {"type": "integer", "minimum": 1},
    },
}  # fmt: skip
"""JSON Schema of the key, which is gone before a scenario is checked."""


class _Schedule(NamedTuple):
    every_s: float
    rounds: int


def expand_schedule(document: Document) -> None:
    """Write the measurements out once a round.

    Raises:
        ScenarioError: The schedule is none, ends before it begins, or goes on for too long.
    """
    if "schedule" not in document.data:
        return
    listed = document.data.get("measurements")
    schedule = _read(document, document.data.pop("schedule"))
    if not isinstance(listed, list):
        return  # the model says what is wrong
    if schedule.rounds * len(listed) > MOST_MEASUREMENTS:
        raise document.error(
            ("schedule",),
            f"{schedule.rounds} rounds of {len(listed)} measurements are more than {MOST_MEASUREMENTS}; let it end "
            "earlier, or measure less often",
        )
    before = document.sources["measurements"]
    document.data["measurements"] = [item for _ in range(schedule.rounds) for item in copy.deepcopy(listed)]
    # Who of a pair comes first alternates from round to round, too.
    document.sources["measurements"] = [
        source._replace(
            nth=source.nth + number, begins_s=number * schedule.every_s, ends_s=(number + 1) * schedule.every_s
        )
        for number in range(schedule.rounds)
        for source in before
    ]


def place_rounds(document: Document) -> None:
    """Let each measurement of a schedule begin no earlier than its round.

    Raises:
        ScenarioError: A round would not be over before the next begins.
    """
    listed = document.data.get("measurements")
    if not isinstance(listed, list):
        return  # the model says what is wrong
    pauses: dict[float, float] = {}
    for index, (item, source) in enumerate(zip(listed, document.sources["measurements"], strict=True)):
        if not isinstance(item, dict) or source.ends_s == math.inf:
            continue
        begins_s, every_s = source.begins_s, source.ends_s - source.begins_s
        try:
            at_s, pause_s = parse_duration(item.get("at", 0)), parse_duration(item.get("pause", 0))
        except ValueError:
            if isinstance(item.get("at", ""), str):
                continue  # the model says what is wrong
            raise document.error(
                ("measurements", index, "at"), "a date cannot be repeated; write a duration since the round began"
            ) from None
        pauses[begins_s] = pauses.get(begins_s, 0.0) + pause_s
        if max(at_s, pauses[begins_s]) >= every_s:
            key = ("measurements", index, "at" if at_s >= every_s else "pause")
            problem = f"a round would take {max(at_s, pauses[begins_s]):g} s at least, and the next one begins "
            raise document.error(key, f"{problem}{every_s:g} s after it; measure less often (schedule.every)")
        if begins_s:
            item["at"] = f"{round((begins_s + at_s) * 1e6)} us"


def _read(document: Document, written: object) -> _Schedule:
    key: Key = ("schedule",)
    if not isinstance(written, dict) or "every" not in written or len({"until", "count"} & set(written)) != 1:
        problem = f"expected 'every', and either 'until' or 'count', got {shown(written)}"
        raise document.error(key, problem)
    unknown = set(written) - {"every", "until", "count"}
    if unknown:
        raise document.error((*key, str(min(map(str, unknown)))), "unknown key; remove it")
    every_s = _seconds(document, (*key, "every"), written["every"])
    if not every_s:
        raise document.error((*key, "every"), "expected a duration such as 4 h, got 0")
    if "count" in written:
        rounds = written["count"]
        if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
            raise document.error((*key, "count"), f"expected a whole number from 1 on, got {shown(rounds)}")
    else:
        until_s = _seconds(document, (*key, "until"), since_start(document, (*key, "until"), written["until"]))
        rounds = int(until_s // every_s) + 1
    if (rounds - 1) * every_s > LONGEST_RUN_S:
        which = "count" if "count" in written else "until"
        raise document.error(
            (*key, which), f"the last round would begin after {LONGEST_RUN_S // 86_400} d; end it earlier"
        )
    return _Schedule(every_s, rounds)


def _seconds(document: Document, key: Key, written: object) -> float:
    try:
        return parse_duration(written)
    except ValueError as error:
        raise document.error(key, str(error)) from error
