"""Dates of emulated time in scenarios, made into durations since the scenario's own date.

This happens to the document, after draws and before anything in it is checked: whoever reads an instant of the run
reads a duration, and an error names the key and the date that were written.
"""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from testbed.guest.events import event_kind
from testbed.guest.events.outage import Outage
from testbed.guest.timed_event import RunTime
from testbed.scenario.events import event_names
from testbed.scenario.instant import parse_instant

if TYPE_CHECKING:
    from testbed.guest.timed_event import TimedEvent
    from testbed.scenario.document import Document, Key

__all__ = ["resolve_dates", "since_start"]

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def resolve_dates(document: Document) -> None:
    """Put a duration in the place of every date that stands where an instant of the run is expected.

    Raises:
        ScenarioError: A date that is none, or before the scenario's own.
    """
    plain = {"measurements": ["at"], "background": ["from", "until"], "outages": _instants(Outage)}
    for listed, names in plain.items():
        for index, item in enumerate(_listed(document, listed)):
            if isinstance(item, dict):
                _resolve(document, (listed, index), item, names)
    for index, item in enumerate(_listed(document, "events")):
        if isinstance(item, dict):
            for kind in set(item) & set(event_names()):
                if isinstance(item[kind], dict):
                    _resolve(document, ("events", index, kind), item[kind], _instants(event_kind(kind)))


def since_start(document: Document, key: Key, written: object) -> object:
    """Return the duration from the scenario's date to a date, as a scenario writes it; what is no date as it is.

    Raises:
        ScenarioError: It is before the scenario's date, or one of the two is none.
    """
    is_date = isinstance(written, date) or (isinstance(written, str) and _DATE.match(written.strip()) is not None)
    if not is_date:
        return written
    try:
        instant = parse_instant(written)
    except ValueError as error:
        raise document.error(key, str(error)) from error
    try:
        start = parse_instant(document.data.get("date"))
    except ValueError:
        return written  # without a date of its own the scenario is refused anyway, with a better message
    if instant < start:
        raise document.error(
            key, f"{_shown(instant)} is before the run begins, at {_shown(start)} (date); choose a later one"
        )
    return f"{(instant - start) // timedelta(microseconds=1)} us"


def _listed(document: Document, key: str) -> list[object]:
    listed = document.data.get(key)
    return listed if isinstance(listed, list) else []


def _instants(kind: type[TimedEvent]) -> list[str]:
    """Return the keys of a kind of event that take an instant of the run."""
    return [field.name.removesuffix("_") for field in fields(kind) if field.type == RunTime]  # type: ignore[arg-type]


def _resolve(document: Document, key: Key, item: dict[str, object], names: list[str]) -> None:
    for name in names:
        if name in item:
            item[name] = since_start(document, (*key, name), item[name])


def _shown(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ" if instant.second else "%Y-%m-%dT%H:%MZ")
