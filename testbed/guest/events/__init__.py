"""The kinds of timed events, a module each, called as scenarios call the kind.

`testbed.guest.timed_event` says what such a module holds. The host finds the kinds by the modules that are here
(`testbed.scenario.events`); the guest loads those alone that its plan has, since each costs it time.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING

from testbed.guest.timed_event import TimedEvent

if TYPE_CHECKING:
    from testbed.records.plan import EventPlan

__all__ = ["event_kind", "event_plan", "planned_event"]


def event_kind(name: str) -> type[TimedEvent]:
    """Return the class of a kind.

    Raises:
        ModuleNotFoundError: There is no such module.
        TypeError: It has not one class on `TimedEvent` of its own.
    """
    module = import_module(f"{__name__}.{name}")
    found = [
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, TimedEvent) and each.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} has {len(found)} classes on TimedEvent; a kind of event is one")
    return found[0]


def event_plan(event: TimedEvent) -> EventPlan:
    """Return an event as it stands in a plan. JSON has no tuples: each becomes a list."""
    names = (field.name for field in fields(event))  # type: ignore[arg-type]  # the contract: a kind is a dataclass
    values = {name: getattr(event, name) for name in names}
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {"kind": type(event).__module__.rpartition(".")[2], "fields": plain}


def planned_event(plan: EventPlan) -> TimedEvent:
    """Return the event that stands in a plan; each list becomes a tuple again."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in plan["fields"].items()}
    return event_kind(plan["kind"])(**values)
