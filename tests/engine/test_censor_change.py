"""Boxes change their profile while a run goes on: transfers show it, the log tells it, and the captures agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.records.jsonl import read_lines

if TYPE_CHECKING:
    from tests.conftest import FinishedRun, Runner

LINES = "lines=[" + ", ".join(f"{{name: {name}, kind: mobile, tspu: true}}" for name in ("kept", "freed", "late")) + "]"
FETCHES = "measurements=[" + ", ".join(
    f"{{fetch: {name}, role: collateral, size: {size}, at: {at} s}}"
    for name, size, at in (
        ("reddit.com", "100 kB", 0), ("reddit.com", "383 kB", 20), ("reddit.com", "100 kB", 60),
    )
) + "]"  # fmt: skip
EVENTS = (
    "events=[{censor: {at: 30 s, censor: ru-tw-2021c, lines: [kept]}}, "
    "{censor: {at: 30 s, censor: none, lines: [freed], forgets: true}}, "
    "{censor: {at: 2021-03-10T09:00:10Z, censor: ru-tw-2021a, lines: [late]}}]"
)


@pytest.fixture(scope="module")
def changed(run_scenario: Runner) -> FinishedRun:
    """Three lines; on the third the box has no profile at first."""
    return run_scenario(
        "date=2021-03-10T09:00Z", LINES, "censors={}", "lines.0.censor=ru-tw-2021a", "lines.1.censor=ru-tw-2021a",
        "recordings=[]", "outages=[]", "origins.origin.serves=[reddit.com]", FETCHES, EVENTS,
    )  # fmt: skip


def test_the_run_is_valid_across_the_changes(changed: FinishedRun) -> None:
    assert changed.manifest["valid"], changed.manifest["problems"]
    agreement = changed.manifest["certificate"]["agreement"]
    assert {name: found["logged"] > 0 for name, found in agreement.items()} == {
        "kept-tspu": True, "freed-tspu": True, "late-tspu": True,
    }  # fmt: skip


def test_what_happens_to_a_transfer_follows_the_profile_of_its_time(changed: FinishedRun) -> None:
    throttled: dict[str, list[bool]] = {}
    for each in changed.manifest["transfers"]:
        throttled.setdefault(each["line"], []).append(each["throttled"])
    # The second transfer of two lines was under way: one line's box kept it, the other's let go of it half-way.
    assert throttled == {"kept": [True, True, False], "freed": [True, True, False], "late": [False, True, True]}
    seconds = {each["line"]: each["duration_s"] for each in changed.manifest["transfers"] if each["bytes"] > 200_000}
    assert seconds["freed"] < seconds["kept"] - 5


def test_the_truth_has_each_change_at_its_instant(changed: FinishedRun) -> None:
    changes = [each for each in read_lines(changed.path / "truth.jsonl") if each["event"] == "profile_changed"]
    found = sorted((each["t"], each["box"], each["profile"], each["forgets"]) for each in changes)
    assert found == [
        (10.0, "late-tspu", "ru-tw-2021a", False), (30.0, "freed-tspu", None, True),
        (30.0, "kept-tspu", "ru-tw-2021c", False),
    ]  # fmt: skip


def test_a_reader_of_the_results_is_told(changed: FinishedRun) -> None:
    notes = [note for note in changed.manifest["notes"] if "stood in" not in note]  # for a program that is not here
    assert any(note.startswith("from 10 s on the boxes (tspu) of line late were set to ru-tw-2021a") for note in notes)
    assert len(notes) == 3


def test_packets_that_wait_in_the_box_survive_a_change(run_scenario: Runner) -> None:
    """A shaper holds packets of an upload back while the profile changes: they leave as they were told to."""
    run = run_scenario(
        "date=2021-03-10T09:00Z", "lines=[{name: mobile, kind: mobile, tspu: true}]", "censors={tspu: tele2-3g-up}",
        "recordings=[]", "outages=[]", "measurements=[{upload: twitter.com, role: target, size: 60 kB}]",
        "events=[{censor: {at: 3 s, censor: ru-tw-2021a}}]",
    )  # fmt: skip
    assert run.manifest["valid"], run.manifest["problems"]
    delayed = [each for each in read_lines(run.path / "truth.jsonl") if each["event"] == "packet_delayed"]
    assert any(each["t"] < 3 < each["t"] + each["delay_ns"] / 1e9 for each in delayed)
    assert run.manifest["transfers"][0]["ok"]
