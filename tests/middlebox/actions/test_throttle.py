from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testbed.middlebox.actions.throttle import Metered, Throttle
from testbed.middlebox.events import PacketDelayed, PacketDropped, ThrottlingStarted
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


def throttled(*directions: Direction, spec: MeterSpec = BUCKET) -> Metered:
    action = Throttle(directions=frozenset(directions or Direction), scope="flow", trigger_packet="passes")
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
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_its_key(name: str, changes: dict[str, object], key: str) -> None:
    assert list(problems(name, **changes)) == [key]
