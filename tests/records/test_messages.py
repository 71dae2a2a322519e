"""What the guest says is a message of a known kind with the keys of that kind, or it is refused."""

from __future__ import annotations

import pytest

from testbed.records.messages import guest_message

CERTIFICATE = {
    "boxes": {"box": {"queue_dropped": 0, "user_dropped": 0, "logged_drops": 1, "evicted": 0, "stopped_ns": 1}},
    "network": {"interfaces": 2, "netem": 2, "rates": 0, "congestion_control": 1},
    "captures": {"box-inside": {"captured": 5, "dropped": 0}},
}  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "progress", "what": "building the network", "t": -5.0},
        {"kind": "transfer", "state": "begins", "transfer": "mobile/01", "t": 0},
        {"kind": "alive", "t": 3.5},
        {"kind": "open", "t": 0.25},
        {"kind": "ended", "number": 1, "status": 130, "problem": "", "began_s": 0.5, "t": 3.5,
         "unread": "0d", "taken": 1},
        {"kind": "finished", "certificate": CERTIFICATE, "emulated_s": 300.0},
        {"kind": "finished", "emulated_s": 300.0,
         "certificate": {**CERTIFICATE, "lateness": {"timers": 9, "late": 0, "worst_s": 0.0}, "command_status": None}},
        {"kind": "failed", "error": "GuestError", "message": "nginx did not start"},
    ],
)  # fmt: skip
def test_messages_of_the_agent_are_taken(message: dict[str, object]) -> None:
    assert guest_message(message) == message


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "expected an object with a kind of message"),
        ({}, "expected an object with a kind of message"),
        ({"kind": 5}, "expected an object with a kind of message"),
        ({"kind": "output", "stream": "stdout", "data": ""}, "expected an object with a kind of message"),
        ({"kind": "ended", "number": "1", "status": 0, "problem": "", "began_s": 0.5, "t": 3.5,
          "unread": "", "taken": 0}, "number: expected"),
        ({"kind": "alive"}, "t: this key is missing"),
        ({"kind": "transfer", "state": "sleeps", "transfer": "a", "t": 0}, "state: expected 'begins' or 'ends'"),
        ({"kind": "finished", "emulated_s": 1.0, "certificate": {}}, "certificate.boxes: this key is missing"),
        ({"kind": "finished", "emulated_s": 1.0, "certificate": {**CERTIFICATE, "captures": {"a": {"captured": 1}}}},
         "certificate.captures.a.dropped: this key is missing"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_with_the_reason(value: object, problem: str) -> None:
    with pytest.raises(ValueError, match=r"expected|missing") as error:
        guest_message(value)
    assert str(error.value).startswith(problem)
