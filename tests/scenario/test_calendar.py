"""Dates of emulated time are instants of the run, wherever one is expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from testbed.errors import ScenarioError
from testbed.records.box_plan import profile_at
from testbed.scenario.plan import make_plan
from tests.scenario.plans import FIRST_DAY, first_day

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.box_plan import ProfileDocument

DATE = "date=2021-03-10T09:00Z"


def name(profile: ProfileDocument | None) -> str | None:
    return None if profile is None else profile["name"]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2021-03-10T09:00:30Z", 30.0), ("2021-03-10T09:00", 0.0), ("2021-03-11", 54_000.0), ("90 s", 90.0)],
)
def test_a_date_counts_from_the_scenarios_own(written: str, seconds: float) -> None:
    plan = first_day(
        DATE, "outages=[]", f"events=[{{censor: {{at: {written}, censor: none}}}}]", f"measurements.0.at={written}"
    )
    assert plan.data["events"][0]["fields"]["at"] == seconds
    assert plan.data["phases"][-1]["lines"][0]["transfers"][0]["at_s"] == seconds


def test_outages_take_dates_too() -> None:
    written = "{link: [gateway, state], from: 2021-03-10T09:01Z, until: 2021-03-10T10:00Z, about: why}"
    events = first_day(DATE, f"outages=[{written}]").data["events"]
    assert (events[0]["fields"]["from_"], events[0]["fields"]["until"]) == (60.0, 3600.0)


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        (
            "2021-03-10T08:59Z",
            "2021-03-10T08:59Z is before the run begins, at 2021-03-10T09:00Z (date); choose a later one",
        ),
        ("2021-13-10", "expected an instant such as 2021-03-10T09:00Z, got '2021-13-10'"),
    ],
)
def test_a_date_that_cannot_be_is_refused_with_its_key(at: str, problem: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(f"events.0.censor.at: {problem}")):
        first_day(DATE, f"events=[{{censor: {{at: '{at}', censor: none}}}}]")


def test_an_error_has_the_line_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "day.yaml").write_text(
        FIRST_DAY.read_text() + "events:\n- censor:\n    at: 2021-03-09\n    censor: none\n"
    )
    line = len((tmp_path / "day.yaml").read_text().splitlines()) - 1
    with pytest.raises(ScenarioError, match=rf"day\.yaml:{line}: events\.0\.censor\.at: 2021-03-09T00:00Z is before"):
        make_plan(tmp_path / "day.yaml", [], seed=None, engine="virtual", command=None)


def test_a_family_is_resolved_for_the_date_of_the_event() -> None:
    boxes = first_day(
        "date=2021-03-10T09:00Z", "outages=[]", "events=[{censor: {at: 2021-03-12, censor: ru-tw-2021}}]"
    ).data["boxes"]
    box = boxes["mobile-tspu"]
    found = [name(profile_at(box, hours * 3600.0)) for hours in (0, 38, 39)]
    assert found == ["ru-tw-2021a", "ru-tw-2021a", "ru-tw-2021b"]
