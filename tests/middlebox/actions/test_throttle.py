from __future__ import annotations

from random import Random

from testbed.middlebox.enforcement.actions import Throttle, packet_dropped
from testbed.middlebox.enforcement.meters import TokenBucketSpec
from testbed.middlebox.events import PacketDropped, ThrottlingStarted
from testbed.middlebox.packet import Direction
from tests.middlebox.build import Connection

SPEC = TokenBucketSpec(rate_bps=8_000, burst_bytes=3_000)


def throttled(*directions: Direction) -> Throttle:
    return Throttle(SPEC, frozenset(directions or Direction), opened_ns=0, counts="ip_length", random=Random(1))  # noqa: S311


def test_each_direction_has_its_own_bucket() -> None:
    throttle, connection = throttled(), Connection()
    assert [throttle.on_packet(1, connection.up(bytes(1460)), 0) == [] for _ in range(3)] == [True, True, False]
    assert [throttle.on_packet(1, connection.down(bytes(1460)), 0) == [] for _ in range(3)] == [True, True, False]


def test_the_other_direction_is_free_where_one_is_metered() -> None:
    throttle, connection = throttled(Direction.DOWN), Connection()
    assert throttle.start(1, connection.up(b""), 5) == [
        ThrottlingStarted(
            t_ns=5,
            flow=1,
            meter="token_bucket",
            effect="slows",
            up=None,
            down={"rate_bps": 8_000, "burst_bytes": 3_000},
        )
    ]
    assert not any(throttle.on_packet(1, connection.up(bytes(1460)), 0) for _ in range(10))


def test_the_matching_packet_is_not_metered() -> None:
    throttle, connection = throttled(), Connection()
    throttle.start(1, connection.up(bytes(1460)), 0)
    assert [throttle.on_packet(1, connection.up(bytes(1460)), 0) == [] for _ in range(3)] == [True, True, False]


def test_the_event_tells_the_packet_apart() -> None:
    connection = Connection()
    packet = connection.down(bytes(100))
    assert packet_dropped(4, packet, 9, "why") == PacketDropped(
        t_ns=9,
        flow=4,
        direction=Direction.DOWN,
        seq=5000,
        ack=1000,
        payload_length=100,
        ip_id=1,
        length=140,
        reason="why",
    )
