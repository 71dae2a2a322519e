"""Boxes leave the path and come back, stand after another hop, and act on some days: in the network and its truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.records.jsonl import read_lines

if TYPE_CHECKING:
    from tests.conftest import FinishedRun, Runner

FETCHES = "measurements=[" + ", ".join(
    f"{{fetch: twitter.com, role: target, size: {size}, at: {at} s}}"
    for size, at in (("60 kB", 0), ("383 kB", 20), ("20 MB", 58), ("60 kB", 110), ("60 kB", 160))
) + "]"  # fmt: skip
EVENTS = (
    "events=[{placement: {from: 30 s, until: 60 s, after_hop: none, about: maintenance}}, "
    "{placement: {from: 100 s, until: 150 s, after_hop: 5}}]"
)


@pytest.fixture(scope="module")
def moved(run_scenario: Runner) -> FinishedRun:
    return run_scenario(
        "date=2021-03-10T09:00Z", "lines=[{name: obit, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]",
        "network.parameters.mobile_down=8 Mbit/s", FETCHES, EVENTS,
    )  # fmt: skip


def test_the_run_is_valid_and_the_log_of_each_place_agrees_with_its_captures(moved: FinishedRun) -> None:
    assert moved.manifest["valid"], moved.manifest["problems"]
    agreement = moved.manifest["certificate"]["agreement"]
    assert {name: found["logged"] > 0 for name, found in agreement.items()} == {
        "obit-tspu": True, "obit-tspu-after-5": True,
    }  # fmt: skip


def test_a_transfer_meets_the_box_where_it_stands_or_none(moved: FinishedRun) -> None:
    where = [[each["where"] for each in transfer["influences"]] for transfer in moved.manifest["transfers"]]
    # The third began without a box and was under way when it came back, which does not touch what it saw no hello of.
    assert where == [["obit-tspu"], ["obit-tspu"], [], ["obit-tspu-after-5"], ["obit-tspu"]]


def test_a_box_that_leaves_lets_go_of_the_transfer_under_way(moved: FinishedRun) -> None:
    transfer = moved.manifest["transfers"][1]
    assert transfer["influences"][0]["until_s"] == pytest.approx(30, abs=0.01)
    assert transfer["duration_s"] is not None
    assert transfer["duration_s"] < 18  # it would have taken 23


def test_truth_and_notes_have_every_change(moved: FinishedRun) -> None:
    changes = [each for each in read_lines(moved.path / "truth.jsonl") if each["event"] == "profile_changed"]
    found = sorted((each["t"], each["box"], each["profile"] is not None) for each in changes)
    assert found == [
        (30.0, "obit-tspu", False), (60.0, "obit-tspu", True), (100.0, "obit-tspu", False),
        (100.0, "obit-tspu-after-5", True), (150.0, "obit-tspu", True), (150.0, "obit-tspu-after-5", False),
    ]  # fmt: skip
    notes = moved.manifest["notes"]
    assert "the boxes (tspu) of all lines were out of the path from 30 s to 60 s: maintenance" in notes
    assert not any("is a cable from" in note for note in notes)


def test_on_a_day_that_was_not_drawn_nothing_is_throttled(run_scenario: Runner) -> None:
    run = run_scenario(
        "date=2021-03-10T09:00Z", "lines=[{name: obit, kind: mobile, tspu: true}]", "recordings=[]", "outages=[]",
        "measurements=[{fetch: twitter.com, role: target, size: 60 kB}]", "captures={client: headers, box: compared}",
        "schedule={every: 1 d, until: 2021-03-20T00:00Z}", "events=[{days: {share: 50 %}}]",
    )  # fmt: skip
    drawn = run.manifest["drawn"][0]
    assert drawn["key"] == "events.0.days"
    days = [f"2021-03-{10 + number}" for number in range(10)]
    acts = [day not in str(drawn["value"]) for day in days]
    assert [each["throttled"] for each in run.manifest["transfers"]] == acts
    assert len(set(acts)) == 2
