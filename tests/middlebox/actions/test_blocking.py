from __future__ import annotations

import pytest
from scapy.layers.inet import IP, TCP

from testbed.middlebox.events import (
    BlockingStarted,
    Event,
    FlowForgotten,
    PacketDropped,
    PacketInjected,
    PacketRewritten,
    event_name,
)
from testbed.middlebox.packet import ACK, FIN, PSH, RST, Direction, Packet
from tests.middlebox.build import Box, Connection, client_hello, profile

UP, DOWN = Direction.UP, Direction.DOWN
TWITTER = client_hello("twitter.com")
REQUEST = b"GET / HTTP/1.1\r\nHost: rutracker.org\r\n\r\n"


def names(events: list[Event]) -> list[str]:
    return [event_name(event) for event in events]


def is_well_formed(data: bytes) -> bool:
    """Whether both checksums are right, by scapy."""
    again = IP(data)
    sums = again.chksum, again[TCP].chksum
    del again.chksum, again[TCP].chksum
    rebuilt = IP(bytes(again))
    return (rebuilt.chksum, rebuilt[TCP].chksum) == sums


def test_drop_lets_some_packets_pass_and_then_none() -> None:
    passed = set()
    for seed in range(200):
        box = Box(profile("ru-2022-II"), seed=seed).connect().up(TWITTER)
        packets = [
            box.connection.down(bytes(100)) if index % 2 else box.connection.up(bytes(100)) for index in range(20)
        ]
        fates = [bool(box.send(packet)) for packet in packets]
        passed.add(fates.index(True))
        assert all(fates[fates.index(True) :])
    assert passed == {5, 6, 7, 8}


def test_drop_may_take_the_hello_too() -> None:
    box = Box(profile("ru-2022-IV")).connect().up(TWITTER)
    assert names(box.events)[-4:] == ["rule_matched", "blocking_started", "packet_dropped", "inspection_ended"]
    assert names(box.send(box.connection.up(TWITTER), box.connection.down(b"x"))) == ["packet_dropped"] * 2


@pytest.mark.parametrize(
    ("name", "residual_s"), [("ru-2022-I", 75), ("ru-2022-II", 420), ("ru-2022-IV", 40), ("ru-quic-2022", 420)]
)
def test_profiles_of_2022_have_their_residual_times(name: str, residual_s: float) -> None:
    assert profile(name).action.residual_s == residual_s


def test_residual_blocking_ends_on_time_whatever_is_sent() -> None:
    box = Box(profile("ru-2022-IV")).connect().up(TWITTER)
    matched_ns = box.now_ns
    for _ in range(39):
        box.wait(0.999)
        assert box.send(box.connection.up(b"again")) != []
    box.wait(1.1)
    (forgotten, *_) = box.send(box.connection.up(b"again"))
    assert forgotten == FlowForgotten(t_ns=matched_ns + 40 * 10**9, flow=1, reason="residual time over")
    assert box.send(box.connection.up(b"again")) == []


def test_rewrite_turns_answers_into_resets() -> None:
    box = Box(profile("ru-2022-I")).connect().up(TWITTER)
    answer = box.connection.down(bytes(1200))
    (event,) = box.send(answer)
    assert isinstance(event, PacketRewritten)
    assert is_well_formed(event.data)
    segment = IP(event.data)[TCP]
    assert (segment.flags.value, segment.seq, segment.ack, bytes(segment.payload)) == (
        RST | ACK,
        answer.seq,
        answer.ack,
        b"",
    )
    assert box.send(box.connection.up(b"more")) == []


def test_reset_goes_to_both_sides_and_is_repeated() -> None:
    box = Box(profile("isp-block-rst")).connect()
    request = box.connection.up(REQUEST)
    events = box.send(request)
    assert names(events) == [
        "hello_seen", "rule_matched", "blocking_started", "packet_dropped", "packet_injected", "packet_injected",
        "inspection_ended",
    ]  # fmt: skip
    back, onward = (event for event in events if isinstance(event, PacketInjected))
    assert (back.direction, back.flags, back.seq) == (DOWN, RST | ACK, request.ack)
    assert back.ack == request.seq + len(REQUEST)
    assert (onward.direction, onward.flags, onward.seq) == (UP, RST | ACK, request.seq)
    assert is_well_formed(back.data)
    assert is_well_formed(onward.data)
    assert names(box.send(box.connection.up(REQUEST))) == ["packet_dropped", "packet_injected", "packet_injected"]
    assert box.send(box.connection.packet(DOWN)) == []


def test_reset_may_go_to_one_side_only() -> None:
    box = Box(profile("isp-block-rst", action__reset_to=["inside"])).connect().up(REQUEST)
    assert [event.direction for event in box.events if isinstance(event, PacketInjected)] == [DOWN]


def test_a_block_page_answers_in_the_servers_place() -> None:
    box = Box(profile("isp-block")).connect().up(REQUEST)
    page, reset = (event for event in box.events if isinstance(event, PacketInjected))
    answer = bytes(IP(page.data)[TCP].payload)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert body.decode() == profile("isp-block").action.page
    assert (page.direction, page.flags, reset.direction, reset.flags) == (DOWN, FIN | PSH | ACK, UP, RST | ACK)
    assert is_well_formed(page.data)
    assert names(box.send(box.connection.down(b"late answer"))) == ["packet_dropped"]


def test_other_sites_are_left_alone() -> None:
    box = Box(profile("isp-block")).connect().up(REQUEST.replace(b"rutracker", b"wikipedia"))
    assert not [event for event in box.events if isinstance(event, BlockingStarted | PacketDropped)]


def test_ipv6_resets_are_built_as_well() -> None:
    box = Box(profile("isp-block-rst"), connection=Connection("2001:db8::1", "2001:db8::2")).connect().up(REQUEST)
    injected = [event for event in box.events if isinstance(event, PacketInjected)]
    assert [Packet.parse(event.data, event.direction).key for event in injected] == [box.connection.up(b"").key] * 2
