from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop

from testbed.middlebox.packet import ACK, PSH, SYN, Direction, FlowKey, Packet
from tests.middlebox.build import Connection

UP, DOWN = Direction.UP, Direction.DOWN

IPV4_TCP = bytes(
    IP(src="10.0.0.1", dst="192.0.2.7", ttl=61, id=777)
    / TCP(sport=40001, dport=443, seq=0x01020304, ack=0xF0E0D0C0, flags="PA", window=501, options=[("NOP", None)] * 4)
    / b"hello"
)
IPV6_TCP = bytes(
    IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=60)
    / IPv6ExtHdrHopByHop()
    / IPv6ExtHdrDestOpt()
    / TCP(sport=40001, dport=443, seq=7, flags="S")
)


def test_reads_what_scapy_wrote() -> None:
    packet = Packet.parse(IPV4_TCP, UP)
    assert (packet.src_text, packet.sport) == ("10.0.0.1", 40001)
    assert (packet.dst_text, packet.dport) == ("192.0.2.7", 443)
    assert (packet.seq, packet.ack, packet.flags) == (0x01020304, 0xF0E0D0C0, PSH | ACK)
    assert (packet.ttl, packet.ip_id, packet.window, packet.length) == (61, 777, 501, len(IPV4_TCP))
    assert (packet.payload, packet.payload_length, packet.malformed) == (b"hello", 5, None)


def test_reads_ipv6_behind_extension_headers() -> None:
    packet = Packet.parse(IPV6_TCP, UP)
    assert (packet.src_text, packet.dst_text) == ("2001:db8::1", "2001:db8::2")
    assert (packet.sport, packet.dport, packet.seq, packet.flags) == (40001, 443, 7, SYN)
    assert (packet.ttl, packet.length, packet.malformed) == (60, len(IPV6_TCP), None)


def test_reads_udp() -> None:
    data = bytes(IP(src="10.0.0.1", dst="192.0.2.7") / UDP(sport=5000, dport=443) / b"initial")
    packet = Packet.parse(data, UP)
    assert (packet.sport, packet.dport, packet.payload, packet.malformed) == (5000, 443, b"initial", None)


def test_accepts_a_memoryview() -> None:
    assert Packet.parse(memoryview(IPV4_TCP), UP) == Packet.parse(IPV4_TCP, UP)


def test_both_directions_have_one_key_with_the_inside_first() -> None:
    there, back, _ = Connection().handshake()
    assert there.key == back.key
    assert there.key == FlowKey(6, bytes([10, 0, 0, 1]), 40000, bytes([192, 0, 2, 1]), 443)


def test_link_layer_padding_is_no_payload() -> None:
    bare = bytes(IP(src="10.0.0.1", dst="192.0.2.7") / TCP(flags="A"))
    packet = Packet.parse(bare + bytes(6), UP)
    assert (packet.payload, packet.payload_length, packet.length, packet.malformed) == (b"", 0, 40, None)


def changed(offset: int, value: bytes) -> bytes:
    return IPV4_TCP[:offset] + value + IPV4_TCP[offset + len(value) :]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x15" + IPV4_TCP[1:], "IP version"),
        (IPV4_TCP[:19], "IP header cut short"),
        (changed(0, b"\x44"), "IP header length"),
        (changed(0, b"\x4f")[:50], "IP header length"),
        (changed(2, b"\xff\xff"), "IP length beyond the data"),
        (changed(2, b"\x00\x20"), "TCP header cut short"),
        (changed(32, b"\x40"), "TCP header length"),
        (changed(32, b"\xf0"), "TCP header length"),
        (IPV6_TCP[:39], "IP header cut short"),
        (IPV6_TCP[:4] + b"\x00\x04" + IPV6_TCP[6:], "IPv6 extension header cut short"),
        (IPV6_TCP[:4] + b"\x00\x08" + IPV6_TCP[6:40] + b"\x06\x30" + IPV6_TCP[42:], "IPv6 extension header length"),
    ],
)
def test_a_datagram_that_contradicts_itself_says_how(data: bytes, reason: str) -> None:
    packet = Packet.parse(data, UP)
    assert packet.malformed == reason
    assert len(packet.payload) <= len(data)


@pytest.mark.parametrize("claimed", [0, 7, 16])
def test_a_udp_length_that_does_not_fit_is_malformed(claimed: int) -> None:
    data = bytes(IP(src="10.0.0.1", dst="192.0.2.7") / UDP(sport=1, dport=2, len=claimed) / b"seven..")
    assert Packet.parse(data, UP).malformed == "UDP length"


def test_a_cut_datagram_keeps_what_its_headers_claim() -> None:
    packet = Packet.parse(IPV4_TCP[:-2], UP)
    assert (packet.malformed, packet.payload, packet.payload_length) == ("IP length beyond the data", b"hel", 5)
    assert packet.length == len(IPV4_TCP)


def test_fragments_are_told_from_whole_datagrams() -> None:
    first = Packet.parse(bytes(IP(flags="MF") / TCP() / bytes(8)), UP)
    later = Packet.parse(bytes(IP(frag=3) / bytes(8)), UP)
    assert first.is_fragment
    assert (later.is_fragment, later.fragment_offset, later.sport) == (True, 24, 0)
    assert not Packet.parse(IPV4_TCP, UP).is_fragment


def test_ipv6_fragments_are_told_from_whole_datagrams() -> None:
    first = Packet.parse(bytes(IPv6() / IPv6ExtHdrFragment(m=1, id=9) / TCP(dport=443) / bytes(4)), UP)
    later = Packet.parse(bytes(IPv6() / IPv6ExtHdrFragment(offset=3, id=9, nh=6) / bytes(8)), UP)
    assert (first.is_fragment, first.dport, first.ip_id) == (True, 443, 9)
    assert (later.is_fragment, later.fragment_offset, later.ip_id) == (True, 24, 9)


@given(st.binary(max_size=120))
def test_any_bytes_give_a_packet(data: bytes) -> None:
    packet = Packet.parse(data, DOWN)
    assert packet.data == data


@given(st.sampled_from([IPV4_TCP, IPV6_TCP]), st.data())
def test_any_change_and_cut_gives_a_packet_that_claims_no_bytes_it_has_not(
    original: bytes, data: st.DataObject
) -> None:
    mutated = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(mutated[: data.draw(st.integers(0, len(mutated)))])
    packet = Packet.parse(cut, UP)
    assert packet.payload in cut
    assert packet.malformed or len(packet.payload) == packet.payload_length
