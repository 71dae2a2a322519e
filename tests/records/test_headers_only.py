"""What a capture of headers keeps: headers, whole hellos, and nothing that a connection carries later."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.headers_only import OPENING_BYTES, HeadersOnly, headers_end
from testbed.records.ip_header import read_ip_header

MACS = bytes(12)
SYN, ACK, SYN_ACK = 0x02, 0x10, 0x12
CLIENT, SERVER = (bytes([100, 64, 0, 1]), 40_000), (bytes([198, 51, 100, 6]), 443)
HELLO = b"\x16\x03\x01\x08\x00\x01" + bytes(1500)


def ipv4(protocol: int, body: bytes, source: bytes, destination: bytes, *, fragment: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, fragment, 64, protocol, 0)
    return MACS + b"\x08\x00" + head + source + destination + body


def segment(seq: int, payload: bytes = b"", *, flags: int = ACK, up: bool = True, options: int = 0) -> bytes:
    (source, source_port), (destination, port) = (CLIENT, SERVER) if up else (SERVER, CLIENT)
    size = (20 + options) // 4 << 4
    tcp = struct.pack("!HHIIBBHHH", source_port, port, seq % 2**32, 0, size, flags, 0, 0, 0) + bytes(options)
    return ipv4(6, tcp + payload, source, destination)


def opened_by(*, client: bool = True, first: int = 1000) -> HeadersOnly:
    """A place where a connection has been opened, both ends beginning with the same number."""
    found = HeadersOnly()
    found.kept(segment(first, flags=SYN, up=client))
    found.kept(segment(first, flags=SYN_ACK, up=not client))
    return found


def test_headers_are_kept_with_all_of_their_options() -> None:
    place = opened_by()
    assert place.kept(segment(90_000, b"data" * 99, up=False, options=12)) == 14 + 20 + 32
    assert place.kept(segment(90_000, up=False)) == 14 + 40


@pytest.mark.parametrize("first", [1000, 2**32 - 2])
def test_a_hello_of_two_packets_is_kept_whole(first: int) -> None:
    place = opened_by(first=first)
    for frame in (segment(first + 1, HELLO[:1400]), segment(first + 1401, HELLO[1400:])):
        assert place.kept(frame) == len(frame)


def test_a_hello_in_any_order_and_again_is_kept_whole() -> None:
    place = opened_by()
    parts = [segment(1001 + at, HELLO[at : at + 5]) for at in (10, 0, 5, 10)]
    assert [place.kept(each) for each in parts] == [len(each) for each in parts]


def test_of_what_opens_a_connection_the_first_bytes_are_kept_and_no_others() -> None:
    place = opened_by()
    last, later = segment(1001 + OPENING_BYTES - 1, b"x" * 900), segment(1001 + OPENING_BYTES, b"x" * 900)
    assert (place.kept(last), place.kept(later)) == (len(last), 54)


def test_an_answer_is_cut_unless_it_is_a_hello() -> None:
    answer = segment(1001, b"\x16\x03\x03\x00\x7a\x02" + bytes(900), up=False)
    assert opened_by().kept(answer) == 54
    hello = segment(1001, HELLO[:900], up=False)
    place = opened_by()
    assert place.kept(hello) == len(hello)
    assert place.kept(segment(1901, HELLO[900:], up=False)) == len(segment(1901, HELLO[900:], up=False))


def test_a_hello_from_outside_is_kept_whichever_end_opened() -> None:
    hello = segment(1001, HELLO)
    assert opened_by(client=False).kept(hello) == len(hello)


def test_a_five_tuple_that_is_used_again_opens_anew() -> None:
    place = opened_by()
    assert place.kept(segment(900_001, HELLO)) == 54
    place.kept(segment(900_000, flags=SYN))
    assert place.kept(segment(900_001, HELLO)) == len(segment(900_001, HELLO))


def test_what_opens_a_quic_connection_is_kept_and_other_datagrams_are_cut() -> None:
    def datagram(payload: bytes) -> bytes:
        return ipv4(17, struct.pack("!HHHH", 40_000, 443, 8 + len(payload), 0) + payload, CLIENT[0], SERVER[0])

    initial, short = datagram(b"\xc0" + bytes(1199)), datagram(b"\x40" + bytes(1199))
    assert (HeadersOnly().kept(initial), HeadersOnly().kept(short)) == (len(initial), 14 + 28)


@pytest.mark.parametrize(
    "frame",
    [
        MACS + b"\x08\x06" + bytes(46),
        ipv4(1, bytes(500), CLIENT[0], SERVER[0]),
        ipv4(6, bytes(500), CLIENT[0], SERVER[0], fragment=0x2000),
        ipv4(6, bytes(500), CLIENT[0], SERVER[0], fragment=0x0040),
        ipv4(6, bytes(8), CLIENT[0], SERVER[0]),
    ],
)
def test_other_protocols_and_fragments_are_kept_whole(frame: bytes) -> None:
    assert HeadersOnly().kept(frame) == len(frame)


@given(st.binary(max_size=200), st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06"]))
def test_no_frame_is_kept_longer_than_it_is(body: bytes, ether_type: bytes) -> None:
    frame = MACS + ether_type + body
    assert 0 < HeadersOnly().kept(frame) <= len(frame)


@given(st.binary(max_size=400), st.integers(0, 300))
def test_headers_end_where_they_did_however_much_is_cut_behind_them(payload: bytes, more: int) -> None:
    packet = segment(5, payload)[14:]
    end = headers_end(packet)
    assert end == 40
    assert headers_end(packet[: end + more]) == end
    header = read_ip_header(packet)
    assert header is not None
    assert header.length == len(packet)
