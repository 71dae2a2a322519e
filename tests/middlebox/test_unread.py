"""Hellos that a box looks for and does not find are told with the reason; nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.conformance.traces import draw_recipe, interleaved
from testbed.middlebox.craft import fragments, inverted, udp_datagram
from testbed.middlebox.events import Event, HelloUnread, InspectionEnded
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import ACK, PSH, Direction, Packet
from testbed.middlebox.recognise import Hello, Outcome, tls
from testbed.middlebox.unread import Overlooked, why_unread
from tests.middlebox.build import (
    CHANGE_CIPHER_SPEC,
    MSS,
    Box,
    Connection,
    client_hello,
    extensions_length_offset,
    padded,
    profile,
    profile_names,
    split_record,
)
from tests.middlebox.recognise.test_quic import initials

if TYPE_CHECKING:
    from collections.abc import Sequence

UP, DOWN = Direction.UP, Direction.DOWN
TWITTER = client_hello("twitter.com")
LONG = padded(TWITTER, 1981)
AT = extensions_length_offset(TWITTER)
DAMAGED = inverted(TWITTER, AT, AT + 2)
UNKNOWN = b"\xaa" * 150


def unread(events: Sequence[Event]) -> list[HelloUnread]:
    return [event for event in events if isinstance(event, HelloUnread)]


def told(event: HelloUnread) -> tuple[Any, ...]:
    return event.protocol, event.reason, event.packets, event.bytes, event.size


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ((LONG[:MSS], LONG[MSS:]), ("tls", "spans packets", 1, MSS, 1981)),  # two segments, as today's browsers send
        ((TWITTER[:60], TWITTER[60:]), ("tls", "spans packets", 2, len(TWITTER), len(TWITTER))),
        ((TWITTER[:3], TWITTER[3:]), ("tls", "spans packets", 1, 3, None)),
        ((split_record(TWITTER, 40),), ("tls", "spans records", 1, len(TWITTER) + 5, None)),
        ((CHANGE_CIPHER_SPEC + TWITTER,), ("tls", "behind another record", 1, len(TWITTER) + 6, None)),
        ((DAMAGED,), ("tls", "malformed", 1, len(TWITTER), len(TWITTER))),
        ((client_hello(None),), ("tls", "no name", 1, len(client_hello(None)), None)),
        ((inverted(TWITTER),), (None, "not recognised", 1, len(TWITTER), None)),
    ],
    ids=["two segments", "short first", "no header", "two records", "behind", "malformed", "no name", "inverted"],
)
def test_a_hello_that_is_not_found_is_told_when_inspection_ends(
    payloads: tuple[bytes, ...], expected: tuple[Any, ...]
) -> None:
    box = Box().connect().up(*payloads)
    box.up(*[b"\x17\x03\x03\x00\x01x"] * 20)
    assert [told(event) for event in unread(box.events)] == [expected]
    at = box.events.index(unread(box.events)[0])
    assert isinstance(box.events[at + 1], InspectionEnded)
    assert not box.throttles()


@pytest.mark.parametrize(
    "payloads",
    [(TWITTER,), (client_hello("example.org"),), (client_hello(None), TWITTER), (TWITTER[:60], TWITTER), ()],
    ids=["matched", "another name", "a second hello", "sent again in one piece", "nothing"],
)
def test_where_a_name_was_read_or_nothing_was_sent_there_is_nothing_to_tell(payloads: tuple[bytes, ...]) -> None:
    box = Box().connect().up(*payloads)
    box.down(UNKNOWN)
    box.wait(1000)
    assert unread([*box.events, *box.inspector.expire(box.now_ns)]) == []


def test_a_flow_that_is_forgotten_under_inspection_tells_it_then() -> None:
    box = Box().connect().up(TWITTER[:60])
    assert unread(box.events) == []
    box.wait(601)
    events = box.inspector.expire(box.now_ns)
    assert [told(event) for event in unread(events)] == [("tls", "spans packets", 1, 60, len(TWITTER))]
    assert type(events[-1]).__name__ == "FlowForgotten"


def test_another_port_is_no_place_to_expect_a_hello() -> None:
    box = Box(connection=Connection(outside_port=22)).connect().up(UNKNOWN)
    assert unread(box.events) == []
    box = Box(connection=Connection(outside_port=22)).connect().up(LONG[:MSS])
    assert [event.reason for event in unread(box.events)] == ["spans packets"]


def test_what_the_server_sends_is_no_hello() -> None:
    assert unread(Box().connect().down(UNKNOWN).events) == []


def test_reassembly_finds_a_hello_of_two_packets_but_not_of_two_records() -> None:
    whole = Box(profile("ru-16k-2025")).connect().up(LONG[:MSS], LONG[MSS:])
    assert unread(whole.events) == []
    box = Box(profile("ru-tw-2021a", inspection__reassembly="segments")).connect()
    box.up(*(split_record(LONG, 40)[at : at + 700] for at in (0, 700, 1400))).down(UNKNOWN)
    assert [event.reason for event in unread(box.events)] == ["spans records"]


@pytest.mark.parametrize("policy", ["pass", "hold"])
def test_a_hello_in_ip_fragments_is_told(policy: str) -> None:
    box = Box(profile(inspection__fragments=policy)).connect()
    box.send(*(Packet.parse(piece, UP) for piece in fragments(box.connection.up(TWITTER).data, 96)))
    box.down(UNKNOWN)
    assert [(event.protocol, event.reason) for event in unread(box.events)] == [(None, "in IP fragments")]


def datagrams(payloads: Sequence[bytes]) -> list[Packet]:
    ends = {"src": bytes([10, 0, 0, 1]), "dst": bytes([192, 0, 2, 1]), "sport": 40000, "dport": 443}
    return [Packet.parse(udp_datagram(**ends, payload=each), UP) for each in payloads]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "payloads", "expected"),
    [
        ("ru-yt-2024-quic", initials(protocols=14)[:1], "spans packets"),
        ("ru-yt-2024-quic", [b"\xc3\x00\x00\x00\x09" + bytes(1200)], "unknown version"),
        ("ru-yt-2024-quic", [b"\xc3\x00\x00\x00\x01" + bytes(1200)], "malformed"),
        ("ru-yt-2024-quic", [b"\x40" + bytes(1200)], "not recognised"),
        ("ru-quic-2022", [b"\xd3\x6b\x33\x43\xcf" + bytes(1200)], "unknown version"),
        ("ru-quic-2022", [b"\xc3\x00\x00\x00\x01" + bytes(900)], "too short"),
    ],
)
def test_an_initial_that_is_not_read_is_told(name: str, payloads: list[bytes], expected: str) -> None:
    box = Box(profile(name, inspection__budget_packets=[0, 0]))
    assert [event.reason for event in unread(box.send(*datagrams(payloads)))] == [expected]


def test_a_request_whose_host_is_in_the_next_packet_is_told() -> None:
    box = Box(profile("isp-block"), connection=Connection(outside_port=80)).connect()
    box.up(b"GET /" + b"x" * 200, b" HTTP/1.1\r\nHost: rutracker.org\r\n\r\n")
    assert [told(event)[:3] for event in unread(box.events)] == [("http", "spans packets", 1)]


@pytest.mark.parametrize("name", profile_names())
def test_telling_changes_nothing_else(name: str) -> None:
    random = Random(name)  # noqa: S311
    trace = list(interleaved([draw_recipe(random, http_share=0.2) for _ in range(100)], random))
    with mock.patch.object(Overlooked, "event", return_value=None):
        silent = list(play(name, trace))
    telling = list(play(name, trace))
    assert [event for event in telling if not isinstance(event, HelloUnread)] == silent
    assert len({event.flow for event in unread(telling)}) == len(unread(telling))  # once a flow


def play(name: str, trace: list[Packet]) -> list[Event]:
    used = profile(name)
    inspector = Inspector(replace(used, flows=replace(used.flows, table_size=30)), seed=1)
    events: list[Event] = []
    for index, packet in enumerate(trace):
        now_ns = index * 50_000_000
        events += inspector.expire(now_ns) + inspector.inspect(packet, now_ns)
    return events


@given(st.integers(1, len(TWITTER) - 1))
def test_every_beginning_of_a_hello_is_either_read_or_explained(size: int) -> None:
    begun = TWITTER[:size]
    result = tls.recognise(begun)
    why = why_unread(["tls"], begun, result)
    assert (why is None) == isinstance(result, Hello)
    assert why is None or why.reason == "spans packets"


@given(st.binary(max_size=80), st.sampled_from(Outcome))
def test_any_bytes_can_be_asked_about(data: bytes, result: Outcome) -> None:
    why = why_unread(["tls", "http", "quic", "quic_version1"], data, result)
    assert why is None or why.reason


def test_the_packets_of_a_hello_are_counted_up_to_its_own_size() -> None:
    box = Box(profile(inspection__give_up_bytes=1400)).connect()
    box.up(*(LONG[at : at + 500] for at in range(0, len(LONG), 500)))
    box.send(*(box.connection.packet(UP, PSH | ACK, b"\x17\x03\x03\x00\x01x") for _ in range(20)))
    assert [told(event) for event in unread(box.events)] == [("tls", "spans packets", 4, 1981, 1981)]
