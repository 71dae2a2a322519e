"""Generated traces: what a recipe says is what is sent."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from testbed.conformance.bench import Connection
from testbed.conformance.hellos import client_hello
from testbed.conformance.traces import (
    NAMES,
    Recipe,
    draw_recipe,
    extensions_for,
    interleaved,
    names_for,
    packets,
    write_trace,
)
from testbed.middlebox.packet import SYN, UDP, Direction, Packet
from testbed.middlebox.recognise import Hello
from testbed.middlebox.recognise.quic import QuicReader
from testbed.records.capture_file import read_frames
from tests.middlebox.build import profile

if TYPE_CHECKING:
    from pathlib import Path

UP, DOWN = Direction.UP, Direction.DOWN
PLAIN = Recipe(
    name="twitter.com", cuts=(), is_reversed=False, record_cut=0, repeated=1, padded_to=0, ttl=64, first=b"",
    opened_from=UP, sender=UP,
)  # fmt: skip


def sent(recipe: Recipe) -> list[Packet]:
    """The packets of the hello itself: what follows the handshake, and comes before the data."""
    return [each for each in packets(recipe, Connection()) if each.payload][:-60]


def test_a_plain_hello_is_one_packet_after_a_handshake_and_before_data() -> None:
    trace = packets(PLAIN, Connection())
    assert [bool(packet.flags & SYN) for packet in trace[:3]] == [True, True, False]
    assert [packet.payload for packet in sent(PLAIN)] == [client_hello("twitter.com")]
    assert {packet.direction for packet in trace[4:]} == {UP, DOWN}


@pytest.mark.parametrize(
    ("recipe", "sizes"),
    [
        (replace(PLAIN, cuts=(5, 100)), [5, 95, len(client_hello("twitter.com")) - 100]),
        (replace(PLAIN, cuts=(5,), is_reversed=True), [len(client_hello("twitter.com")) - 5, 5]),
        (replace(PLAIN, cuts=(5,), repeated=2), [5, 5] + [len(client_hello("twitter.com")) - 5] * 2),
        (replace(PLAIN, padded_to=1800), [1460, 340]),
        (replace(PLAIN, record_cut=40), [len(client_hello("twitter.com")) + 5]),
        (replace(PLAIN, first=b"\xaa" * 99), [99, len(client_hello("twitter.com"))]),
    ],
)
def test_each_way_of_sending_is_carried_out(recipe: Recipe, sizes: list[int]) -> None:
    assert [len(packet.payload) for packet in sent(recipe)] == sizes


def test_extensions_and_quic_are_carried_out_and_draw_nothing_where_they_are_not_asked_for() -> None:
    recipe = replace(PLAIN, is_quic=True, repeated=2, extensions=("encrypted_client_hello",))
    trace = packets(recipe, Connection())
    assert {packet.protocol for packet in trace} == {UDP}
    found = [QuicReader().read(packet.payload) for packet in trace[:2]]
    assert [each.name for each in found if isinstance(each, Hello) and 0xFE0D in each.extensions] == ["twitter.com"] * 2
    plain, other = Random(7), Random(7)  # noqa: S311
    assert [draw_recipe(plain) for _ in range(9)] == [draw_recipe(other, extensions=()) for _ in range(9)]
    drawn = [draw_recipe(plain, quic_share=0.5, extensions=("padding",)) for _ in range(300)]
    assert {(bool(each.extensions), each.is_quic) for each in drawn} == {
        (a, b) for a in (True, False) for b in (True, False)
    }


def test_names_repeat_where_a_profile_counts_them_and_its_extensions_are_known() -> None:
    siberian = profile("ru-siberian-2025")
    assert len(names_for(siberian)) == 2
    assert extensions_for(siberian) == ("status_request",)


def test_a_low_ttl_and_another_sender_are_carried_out() -> None:
    (hello,) = sent(replace(PLAIN, ttl=2, sender=DOWN))
    assert (hello.ttl, hello.direction) == (2, DOWN)
    assert sent(replace(PLAIN, is_http=True))[0].payload.startswith(b"GET / HTTP/1.1\r\nHost: twitter.com\r\n")


def test_the_same_seed_draws_the_same_recipes_and_most_are_plain_enough_to_be_acted_on() -> None:
    recipes = [[draw_recipe(random) for _ in range(300)] for random in (Random(7), Random(7))]  # noqa: S311
    assert recipes[0] == recipes[1]
    assert sum(not (each.cuts or each.record_cut or each.padded_to) for each in recipes[0]) > 60
    assert {each.name for each in recipes[0]} == set(NAMES)


def test_a_profiles_own_names_are_tried_too() -> None:
    assert {"www.googlevideo.com", *NAMES} <= set(names_for(profile("ru-yt-2024-tcp")))


def test_interleaved_traces_keep_each_connections_order_and_lose_nothing() -> None:
    mixed = list(interleaved([PLAIN] * 30, Random(1)))  # noqa: S311
    by_port: dict[int, list[bytes]] = {}
    for packet in mixed:
        by_port.setdefault(packet.key.inside_port, []).append(packet.data)
    assert len(by_port) == 30
    assert mixed[0].key != mixed[5].key
    for port, data in by_port.items():
        alone = packets(PLAIN, Connection("10.0.0.1", "192.0.2.1", inside_port=port))
        assert data == [packet.data for packet in alone]


def test_a_trace_is_written_as_a_capture(tmp_path: Path) -> None:
    trace = packets(PLAIN, Connection())
    write_trace(tmp_path / "trace.pcap", ((index * 1_500_000_001, packet) for index, packet in enumerate(trace)))
    with (tmp_path / "trace.pcap").open("rb") as file:
        frames = list(read_frames(file))
    assert [frame.data for frame in frames] == [packet.data for packet in trace]
    assert [frame.t_ns for frame in frames[:3]] == [0, 1_500_000_001, 3_000_000_002]
