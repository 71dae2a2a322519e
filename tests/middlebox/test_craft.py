from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from testbed.middlebox.craft import tcp_segment, udp_datagram
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
