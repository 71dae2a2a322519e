from __future__ import annotations

from typing import Any

import pytest

from testbed.demo.outcome import outcome, right_vote
from testbed.demo.scene import Choice


def transfer(**fields: Any) -> Any:
    return {
        "id": "phone/01-twitter.com", "role": "target", "throttled": False, "action": None, "influences": [],
        "goodput_bps": 1e5, "rule": None, "drops": 0, **fields,
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
    assert told["valid"] is False
    assert told["problems"] == ["the guest was starved"]
