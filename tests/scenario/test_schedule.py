"""The measurements of a scenario again and again: when each round begins, and which schedules are refused."""

from __future__ import annotations

import re

import pytest

from testbed.errors import ScenarioError
from testbed.records.plan import planned_transfers
from tests.scenario.plans import first_day

ONE = ("lines=[{name: mobile, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]", "date=2021-03-10T09:00Z")
FETCH = "measurements=[{fetch: twitter.com, role: target, at: 5 s}, {fetch: example.com, role: control}]"


@pytest.mark.parametrize("end", ["count: 3", "until: 8 h", "until: 2021-03-10T18:59Z"])
def test_each_round_begins_at_its_instant(end: str) -> None:
    transfers = list(planned_transfers(first_day(*ONE, FETCH, f"schedule={{every: 4 h, {end}}}").data))
    assert [each["at_s"] for each in transfers] == [5.0, 0.0, 14_405.0, 14_400.0, 28_805.0, 28_800.0]
    assert len({each["id"] for each in transfers}) == 6


def test_rounds_draw_values_of_their_own_and_pairs_alternate() -> None:
    pair = "measurements=[{pair: {target: twitter.com, control: example.com}, size: 'uniform(10 kB, 90 kB)'}]"
    transfers = list(planned_transfers(first_day(*ONE, pair, "schedule={every: 4 h, count: 4}").data))
    assert [each["role"] for each in transfers] == ["target", "control", "control", "target"] * 2
    assert len({each["path"] for each in transfers if each["kind"] == "fetch"}) == 4


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("{every: 4 h}", "schedule: expected 'every', and either 'until' or 'count', got"),
        ("{every: 4, count: 2}", "schedule.every: expected a duration such as"),
        ("{every: 0, count: 2}", "schedule.every: expected a duration such as 4 h, got 0"),
        ("{every: 4 h, count: 0}", "schedule.count: expected a whole number from 1 on, got 0"),
        ("{every: 4 h, until: 2021-03-09}", "schedule.until: 2021-03-09T00:00Z is before the run begins"),
        ("{every: 4 h, until: 2024-03-09}", "schedule.until: the last round would begin after 1000 d; end it earlier"),
        ("{every: 1 s, until: 10 d}", "schedule: 864001 rounds of 2 measurements are more than 20000"),
        ("{every: 4 s, count: 2}", "measurements.0.at: a round would take 5 s at least, and the next one begins 4 s"),
        ("{every: 4 h, count: 2, x: 1}", "schedule.x: unknown key; remove it"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(schedule: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(problem)):
        first_day(*ONE, FETCH, f"schedule={schedule}")
