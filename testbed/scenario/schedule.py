"""``schedule``: the whole list of measurements again and again, every few hours of emulated time.

This happens to the document, before draws: each round draws values of its own. What begins a round waits for its
instant, and the others follow as they always do; `at` of a measurement counts from the beginning of its round.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import ScenarioError
from testbed.guest.timed_event import LONGEST_RUN_S
from testbed.quantities import parse_duration, shown
from testbed.scenario.calendar import since_start

if TYPE_CHECKING:
    from testbed.scenario.document import Document, Key

__all__ = ["SCHEDULE", "expand_schedule", "place_rounds"]

MOST_MEASUREMENTS = 20_000
_ROUND = "_round_s"

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
        raise _error(
            document,
            ("schedule",),
            f"{schedule.rounds} rounds of {len(listed)} measurements are more than {MOST_MEASUREMENTS}; let it end "
            "earlier, or measure less often",
        )
    before = document.sources.get("measurements") or list(range(len(listed)))
    found: list[object] = []
    for number in range(schedule.rounds):
        for item in copy.deepcopy(listed):
            if isinstance(item, dict):
                item[_ROUND] = [number * schedule.every_s, schedule.every_s]
            found.append(item)
    # Who of a pair comes first alternates from round to round, too.
    repeated = [*document.repetitions, *[0] * (len(listed) - len(document.repetitions))]
    document.repetitions = [nth + number for number in range(schedule.rounds) for nth in repeated]
    document.data["measurements"] = found
    document.sources["measurements"] = before * schedule.rounds


def place_rounds(document: Document) -> None:
    """Let each measurement of a schedule begin no earlier than its round.

    Raises:
        ScenarioError: A round would not be over before the next begins.
    """
    listed = document.data.get("measurements")
    pauses: dict[float, float] = {}
    for index, item in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(item, dict) or _ROUND not in item:
            continue
        begins_s, every_s = item.pop(_ROUND)
        try:
            at_s, pause_s = parse_duration(item.get("at", 0)), parse_duration(item.get("pause", 0))
        except ValueError:
            at = document.written(("measurements", index, "at"))
            if isinstance(item.get("at", ""), str):
                continue  # the model says what is wrong
            raise _error(document, at, "a date cannot be repeated; write a duration since the round began") from None
        pauses[begins_s] = pauses.get(begins_s, 0.0) + pause_s
        if max(at_s, pauses[begins_s]) >= every_s:
            key = document.written(("measurements", index, "at" if at_s >= every_s else "pause"))
            problem = f"a round would take {max(at_s, pauses[begins_s]):g} s at least, and the next one begins "
            raise _error(document, key, f"{problem}{every_s:g} s after it; measure less often (schedule.every)")
        if begins_s:
            item["at"] = f"{round((begins_s + at_s) * 1e6)} us"


def _read(document: Document, written: object) -> _Schedule:
    key: Key = ("schedule",)
    if not isinstance(written, dict) or "every" not in written or len({"until", "count"} & set(written)) != 1:
        problem = f"expected 'every', and either 'until' or 'count', got {shown(written)}"
        raise _error(document, key, problem)
    unknown = set(written) - {"every", "until", "count"}
    if unknown:
        raise _error(document, (*key, str(min(map(str, unknown)))), "unknown key; remove it")
    every_s = _seconds(document, (*key, "every"), written["every"])
    if not every_s:
        raise _error(document, (*key, "every"), "expected a duration such as 4 h, got 0")
    if "count" in written:
        rounds = written["count"]
        if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
            raise _error(document, (*key, "count"), f"expected a whole number from 1 on, got {shown(rounds)}")
    else:
        until_s = _seconds(document, (*key, "until"), since_start(document, (*key, "until"), written["until"]))
        rounds = int(until_s // every_s) + 1
    if (rounds - 1) * every_s > LONGEST_RUN_S:
        which = "count" if "count" in written else "until"
        raise _error(
            document, (*key, which), f"the last round would begin after {LONGEST_RUN_S // 86_400} d; end it earlier"
        )
    return _Schedule(every_s, rounds)


def _seconds(document: Document, key: Key, written: object) -> float:
    try:
        return parse_duration(written)
    except ValueError as error:
        raise _error(document, key, str(error)) from error


def _error(document: Document, key: Key, problem: str) -> ScenarioError:
    return ScenarioError(f"{document.place(key)}: {'.'.join(map(str, key))}: {problem}")
