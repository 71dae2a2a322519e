"""The run's time counts from the plan's instant, and looks at the clock once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from testbed.guest.stage import Stage, seconds_since

if TYPE_CHECKING:
    from testbed.guest.network.topology import RoutedTopo
    from testbed.records.plan import GuestPlan

START_NS = 1_615_366_800_000_000_000


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that is 2.5 s into the run, and how often it was looked at."""
    seen: list[int] = []

    def now() -> int:
        seen.append(START_NS + 2_500_000_000)
        return seen[-1]

    monkeypatch.setattr(time, "time_ns", now)
    return seen


def test_seconds_count_from_the_plans_start_with_one_look(looks: list[int]) -> None:
    plan = cast("GuestPlan", {"start_ns": START_NS})
    stage = Stage(plan, None, cast("RoutedTopo", None), Path("output"), Path("work"))
    assert (stage.now_s(), len(looks)) == (2.5, 1)


def test_before_the_start_time_is_negative(looks: list[int]) -> None:
    assert seconds_since(START_NS + 5_000_000_000) == -2.5
    assert len(looks) == 1
