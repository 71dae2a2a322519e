from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.middlebox.packet import ACK, SYN, Direction
from testbed.middlebox.readers import DatagramReader, Named, OrderedReader, PacketReader, Reading, StreamReader
from testbed.middlebox.recognise import TCP_RECOGNISERS, Hello, Outcome
from tests.middlebox.build import CHANGE_CIPHER_SPEC, MSS, Connection, client_hello, padded, split_record

UP = Direction.UP
RECOGNISERS = list(TCP_RECOGNISERS.items())
HELLO = client_hello("twitter.com")


def stream_reader(*, joins_records: bool = False) -> tuple[StreamReader, Connection]:
    reader, connection = StreamReader(RECOGNISERS, joins_records=joins_records), Connection()
    reader.syn(connection.packet(UP, SYN))
    return reader, connection


def name_after(payloads: list[bytes], *, joins_records: bool = False) -> str | None:
    reader, connection = stream_reader(joins_records=joins_records)
    results = [reader.read(connection.packet(UP, ACK, payload)).result for payload in payloads]
    return next((result.name for result in results if isinstance(result, Hello)), None)


def test_a_packet_stands_alone() -> None:
    reader, connection = PacketReader(RECOGNISERS), Connection()
    assert reader.read(connection.up(HELLO)).result.name == "twitter.com"
    assert reader.read(connection.up(HELLO[:200]))[:3] == ("", Outcome.NOT_THIS, HELLO[:200])
    assert reader.read(connection.up(HELLO[200:]))[:3] == ("", Outcome.NOT_THIS, HELLO[200:])
    assert reader.read(connection.up(CHANGE_CIPHER_SPEC))[:3] == ("tls", Outcome.VALID, CHANGE_CIPHER_SPEC)


@given(st.lists(st.integers(1, len(HELLO) - 1), max_size=6))
def test_a_stream_finds_the_hello_whatever_the_cuts(cuts: list[int]) -> None:
    bounds = [0, *sorted(set(cuts)), len(HELLO)]
    assert name_after([HELLO[a:b] for a, b in itertools.pairwise(bounds)]) == "twitter.com"


@given(st.permutations(range(6)))
def test_a_stream_finds_the_hello_in_any_order_of_segments(order: list[int]) -> None:
    reader, connection = stream_reader()
    size = -(-len(HELLO) // 6)
    packets = [connection.packet(UP, ACK, HELLO[at : at + size]) for at in range(0, len(HELLO), size)]
    results = [reader.read(packets[index]).result for index in order]
    assert [result.name for result in results if isinstance(result, Hello)] == ["twitter.com"]


def test_a_hello_of_two_full_packets_is_found() -> None:
    long = padded(HELLO, 1800)
    assert name_after([long[:MSS], long[MSS:]]) == "twitter.com"


def test_a_hello_after_another_record_is_found_in_the_next_packet_only() -> None:
    assert name_after([CHANGE_CIPHER_SPEC, HELLO]) == "twitter.com"
    assert name_after([CHANGE_CIPHER_SPEC + HELLO]) is None


@pytest.mark.parametrize("at", [1, 3, 4, 40, 200])
def test_records_are_joined_only_on_demand(at: int) -> None:
    split = split_record(HELLO, at)
    assert name_after([split], joins_records=True) == "twitter.com"
    assert name_after([split[: at + 5], split[at + 5 :]], joins_records=True) == "twitter.com"
    assert name_after([split]) is None


def test_a_stream_that_never_ends_becomes_unknown() -> None:
    reader, connection = stream_reader()
    endless = b"GET /" + bytes(20_000)
    outcomes = [reader.read(connection.up(endless[at : at + MSS])).result for at in range(0, len(endless), MSS)]
    assert outcomes[0] is Outcome.NEED_MORE
    assert outcomes[-1] is Outcome.NOT_THIS


def test_a_hello_that_comes_with_the_syn_is_found() -> None:
    reader, connection = StreamReader(RECOGNISERS, joins_records=False), Connection()
    both = connection.packet(UP, SYN, HELLO[:100])
    reader.syn(both)
    assert reader.read(both).result is Outcome.NEED_MORE
    assert isinstance(reader.read(connection.packet(UP, ACK, HELLO[100:])).result, Hello)


def test_directions_are_streams_of_their_own() -> None:
    reader, connection = stream_reader()
    assert reader.read(connection.up(HELLO[:100])).result is Outcome.NEED_MORE
    assert isinstance(reader.read(connection.down(HELLO)).result, Hello)
    assert isinstance(reader.read(connection.up(HELLO[100:])).result, Hello)


def test_a_datagram_that_several_know_is_the_firsts_and_the_others_are_told() -> None:
    known: list[Named] = [
        ("more", lambda _: Outcome.NEED_MORE), ("first", lambda _: Outcome.VALID), ("none", lambda _: Outcome.NOT_THIS),
        ("second", lambda _: Outcome.VALID),
    ]  # fmt: skip
    assert DatagramReader(known).read(Connection().up(b"x")) == Reading("first", Outcome.VALID, b"x", ("second",))


def test_datagrams_of_the_server_are_taken_for_answers() -> None:
    reader = DatagramReader([("quic", lambda _: Outcome.NEED_MORE)])
    connection = Connection()
    assert reader.read(connection.down(b"x"))[:3] == ("", Outcome.VALID, b"x")
    assert reader.read(connection.up(b"x"))[:3] == ("", Outcome.NEED_MORE, b"x")


@given(st.lists(st.integers(5, len(HELLO) - 1), max_size=6), st.booleans())
def test_segments_in_order_are_put_together_from_a_first_that_looks_like_tls(cuts: list[int], repeated: bool) -> None:  # noqa: FBT001
    reader, connection = OrderedReader(PacketReader(RECOGNISERS)), Connection()
    bounds = sorted({0, *cuts, len(HELLO)})
    packets = [connection.up(HELLO[begin:end]) for begin, end in itertools.pairwise(bounds)]
    outcomes = [reader.read(each).result for packet in packets for each in [packet] * (1 + repeated)]
    named = [each for each in outcomes if isinstance(each, Hello)]
    assert named
    assert all(each.name == "twitter.com" for each in named)


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_first_segment_without_a_records_header_is_not_gone_on_with(cut: int) -> None:
    reader, connection = OrderedReader(PacketReader(RECOGNISERS)), Connection()
    assert reader.read(connection.up(HELLO[:cut])).result is Outcome.NOT_THIS
    assert reader.read(connection.up(HELLO[cut:])).result is Outcome.NOT_THIS


def test_segments_out_of_order_are_not_put_together() -> None:
    reader, connection = OrderedReader(PacketReader(RECOGNISERS)), Connection()
    first, second, third = (connection.up(part) for part in (HELLO[:100], HELLO[100:200], HELLO[200:]))
    assert [reader.read(each).result for each in (second, first, third)] == [
        Outcome.NOT_THIS, Outcome.NEED_MORE, Outcome.NOT_THIS,
    ]  # fmt: skip
    assert reader.read(second).result is Outcome.NOT_THIS
    assert reader.read(connection.up(HELLO)).result.name == "twitter.com"


def test_what_is_put_together_in_order_is_bounded() -> None:
    reader, connection = OrderedReader(PacketReader(RECOGNISERS)), Connection()
    endless = b"\x16\x03\x01\xff\xff" + bytes(995)
    outcomes = {reader.read(connection.up(part)).result for part in [endless, *[bytes(1000)] * 40]}
    assert Outcome.NOT_THIS in outcomes
    assert all(len(data) < 1 << 14 for data, _ in reader._begun.values())
