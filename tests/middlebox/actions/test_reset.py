from __future__ import annotations

import pytest

from testbed.middlebox.events import PacketInjected
from testbed.middlebox.packet import ACK, RST, Direction, Packet
from tests.middlebox.actions.build import REQUEST, is_well_formed, names
from tests.middlebox.build import Box, Connection, problems, profile

UP, DOWN = Direction.UP, Direction.DOWN


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


def test_ipv6_resets_are_built_as_well() -> None:
    box = Box(profile("isp-block-rst"), connection=Connection("2001:db8::1", "2001:db8::2")).connect().up(REQUEST)
    injected = [event for event in box.events if isinstance(event, PacketInjected)]
    assert [Packet.parse(event.data, event.direction).key for event in injected] == [box.connection.up(b"").key] * 2


@pytest.mark.parametrize("reset_to", [["nobody"], [], "inside", ["inside", "inside"]])
def test_sides_that_there_are_not_are_refused_with_their_key(reset_to: object) -> None:
    assert list(problems("isp-block-rst", action__reset_to=reset_to)) == ["action.reset_to"]


def test_resets_mean_nothing_over_udp() -> None:
    changes = {"trigger__recognisers": ["quic"], "trigger__names_from": ["quic"]}
    assert problems("isp-block-rst", **changes) == {"action.kind": "reset is for TCP, but the recognisers are for UDP"}
