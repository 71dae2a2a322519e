from __future__ import annotations

from testbed.traffic.evasion.idle import Idle
from tests.traffic.evasion.talk import played


def test_idling_begins_when_the_hello_is_acknowledged() -> None:
    passage = Idle(wait=610).passage("twitter.com")
    assert [verb for verb, _ in played(passage).done] == ["send", "settle", "wait", "send"]
    assert passage.patience_s == 610
    assert passage.order(transfer="x", size=1, timeout_s=30)["timeout_s"] == 640
