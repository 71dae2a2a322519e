"""Events after the first day show what was published; where one does not, `benchmarks/later_events.py` says why."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from testbed import run
from testbed.scenario import library

if TYPE_CHECKING:
    from tests.conftest import Runner

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "later_events.py"


def _events() -> tuple[Any, ...]:
    spec = spec_from_file_location("later_events", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["later_events"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    events: tuple[Any, ...] = module.EVENTS
    return events


EVENTS = _events()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.scenario)
def test_an_event_has_its_published_signature(event: Any, run_scenario: Runner, tmp_path: Path) -> None:
    assert callable(run_scenario)  # skips where there is no kernel
    said, agrees = event.check(run(event.scenario, output=tmp_path / "run"))
    assert agrees == (not event.differs), said


def test_every_later_scenario_has_its_event() -> None:
    later = {name.removeprefix("history/") for name in library.names("scenarios") if name.startswith("history/")}
    assert later - {"2021-03-10", "2021-spring"} == {event.scenario for event in EVENTS}
