"""A run in real time that begins late says so where the scenario had something planned for the time that passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.errors import GuestError
from testbed.guest.timetable import require_nothing_missed, times
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.records.plan import PlanDocument


def planned(*settings: str) -> PlanDocument:
    path = library.find("scenarios", "2021-03-10")
    return make_plan(path, list(settings), seed=1, engine="native", command=None).data


def test_what_the_first_day_does_by_the_clock_is_its_outage_and_the_fetches_after_it() -> None:
    assert sorted(set(times(planned()))) == [0.0, 240.0, 290.0]


@pytest.mark.parametrize(
    ("settings", "late_s", "missed"),
    [
        ([], 239.9, None), ([], 240.0, "240 s"), ([], 2500.0, "240 s"),
        (["outages=[]"], 289.0, None), (["outages=[]"], 300.0, "290 s"),
        (["outages=[]", "measurements=[{fetch: t.co, role: target}]"], 3000.0, None),
        (["outages=[]", "measurements=[{fetch: t.co, role: target}]",
          "events=[{censor: {at: 30 s, censor: ru-tw-2021a}}]"], 31.0, "30 s"),
    ],
)  # fmt: skip
def test_only_what_was_due_before_the_run_began_is_missed(
    settings: list[str], late_s: float, missed: str | None
) -> None:
    plan = planned(*settings)
    if missed is None:
        require_nothing_missed(plan, late_s)
        return
    with pytest.raises(GuestError, match=f"does at {missed} was past"):
        require_nothing_missed(plan, late_s)
