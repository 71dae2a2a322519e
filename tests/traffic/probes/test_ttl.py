from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.traffic.probes import ttl
from testbed.traffic.probes.ttl import Ttl
from tests.traffic.probes.box import Acts, calibrated, on_any_hello

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.traffic.conversation import Passage
    from tests.traffic.evasion.talk import RecordedTalk

ROUTERS = ["10.0.0.1", "10.0.1.1", None, "10.0.3.1"]


def behind(hops: int) -> Acts:
    """A box that a hello reaches if it lives for more than so many hops."""

    def acts(talk: RecordedTalk, passage: Passage) -> bool:
        return on_any_hello(talk, passage) and all(packet.ttl > hops for packet in talk.emitted())

    return acts


@pytest.mark.parametrize(
    ("acts", "most", "after_hop", "tried"),
    [(behind(2), 30, 2, 3), (behind(0), 30, 0, 1), (behind(9), 30, None, 4), (behind(2), 2, None, 2)],
)
def test_the_box_is_behind_the_last_hop_that_a_hello_may_die_at(  # noqa: PLR0917 - a table's columns
    acts: Acts, most: int, after_hop: int | None, tried: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ttl, "hops", lambda _: ROUTERS)
    found = Ttl(most=most).run(calibrated(tmp_path, acts))
    assert found["after_hop"] == after_hop
    assert [each["router"] for each in found["tried"]] == ROUTERS[:tried]
