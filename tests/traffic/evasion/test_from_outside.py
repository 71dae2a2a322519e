from __future__ import annotations

import pytest

from testbed.traffic.conversation import Take
from testbed.traffic.evasion.from_outside import FromOutside


@pytest.mark.parametrize(("hello_by", "up", "down"), [("client", 517, 0), ("server", 0, 517), ("both", 517, 517)])
def test_from_outside_either_end_sends_the_hello(hello_by: str, up: int, down: int) -> None:
    passage = FromOutside(hello_by=hello_by).passage("twitter.com")
    assert passage.opens == "far"
    assert [step.count if isinstance(step, Take) else len(step.payload) for step in passage.steps] == [up, down]  # type: ignore[union-attr]
