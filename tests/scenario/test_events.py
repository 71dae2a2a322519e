"""Timed events as scenarios write them: the same event under both keys, and errors with file, line and key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.scenario import library
from testbed.scenario.events import event_names
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from pathlib import Path

ONE_KEY = "expected a mapping with one key, a kind of event (censor, days, impairment, outage, placement)"
OUTAGE = "{link: [gateway, state], from: 0, until: 4 min, about: why}"


def planned(*settings: str) -> Plan:
    return make_plan(library.find("scenarios", "2021-03-10"), list(settings), seed=None, engine="virtual", command=None)


def test_the_kinds_are_the_modules_that_are_there() -> None:
    assert event_names() == ["censor", "days", "impairment", "outage", "placement"]


def test_an_outage_is_an_event_by_either_key() -> None:
    old = planned("outages=[" + OUTAGE + "]", "events=[]").data["events"]
    new = planned("outages=[]", "events=[{outage: " + OUTAGE + "}]").data["events"]
    assert old == new
    assert old == [
        {"kind": "outage", "fields": {"link": ["gateway", "state"], "from_": 0.0, "until": 240.0, "about": "why"}}
    ]


def test_outages_come_before_events_in_the_plan() -> None:
    events = planned(f"outages=[{OUTAGE}]", "events=[{outage: " + OUTAGE.replace("why", "later") + "}]").data["events"]
    assert [each["fields"]["about"] for each in events] == ["why", "later"]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ("{flood: {}}", f"events.0: {ONE_KEY}, got the keys flood"),
        ("{}", f"events.0: {ONE_KEY}, got the keys "),
        (f"{{outage: {OUTAGE}, other: 1}}", f"events.0: {ONE_KEY}, got"),
        ("outage", f"events.0: {ONE_KEY}, got 'outage'"),
        ("{outage: 5}", "events.0.outage: expected a mapping, got 5"),
        (f"{{outage: {OUTAGE.replace('4 min', '4')}}}", "events.0.outage.until: expected a duration such as '95 ms'"),
        (f"{{outage: {OUTAGE.replace('4 min', '1001 d')}}}", "events.0.outage.until: expected at most 1000 d, got"),
        (f"{{outage: {OUTAGE.replace('from: 0', 'from: 5 min')}}}", "events.0.outage: expected 'until' after 'from'"),
        (f"{{outage: {OUTAGE.replace('from', 'from_')}}}", "events.0.outage.from_: unknown key; remove it"),
        (f"{{outage: {OUTAGE.replace('until: 4 min,', '')}}}", "events.0.outage.until: this key is missing"),
        (f"{{outage: {OUTAGE.replace('state', 'moon')}}}", "events.0.outage.link: no link between gateway and moon"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(event: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        planned(f"events=[{event}]")


def test_an_error_in_a_file_has_its_line(tmp_path: Path) -> None:
    text = library.find("scenarios", "2021-03-10").read_text()
    path = tmp_path / "scenario.yaml"
    path.write_text(
        f"{text}events:\n- outage:\n    link: [gateway, moon]\n    from: 0\n    until: 1 s\n    about: why\n"
    )
    line = path.read_text().splitlines().index("    link: [gateway, moon]") + 1
    with pytest.raises(ScenarioError, match=f"scenario.yaml:{line}: events.0.outage.link: no link between"):
        make_plan(path, [], seed=None, engine="virtual", command=None)
