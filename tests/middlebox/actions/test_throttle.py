from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.actions.throttle import Metered, Throttle
from testbed.middlebox.events import PacketDelayed, PacketDropped, ThrottlingStarted
from testbed.middlebox.meters.byte_quota import ByteQuotaSpec
from testbed.middlebox.meters.packet_quota import PacketQuotaSpec
from testbed.middlebox.meters.shaper import ShaperSpec
from testbed.middlebox.meters.token_bucket import TokenBucketSpec
from testbed.middlebox.packet import Direction
from testbed.middlebox.profile.metering import MeterChoice
from tests.middlebox.build import Connection, problems
from tests.middlebox.meters.build import beginning

if TYPE_CHECKING:
    from testbed.middlebox.meters import MeterSpec

BUCKET = TokenBucketSpec(rate_bps=8_000, burst_bytes=3_000)
SHAPER = ShaperSpec(rate_bps=8_000, burst_bytes=3_000, queue_bytes=1_500)


def throttled(*directions: Direction, spec: MeterSpec = BUCKET, lasts_s: float | None = None) -> Metered:
    action = Throttle(
        directions=frozenset(directions or Direction), scope="flow", trigger_packet="passes", lasts_s=lasts_s
    )
    return action.make(beginning(), MeterChoice(kind=spec.kind, counts="ip_length", described={spec.kind: spec}))


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


def test_what_a_shaper_holds_back_is_delayed_until_its_queue_is_full() -> None:
    throttle, connection = throttled(spec=SHAPER), Connection()
    events = [throttle.on_packet(1, connection.up(bytes(1460)), 0) for _ in range(4)]
    assert [[type(each) for each in found] for found in events] == [[], [], [PacketDelayed], [PacketDropped]]


def test_a_budget_of_packets_is_one_for_both_directions() -> None:
    throttle, connection = throttled(spec=PacketQuotaSpec(packets=5)), Connection()
    sent = [connection.up(b""), connection.down(bytes(9)), connection.down(bytes(1460)), connection.up(b"x")]
    sent += [connection.up(b"x"), connection.down(b"x")]
    assert [throttle.on_packet(1, packet, 0) == [] for packet in sent] == [True] * 4 + [False] * 2


def test_a_freeze_of_some_seconds_slows_a_flow_and_says_how_long() -> None:
    throttle, connection = throttled(spec=ByteQuotaSpec(quota_bytes=0), lasts_s=3.0), Connection()
    (started,) = throttle.start(1, connection.up(b"x"), 0)
    assert isinstance(started, ThrottlingStarted)
    assert (started.effect, started.up) == ("slows", {"quota_bytes": 0, "lasts_s": 3.0})
    assert [len(throttle.on_packet(1, connection.down(b"x"), at)) for at in (0, 2_999_999_999, 3_000_000_000)] == [
        1,
        1,
        0,
    ]


def test_an_action_without_its_meter_cannot_be_made() -> None:
    action = Throttle(directions=frozenset(Direction), scope="flow", trigger_packet="passes")
    with pytest.raises(ValueError, match="no meter"):
        action.make(beginning(), None)


@pytest.mark.parametrize(
    ("name", "changes", "key"),
    [
        ("tele2-3g-up", {"action__residual": "60 s"}, "action.residual"),
        ("upstream-only", {"action__directions": ["up", "down"]}, "action.directions"),
        ("ru-tw-2021a", {"action__directions": []}, "action.directions"),
        ("ru-tw-2021a", {"action__scope": "house"}, "action.scope"),
        ("ru-tw-2021a", {"action__after_amount": "0 B"}, "action.after_amount"),
        ("ru-tw-2021a", {"action__after_amount": "9 kB", "action__after_time": "9 s"}, "action.after_time"),
        ("ru-tw-2021a", {"action__lasts": "0 s"}, "action.lasts"),
        ("ir-2011", {"action__lasts": "9 s"}, "action.lasts"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_its_key(name: str, changes: dict[str, object], key: str) -> None:
    assert list(problems(name, **changes)) == [key]
