"""Segments of the box's own, held against the connection that they pretend to belong to."""

from __future__ import annotations

import pytest

from testbed.middlebox.actions.segments import answer, onward, segment
from testbed.middlebox.packet import ACK, FIN, PSH, RST, SYN, Direction, Packet
from tests.middlebox.actions.build import is_well_formed
from tests.middlebox.build import Connection

UP, DOWN = Direction.UP, Direction.DOWN


@pytest.mark.parametrize(
    ("flags", "payload", "counted"), [(PSH | ACK, b"hello", 5), (SYN, b"", 1), (FIN | ACK, b"x", 2), (ACK, b"", 0)]
)
def test_an_answer_acknowledges_all_that_the_packet_took(flags: int, payload: bytes, counted: int) -> None:
    packet = Connection().packet(UP, flags, payload, ttl=9)
    event = answer(3, packet, 7, RST | ACK, reason="why", payload=b"no")
    sent = Packet.parse(event.data, event.direction)
    assert (event.flow, event.t_ns, event.reason, event.direction) == (3, 7, "why", DOWN)
    assert (sent.key, sent.seq, sent.ack) == (packet.key, packet.ack, packet.seq + counted)
    assert (sent.payload, sent.ttl, sent.ip_id) == (b"no", 64, packet.ip_id)
    assert (event.seq, event.ack, event.flags, event.payload_length) == (sent.seq, sent.ack, RST | ACK, 2)
    assert is_well_formed(event.data)


def test_numbers_go_round() -> None:
    packet = Connection().up(b"hello")._replace(seq=2**32 - 2)
    assert answer(1, packet, 0, ACK, reason="why").ack == 3


def test_onward_stands_in_for_the_sender() -> None:
    packet = Connection().packet(DOWN, PSH | ACK, b"page", ttl=9)
    event = onward(1, packet, 7, RST | ACK, reason="why")
    sent = Packet.parse(event.data, event.direction)
    assert (sent.key, sent.direction, sent.seq, sent.ack) == (packet.key, DOWN, packet.seq, packet.ack)
    assert (sent.payload, sent.ttl, sent.flags) == (b"", 9, RST | ACK)
    assert is_well_formed(event.data)


@pytest.mark.parametrize("ends", [("10.0.0.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::2")])
def test_a_segment_goes_either_way_over_either_version(ends: tuple[str, str]) -> None:
    packet = Connection(*ends).up(b"x")
    there = Packet.parse(segment(packet, flags=ACK, seq=1, ack=2, ttl=3), UP)
    back = Packet.parse(segment(packet, flags=ACK, seq=1, ack=2, ttl=3, backwards=True), DOWN)
    assert (there.src, there.sport, there.dst, there.dport) == (packet.src, packet.sport, packet.dst, packet.dport)
    assert (back.src, back.sport, back.dst, back.dport) == (packet.dst, packet.dport, packet.src, packet.sport)
