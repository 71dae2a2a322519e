from __future__ import annotations

from typing import Any

import pytest

from testbed.demo.outcome import outcome, right_vote
from testbed.demo.scene import Choice


def transfer(**fields: Any) -> Any:
    return {
        "id": "phone/01-twitter.com", "name": "twitter.com", "line": "phone", "role": "target", "ok": True,
        "throttled": False, "action": None, "influences": [], "goodput_bps": 1e5, "error": None, "rule": None,
        "drops": 0, **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("summary", "cause", "vote"),
    [
        (transfer(throttled=True, action="token_bucket"), "box", "throttled"),
        (transfer(action="drop"), "box", "blocked"),
        (transfer(), "box", "nothing"),
        (transfer(influences=[{"who": "loss"}]), "", None),
        (transfer(throttled=True), "", "throttled"),
        (transfer(role="control", throttled=True), "", "nothing"),
        (transfer(), "slow", "slow server"),
        (transfer(), "busy", "congested"),
    ],
)
def test_the_right_vote_follows_what_acted_on_the_target(summary: Any, cause: str, vote: str | None) -> None:
    assert right_vote([summary], cause) == vote


def test_an_invalid_run_says_why() -> None:
    manifest: Any = {"title": "t", "transfers": [transfer()], "valid": False, "problems": ["the guest was starved"]}
    told = outcome(manifest, [], Choice())
    assert told["says"][-1] == "Do not score this run: the guest was starved."  # type: ignore[index]


def test_a_transfer_that_failed_has_no_goodput() -> None:
    broken = transfer(ok=False, error="timed out", goodput_bps=9e9)
    manifest: Any = {"title": "t", "transfers": [broken], "valid": True}
    told = outcome(manifest, [], Choice(cause="broken"))
    assert told["says"] == [
        "Right answer: broken.",
        "It was a server that cannot be reached.",
        "twitter.com on the line phone: failed (timed out); the box did nothing to it.",
    ]


def test_verdicts_on_the_target_are_told_and_silent_detectors_share_a_row() -> None:
    def verdict(detector: str, told: str, subject: str = "phone/01-twitter.com") -> Any:
        return {"subject": subject, "detector": detector, "outcome": told, "why": "<b>why</b>"}

    manifest: Any = {"title": "t", "transfers": [transfer(throttled=True, rule="x", drops=3)], "valid": True}
    verdicts = [
        verdict("a", "inconclusive"), verdict("b", "not throttled"), verdict("c", "throttled"),
        verdict("d", "inconclusive"), verdict("e", "throttled", "phone/02-example.com"),
    ]  # fmt: skip
    told = outcome(manifest, verdicts, None)
    assert told["verdicts"] == [
        ["c", "throttled", "<b>why</b>"], ["b", "not throttled", "<b>why</b>"], ["2 more", "inconclusive", "a, d"],
    ]  # fmt: skip
    assert told["says"] == [
        "Right answer: throttled.",
        "twitter.com on the line phone: 100 kbit/s; throttled by the rule x, 3 packets dropped.",
    ]
