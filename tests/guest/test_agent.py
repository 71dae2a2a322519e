"""What the agent made of the first day, as its records tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.records.clock import iso_time

if TYPE_CHECKING:
    from tests.conftest import FinishedRun


def test_an_outage_is_in_the_ground_truth_with_its_beginning_and_end(first_day: FinishedRun) -> None:
    changes = [each for each in first_day.records.truth() if each["box"] is None]
    assert [(each["event"], each["link"]) for each in changes] == [
        ("link_failed", ["gateway", "state"]),
        ("link_restored", ["gateway", "state"]),
    ]
    begun, ended = (each["t"] for each in changes)
    assert begun == pytest.approx(0.0, abs=0.001)
    assert ended == pytest.approx(240.0, abs=0.001)


def test_records_have_the_emulated_time_twice_and_it_agrees(first_day: FinishedRun) -> None:
    start_ns = first_day.manifest["start_ns"]
    for record in first_day.records.truth("mobile-tspu")[:50]:
        assert record["wall"] == iso_time(start_ns + round(record["t"] * 1e9))


def test_no_transfer_begins_before_the_scenario_lets_it(first_day: FinishedRun) -> None:
    planned = {
        each["id"]: each["at_s"]
        for phase in first_day.records.plan["phases"]
        for line in phase["lines"]
        for each in line["transfers"]
    }
    started = {each["id"]: each["start_s"] for each in first_day.manifest["transfers"]}
    assert all(started[name] >= at_s for name, at_s in planned.items() if name in started)
    late = [started[name] for name, at_s in planned.items() if at_s]
    assert late == [pytest.approx(290.0, abs=0.001)] * 3


def test_lines_work_side_by_side(first_day: FinishedRun) -> None:
    begun = {line: first_day.transfer(line, "kremlin.ru")["start_s"] for line in ("mobile", "landline", "rostelecom")}
    assert max(begun.values()) - min(begun.values()) < 0.001
