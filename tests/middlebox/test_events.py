from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.events import (
    _CLASSES,
    BlockingStarted,
    Event,
    FlowForgotten,
    FlowOpened,
    HelloSeen,
    HelloUnread,
    InspectionEnded,
    PacketDelayed,
    PacketDropped,
    PacketHeld,
    PacketInjected,
    PacketRewritten,
    ProfileChanged,
    RuleMatched,
    ThrottlingStarted,
    event_from_json,
    event_name,
    event_to_json,
)
from testbed.middlebox.packet import Direction

EVENTS = [
    FlowOpened(
        t_ns=1, flow=1, protocol="tcp", inside="10.0.0.1", inside_port=1, outside="192.0.2.1", outside_port=443,
        community_id="1:x=", opened_by="inside",
    ),
    HelloSeen(t_ns=2, flow=1, protocol="tls", sni="t.co", direction=Direction.UP),
    HelloSeen(t_ns=2, flow=1, protocol="tls", sni=None, direction=Direction.DOWN),
    HelloUnread(
        t_ns=2, flow=1, protocol="tls", reason="spans packets", direction=Direction.UP, packets=1, bytes=1460, size=1981
    ),
    HelloUnread(
        t_ns=2, flow=1, protocol=None, reason="in IP fragments", direction=Direction.UP, packets=1, bytes=9, size=None
    ),
    RuleMatched(t_ns=2, flow=1, rule="t.co", pattern="t.co", sni="t.co"),
    ThrottlingStarted(
        t_ns=2, flow=1, meter="token_bucket", effect="slows", up=None, down={"rate_bps": 140_000, "burst_bytes": 16384}
    ),
    PacketDropped(
        t_ns=3, flow=1, direction=Direction.DOWN, seq=1, ack=2, payload_length=1460, ip_id=7, length=1500,
        reason="token_bucket",
    ),
    BlockingStarted(t_ns=2, flow=1, action="drop", effect="ends", residual_s=420.0),
    BlockingStarted(t_ns=2, flow=1, action="drop", effect="ends", residual_s=None),
    PacketDelayed(
        t_ns=3, flow=1, direction=Direction.UP, seq=1, payload_length=9, ip_id=7, length=49, delay_ns=5,
        reason="shaper",
    ),
    PacketHeld(t_ns=3, flow=0, direction=Direction.UP, ip_id=7, offset=8, length=28),
    PacketInjected(
        t_ns=3, flow=1, direction=Direction.UP, flags=4, seq=1, ack=2, payload_length=0, data=b"\x45\x00",
        reason="reset",
    ),
    PacketRewritten(
        t_ns=3, flow=1, direction=Direction.UP, seq=1, ack=2, ip_id=7, length=40, data=b"\x45\x00", reason="rewrite"
    ),
    InspectionEnded(t_ns=4, flow=1, reason="budget"),
    FlowForgotten(t_ns=600_000_000_004, flow=1, reason="idle"),
    ProfileChanged(t_ns=5, flow=0, profile="ru-tw-2021b", forgets=False),
    ProfileChanged(t_ns=5, flow=0, profile=None, forgets=True),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=event_name)
def test_an_event_survives_json(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


def test_every_kind_of_event_is_among_these() -> None:
    assert {type(event) for event in EVENTS} == set(_CLASSES)


def test_json_has_time_flow_name_and_fields() -> None:
    dropped = PacketDropped(
        t_ns=1_500_000_000,
        flow=3,
        direction=Direction.UP,
        seq=9,
        ack=8,
        payload_length=7,
        ip_id=6,
        length=47,
        reason="x",
    )
    assert event_to_json(dropped, start_ns=1_000_000_000) == {
        "t": 0.5,
        "flow": 3,
        "event": "packet_dropped",
        "direction": "up",
        "seq": 9,
        "ack": 8,
        "payload_length": 7,
        "ip_id": 6,
        "length": 47,
        "reason": "x",
    }


@given(st.integers(0, 2**51), st.integers(0, 2**62))
def test_nanoseconds_survive_for_26_days(since_start_ns: int, start_ns: int) -> None:
    event = FlowForgotten(t_ns=start_ns + since_start_ns, flow=1, reason="idle")
    assert event_from_json(event_to_json(event, start_ns=start_ns), start_ns=start_ns) == event


def test_reading_ignores_what_the_log_adds() -> None:
    record = event_to_json(EVENTS[1]) | {"wall": "2021-03-10T08:00:00Z", "community_id": "1:x="}
    assert event_from_json(record) == EVENTS[1]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"event": "gone"}, "unknown event 'gone'"),
        ({}, "unknown event None"),
        ({"event": "inspection_ended", "t": 0, "flow": 1}, "lacks the field 'reason'"),
        ({"event": "inspection_ended", "t": 0, "reason": "budget"}, "lacks the field 'flow'"),
    ],
)
def test_what_is_no_event_is_refused_by_name(record: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        event_from_json(record)
