"""Kinds of timed events by name, and events as they stand in a plan."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from testbed.guest import events
from testbed.guest.events import event_kind, event_plan, planned_event
from testbed.guest.events.outage import Outage


def test_a_kind_is_found_by_the_name_of_its_module() -> None:
    assert event_kind("outage") is Outage


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="flood"):
        event_kind("flood")


@pytest.mark.parametrize("count", [0, 2])
def test_a_module_has_one_kind(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    module = ModuleType(f"{events.__name__}.odd")
    for number in range(count):
        setattr(module, f"Kind{number}", type("Kind", (Outage,), {"__module__": module.__name__}))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with pytest.raises(TypeError, match=f"has {count} classes"):
        event_kind("odd")


def test_a_planned_event_has_tuples_again() -> None:
    event = Outage(link=("gateway", "state"), from_=0.0, until=240.0, about="why")
    plan = event_plan(event)
    assert plan["fields"]["link"] == ["gateway", "state"]
    assert json.loads(json.dumps(plan)) == plan
    assert planned_event(plan) == event
