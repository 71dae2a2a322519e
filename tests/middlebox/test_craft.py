from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6

from testbed.middlebox.craft import fragments, tcp_segment, udp_datagram
from testbed.middlebox.fragments import joined
from testbed.middlebox.packet import ACK, RST, Direction, Packet

ADDRESSES = {4: ("10.0.0.1", "192.0.2.7"), 6: ("2001:db8::1", "2001:db8::2")}


def packed(version: int) -> tuple[bytes, bytes]:
    src, dst = ADDRESSES[version]
    return ip_address(src).packed, ip_address(dst).packed


@pytest.mark.parametrize("version", [4, 6])
@given(payload=st.binary(max_size=40), seq=st.integers(0, 2**32 - 1), ip_id=st.integers(0, 2**16 - 1))
def test_a_tcp_segment_is_what_scapy_builds(version: int, payload: bytes, seq: int, ip_id: int) -> None:
    src, dst = packed(version)
    ours = tcp_segment(
        src=src,
        dst=dst,
        sport=1,
        dport=2,
        seq=seq,
        ack=9,
        flags=RST | ACK,
        payload=payload,
        window=7,
        ttl=5,
        ip_id=ip_id,
    )
    one, other = ADDRESSES[version]
    network = IP(ttl=5, id=ip_id, flags="DF", src=one, dst=other) if version == 4 else IPv6(hlim=5, src=one, dst=other)
    assert ours == bytes(network / TCP(sport=1, dport=2, seq=seq, ack=9, flags="RA", window=7) / payload)


@pytest.mark.parametrize("version", [4, 6])
@given(payload=st.binary(max_size=40), words=st.integers(0, 10))
def test_options_of_a_segment_are_where_scapy_has_them(version: int, payload: bytes, words: int) -> None:
    src, dst = packed(version)
    one, other = ADDRESSES[version]
    options = b"\1" * 4 * words
    ours = tcp_segment(src=src, dst=dst, sport=1, dport=2, flags=ACK, payload=payload, options=options)
    network = IP(flags="DF", id=0, src=one, dst=other) if version == 4 else IPv6(hlim=64, src=one, dst=other)
    theirs = TCP(sport=1, dport=2, flags="A", window=65535, options=[("NOP", None)] * 4 * words)
    assert ours == bytes(network / theirs / payload)
    packet = Packet.parse(ours, Direction.UP)
    assert (packet.payload, packet.malformed) == (payload, None)


@pytest.mark.parametrize("version", [4, 6])
@given(payload=st.binary(max_size=40))
def test_a_udp_datagram_is_what_scapy_builds(version: int, payload: bytes) -> None:
    src, dst = packed(version)
    one, other = ADDRESSES[version]
    network = IP(flags="DF", id=0, src=one, dst=other) if version == 4 else IPv6(hlim=64, src=one, dst=other)
    ours = udp_datagram(src=src, dst=dst, sport=1, dport=2, payload=payload)
    assert ours == bytes(network / UDP(sport=1, dport=2) / payload)


def test_the_parser_reads_what_was_made() -> None:
    src, dst = packed(4)
    packet = Packet.parse(tcp_segment(src=src, dst=dst, sport=1, dport=2, seq=3, payload=b"x"), Direction.UP)
    assert (packet.src, packet.dst, packet.seq, packet.payload, packet.malformed) == (src, dst, 3, b"x", None)


@given(payload=st.binary(min_size=1, max_size=600), size=st.integers(8, 517), version=st.sampled_from([4, 6]))
def test_fragments_join_to_the_datagram(payload: bytes, size: int, version: int) -> None:
    src, dst = packed(version)
    whole = tcp_segment(src=src, dst=dst, sport=1, dport=2, ip_id=7, payload=payload)
    pieces = [Packet.parse(each, Direction.UP) for each in fragments(whole, size)]
    assert all(len(piece.body) <= size for piece in pieces)
    assert b"".join(piece.body for piece in pieces) == whole[20 if version == 4 else 40 :]
    assert [piece.more_fragments for piece in pieces] == [True] * (len(pieces) - 1) + [False]
    if len(pieces) > 1:
        assert joined(pieces).payload == payload


@pytest.mark.parametrize(("ip_id", "expected"), [(None, 7), (9, 9)])
def test_fragments_have_one_identification(ip_id: int | None, expected: int) -> None:
    src, dst = packed(4)
    whole = tcp_segment(src=src, dst=dst, sport=1, dport=2, ip_id=7, payload=bytes(100))
    assert {Packet.parse(each, Direction.UP).ip_id for each in fragments(whole, 40, ip_id=ip_id)} == {expected}


@pytest.mark.parametrize("size", [8, 104, 512])
def test_fragments_of_ipv6_are_those_that_scapy_makes(size: int) -> None:
    src, dst = packed(6)
    whole = tcp_segment(src=src, dst=dst, sport=1, dport=2, payload=bytes(range(256)))
    theirs = IPv6(src=ADDRESSES[6][0], dst=ADDRESSES[6][1], hlim=64) / IPv6ExtHdrFragment(id=9) / IPv6(whole).payload
    # scapy counts the headers into the size of a fragment, and what it cuts is a multiple of eight.
    cut = fragment6(theirs, size + 48)  # type: ignore[no-untyped-call]
    assert fragments(whole, size, ip_id=9) == [bytes(each) for each in cut]
