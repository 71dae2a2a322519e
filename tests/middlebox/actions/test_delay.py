from __future__ import annotations

import pytest

from testbed.middlebox.actions.delay import Delay
from testbed.middlebox.events import PacketDelayed, ThrottlingStarted
from testbed.middlebox.packet import Direction
from tests.middlebox.build import Connection, problems

DELAY = Delay(directions=frozenset({Direction.DOWN}), scope="flow", trigger_packet="passes", delay_s=0.5)


def test_every_packet_of_its_direction_is_sent_on_later_by_the_same_time() -> None:
    connection = Connection()
    (event,) = DELAY.on_packet(1, connection.down(bytes(100)), 7)
    assert isinstance(event, PacketDelayed)
    assert (event.t_ns, event.delay_ns, event.reason) == (7, 500_000_000, "delay")
    assert DELAY.on_packet(1, connection.up(bytes(100)), 7) == []


def test_it_slows_a_flow_down() -> None:
    (event,) = DELAY.start(1, Connection().up(b"x"), 5)
    assert event == ThrottlingStarted(t_ns=5, flow=1, meter="delay", effect="slows", up=None, down={"delay_s": 0.5})


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"action__delay": 0}, "action.delay"),
        ({"action__delay": 1e300}, "action.delay"),
        ({"action__delay": "400 d"}, "action.delay"),
        ({"action__trigger_packet": "dropped"}, "action.trigger_packet"),
        ({"inspection__fragments": "reassemble"}, "inspection.fragments"),
    ],
    ids=str,
)
def test_what_cannot_be_carried_out_is_refused_with_its_key(changes: dict[str, object], key: str) -> None:
    assert list(problems("kz-2022", **changes)) == [key]
