"""A schedule has to leave its measurements the time that they need at the very least."""

from __future__ import annotations

import pytest

from testbed.errors import ScenarioError
from testbed.scenario.density import LeastTimes
from tests.scenario.plans import first_day

LINE = "lines=[{name: mobile, kind: mobile, tspu: true, down: 8 Mbit/s, up: 2 Mbit/s}]"
QUIET = ("recordings=[]", "outages=[]", LINE)


def scheduled(measurements: str, every: str, *settings: str) -> None:
    first_day(*QUIET, f"measurements=[{measurements}]", f"schedule={{every: {every}, count: 3}}", *settings)


@pytest.mark.parametrize(
    ("measurement", "settings", "least_s"),
    [
        ("{fetch: twitter.com, role: target, size: 10 MB}", (), 10),
        ("{fetch: twitter.com, role: target, size: 10 MB, client: curl}", (), 10),
        ("{fetch: twitter.com, role: target, size: 5 MB, objects: 2}", (), 10),
        ("{upload: twitter.com, role: target, size: 2500 kB}", (), 10),
        ("{fetch: twitter.com, role: target, size: 1 MB, reading: 800 kbit/s}", (), 10),
        ("{fetch: twitter.com, role: target, size: 1 MB}", ("origins.origin.rate=800 kbit/s",), 10),
        ("{fetch: twitter.com, role: target, size: 2500 kB, parallel: 4}", (), 10),
        ("{fetch: twitter.com, role: target, size: 1 kB, pause: 4 s, repeat: 2}", (), 8),
    ],
)
def test_a_round_that_cannot_be_over_is_refused(measurement: str, settings: tuple[str, ...], least_s: float) -> None:
    scheduled(measurement, f"{least_s + 1} s", *settings)
    with pytest.raises(ScenarioError, match=r"schedule|pause"):
        scheduled(measurement, f"{least_s - 1} s", *settings)


def test_the_error_says_which_line_and_how_long() -> None:
    with pytest.raises(ScenarioError) as error:
        scheduled("{fetch: twitter.com, role: target, size: 10 MB}", "6 s")
    assert "schedule.every: the measurements of a round take 10 s on line mobile" in str(error.value)


def test_of_what_has_no_planned_size_nothing_is_known() -> None:
    plan = first_day()
    least = LeastTimes(plan.topology, plan.data["origins"])
    replays = [each for each in plan.transfers if each["kind"] == "replay"]
    assert replays
    assert {least.of(each, plan.path_of(each)) for each in replays} == {0.0}
