from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.actions.delay import Delay
from testbed.middlebox.events import PacketDelayed, ThrottlingStarted
from testbed.middlebox.packet import Direction
from tests.middlebox.actions.build import TWITTER
from tests.middlebox.build import CHANGE_CIPHER_SPEC, Connection, problems
from tests.middlebox.meters.build import beginning

if TYPE_CHECKING:
    from testbed.middlebox.actions import Treatment
    from testbed.middlebox.packet import Packet

UP, DOWN = Direction.UP, Direction.DOWN
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


def handshake_only(*directions: Direction) -> Treatment:
    action = Delay(
        directions=frozenset(directions), scope="flow", trigger_packet="passes", delay_s=0.5, only="handshake"
    )
    return action.make(beginning(), None)


def delays_ms(treatment: Treatment, *packets: tuple[int, Packet]) -> list[int]:
    """By how much each of some packets is delayed, given when it comes; all in milliseconds."""
    found = [treatment.on_packet(1, packet, at * 1_000_000) for at, packet in packets]
    return [sum(event.delay_ns for event in each if isinstance(event, PacketDelayed)) // 1_000_000 for each in found]


@pytest.mark.parametrize("last", [CHANGE_CIPHER_SPEC, b"\x17\x03\x03\x00\x13" + bytes(19)], ids=["1.2", "1.3"])
def test_the_handshake_is_over_with_the_clients_last_packet_of_it(last: bytes) -> None:
    box, line = handshake_only(DOWN), Connection()
    sent = [(0, line.down(b"\x16")), (9, line.up(TWITTER)), (10, line.down(b"\x17")), (900, line.up(last))]
    assert delays_ms(box, *sent, (1000, line.down(b"\x17"))) == [500, 0, 500, 0, 0]


def test_the_clients_last_packet_passes_at_once_and_what_it_sends_again_of_its_hello_does_not() -> None:
    box, line = handshake_only(UP, DOWN), Connection()
    assert delays_ms(box, (0, line.up(TWITTER)), (400, line.up(CHANGE_CIPHER_SPEC)), (401, line.up(b"x"))) == [
        500,
        0,
        0,
    ]


def test_each_flow_has_a_handshake_of_its_own_and_the_log_says_that_it_is_all() -> None:
    (event,) = handshake_only(DOWN).start(1, Connection().up(TWITTER), 5)
    assert isinstance(event, ThrottlingStarted)
    assert event.down == {"delay_s": 0.5, "handshake_only": 1}
    assert handshake_only(DOWN) is not handshake_only(DOWN)
    assert DELAY.make(beginning(), None) is DELAY


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"action__delay": 0}, "action.delay"),
        ({"action__delay": 1e300}, "action.delay"),
        ({"action__delay": "400 d"}, "action.delay"),
        ({"action__trigger_packet": "dropped"}, "action.trigger_packet"),
        ({"action__only": "hello"}, "action.only"),
        ({"action__only": "handshake", "trigger__recognisers": ["tls", "http"]}, "action.only"),
        ({"inspection__fragments": "reassemble"}, "inspection.fragments"),
    ],
    ids=str,
)
def test_what_cannot_be_carried_out_is_refused_with_its_key(changes: dict[str, object], key: str) -> None:
    assert list(problems("kz-2022", **changes)) == [key]
