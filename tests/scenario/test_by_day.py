"""The days of a plan: what came before a day is in force, what comes after it is not known, and none needs another."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.guest.phases import is_long
from testbed.records.box_plan import profile_at
from testbed.scenario import library
from testbed.scenario.by_day import day_of, days_of
from testbed.scenario.plan import make_plan
from tests.scenario.plans import first_day

if TYPE_CHECKING:
    from testbed.scenario.plan import Plan

SPRING = make_plan(library.find("scenarios", "2021-spring"), [], seed=None, engine="virtual", command=None)
PLAIN = (
    "measurements=[{fetch: twitter.com, size: 20 kB, role: target}]", "recordings=[]", "outages=[]",
    "schedule={every: 6 h, count: 6}",
)  # fmt: skip


def begins(plan: Plan) -> datetime:
    return datetime.fromtimestamp(plan.data["start_ns"] / 1e9, tz=UTC)


def test_every_transfer_is_on_one_day_and_at_its_own_instant() -> None:
    days = [day_of(SPRING, day) for day in days_of(SPRING)]
    assert len(days) == 71
    instants = {
        transfer["id"]: begins(day).timestamp() + transfer["at_s"] for day in days for transfer in day.transfers
    }
    whole = {each["id"]: begins(SPRING).timestamp() + each["at_s"] for each in SPRING.transfers}
    assert instants == pytest.approx(whole, abs=1e-3)
    assert sum(len(day.transfers) for day in days) == len(SPRING.transfers)


@given(st.sampled_from(days_of(SPRING)), st.floats(0, 86_399))
def test_a_box_follows_on_its_day_what_it_follows_then(day: date, at_s: float) -> None:
    part = day_of(SPRING, day)
    before_s = (begins(part) - begins(SPRING)).total_seconds()
    at_s = min(at_s, 86_399 - (begins(part) - datetime.combine(day, datetime.min.time(), UTC)).total_seconds())
    for node, box in SPRING.data["boxes"].items():
        there = part.data["boxes"].get(node)
        found = None if there is None else profile_at(there, at_s)
        assert found == profile_at(box, before_s + at_s)


def test_each_day_idles_as_a_long_run_does_and_the_first_day_alone_does_not() -> None:
    assert all(is_long(day_of(SPRING, day).data) for day in days_of(SPRING))
    assert not is_long(first_day().data)


def test_each_day_has_a_seed_of_its_own_and_so_has_each_box() -> None:
    days = [day_of(SPRING, day).data for day in days_of(SPRING)]
    seeds = [day["seed"] for day in days] + [box["seed"] for day in days for box in day["boxes"].values()]
    assert len(set(seeds)) == len(seeds)
    assert days[3]["drawn"][0] == {
        "key": "seed", "written": "from seed 1 and the day 2021-03-13", "value": days[3]["seed"],
    }  # fmt: skip


def test_what_goes_on_over_midnight_is_on_both_days() -> None:
    plan = first_day(*PLAIN, "events=[{outage: {link: [gateway, state], from: 10 h, until: 20 h}}]")
    spans = [
        [event["fields"] for event in day_of(plan, day).data["events"]] for day in days_of(plan)
    ]  # the first day begins at 7 o'clock
    found: list[Any] = [[(each["from_"], each["until"]) for each in day] for day in spans]
    start_h = begins(plan).hour
    assert found[0] == [(36_000.0, 72_000.0)]
    assert found[1] == [(0.0, 72_000.0 - (24 - start_h) * 3600)]


def test_a_line_whose_box_is_out_of_the_path_says_why() -> None:
    of_day = day_of(SPRING, date(2021, 3, 20)).data
    assert of_day["without_box"] == {"obit": "it is out of the path"}
    assert "obit-tspu" in day_of(SPRING, date(2021, 3, 21)).data["boxes"]


@pytest.mark.parametrize(("settings", "problem"), [
    (("background=[{bulk: [origin, mobile]}]",), "background traffic"),
    (("links=[{between: [gateway, state], trace: cellular-slow}]", "schedule.count=2"), "trace"),
])  # fmt: skip
def test_what_has_no_days_is_refused(settings: tuple[str, ...], problem: str) -> None:
    plan = first_day(*PLAIN, *settings)
    for refused in (lambda: days_of(plan), lambda: day_of(plan, date(2021, 3, 10))):
        with pytest.raises(ScenarioError, match=problem):
            refused()
