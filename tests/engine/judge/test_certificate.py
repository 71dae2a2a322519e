"""Checks: a check that was not made is not passed, and one that failed says by what."""

from __future__ import annotations

import copy
from functools import cache
from typing import TYPE_CHECKING, cast

import pytest

from testbed.engine.judge.certificate import checks, notes, problems
from testbed.scenario import library
from testbed.scenario.plan import Plan, make_plan

if TYPE_CHECKING:
    from testbed.records.certificate import Certificate, Check
    from testbed.records.manifest import TransferSummary

AGREEMENT = {
    "dropped": 3, "logged": 3, "delayed": 0, "held": 0, "rewritten": 0, "injected": 0, "only_captures": 0,
    "only_log": 0, "unexplained": 0, "mistimed": 0, "worst_s": 0.0, "compared": 40, "not_compared": {},
}  # fmt: skip
COUNTERS = {"queue_dropped": 0, "user_dropped": 0, "logged_drops": 3, "evicted": 0, "stopped_ns": 1}
BOXES = ("mobile-tspu", "landline-tspu")


@cache
def plan(*settings: str, command: tuple[str, ...] | None = None) -> Plan:
    ran = None if command is None else list(command)
    return make_plan(library.find("scenarios", "2021-03-10"), list(settings), seed=None, engine="virtual", command=ran)


def certificate(**changes: object) -> Certificate:
    good = {
        "boxes": dict.fromkeys(BOXES, COUNTERS), "network": {"interfaces": 2, "netem": 2, "rates": 0},
        "captures": {"mobile-client": {"captured": 9, "dropped": 0}}, "agreement": dict.fromkeys(BOXES, AGREEMENT),
        "lack_of_memory": None,
    }  # fmt: skip
    return cast("Certificate", copy.deepcopy({**good, **changes}))


def summaries(*, ok: bool = True, name: str = "example.com", **changes: object) -> list[TransferSummary]:
    planned = [each for each in plan().transfers if each["name"] == name and each["line"] == "mobile"][:1]
    return cast(
        "list[TransferSummary]",
        [{"id": each["id"], "name": name, "role": each["role"], "kind": each["kind"], "ok": ok, "action": None,
          "start_s": 1.0, "error": None if ok else "timed out", "hello": None, "influences": [], **changes}
         for each in planned],
    )  # fmt: skip


def check(name: str, found: Certificate, transfers: list[TransferSummary] | None = None) -> Check:
    made = checks(plan(), found, summaries() if transfers is None else transfers)
    return next(each for each in made if each["check"] == name)


def test_a_good_run_passes_every_check() -> None:
    found = checks(plan(), certificate(), summaries())
    assert {each["state"] for each in found} == {"passed"}
    assert problems(found) == []


@pytest.mark.parametrize(
    ("name", "changes", "state", "about"),
    [
        ("network", {"network": {"changed_by_command": ["mobile: MTU"]}}, "passed", "until the command changed"),
        ("captures", {"captures": {}}, "not checked", "the scenario captures nothing"),
        ("captures", {"captures": {"a": {"captured": 1, "dropped": 5}}}, "failed", "the capture a lost 5 packets"),
        ("inspection", {"boxes": {}}, "not checked", "no box stands on any line"),
        ("inspection", {"boxes": {"b": {**COUNTERS, "user_dropped": 2}}}, "failed", "b lost 2 packets on their way"),
        ("drops", {"agreement": {}}, "not checked", "no box captured on both sides"),
        ("drops", {"agreement": {BOXES[0]: AGREEMENT}}, "not checked", "landline-tspu not captured on both sides"),
        ("drops", {"agreement": {BOXES[0]: {**AGREEMENT, "only_log": 1}}}, "failed", "1 entries only in the log"),
        ("drops", {"agreement": {BOXES[0]: {**AGREEMENT, "mistimed": 4, "worst_s": 0.5}}}, "failed", "by 500.000 ms"),
        ("drops", {"agreement": {key: {**AGREEMENT, "not_compared": {"ARP": 2}} for key in BOXES}}, "passed", "4 ARP"),
        ("clock", {"lateness": {"timers": 90, "late": 0, "worst_s": 0.001}}, "passed", "none of 90 timers fired late"),
        ("clock", {"lateness": {"timers": 90, "late": 7, "worst_s": 0.2}}, "failed", "7 of 90 timers fired late"),
        ("memory", {"lack_of_memory": "it ended nginx"}, "failed", "it ended nginx"),
    ],
)  # fmt: skip
def test_a_check_says_what_it_looked_at(name: str, changes: dict[str, object], state: str, about: str) -> None:
    found = check(name, certificate(**changes))
    assert found["state"] == state
    assert about in found["about"]


@pytest.mark.parametrize(
    ("transfers", "state"),
    [
        ([], "not checked"),
        (summaries(ok=False), "failed"),
        (summaries(ok=False, action="token_bucket"), "passed"),
        (summaries(ok=False, name="kremlin.ru", start_s=10.0), "passed"),  # its link was out
        (summaries(ok=False, name="kremlin.ru", start_s=290.0), "failed"),  # and is no longer
        (summaries(ok=False, role="command"), "passed"),
    ],
    ids=["none", "all failed", "a box acted", "during the outage", "after the outage", "a command's own"],
)
def test_a_role_of_which_every_transfer_failed_is_explained_or_fails_the_run(
    transfers: list[TransferSummary], state: str
) -> None:
    assert check("transfers", certificate(), transfers)["state"] == state


@pytest.mark.parametrize(
    ("settings", "command", "why"),
    [
        ((), None, "none was planned"),
        ((), ("true",), "the command opened no flow"),
        (("captures=[box]",), ("true",), "what flows the command opened is not known, for no client is captured"),
    ],
)
def test_why_no_transfer_is_known_is_told(settings: tuple[str, ...], command: tuple[str, ...] | None, why: str) -> None:
    made = checks(plan(*settings, command=command), certificate(), [])
    found = next(each for each in made if each["check"] == "transfers")
    assert found["state"] == "not checked"
    assert why in found["about"]


def test_notes_tell_of_outages_of_hellos_that_were_not_read_and_of_what_was_left() -> None:
    unread = summaries(name="twitter.com", hello="its hello came in two packets")
    found = notes(plan(), unread, ["output/pipe: no regular file with one name"], 300.0)
    assert any(note.startswith("the link between gateway and state was out from 0 s to 240 s") for note in found)
    assert "left in the guest, not taken over: output/pipe: no regular file with one name" in found
    assert found[-1].startswith("1 transfer was not found by its box (its hello came in two packets, as browsers")


def test_an_event_that_the_run_did_not_reach_is_told_as_one_that_did_not_happen() -> None:
    late = plan()
    for event in late.data["events"]:
        event["fields"]["from_"] = 100.0
    [note] = [each for each in notes(late, [], [], 99.9) if "was out from" in each]
    assert note.startswith("did not happen, for the run was over after 99.9 s: the link between gateway and state")


def test_a_change_of_profile_that_the_run_did_not_reach_did_not_happen_either() -> None:
    late = plan("events=[{censor: {at: 100 s, censor: none}}]")
    said = {at: [each for each in notes(late, [], [], at) if "they were cables" in each] for at in (99.9, 100.0)}
    assert [[each.startswith("did not happen") for each in told] for told in said.values()] == [[True], [False]]
