from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.link_layer import LINK_HEADERS, find_datagram, inner_datagram
from tests.capture.frames import CLIENT_6, SERVER_6, ethernet, tcp

V4, V6 = tcp(payload=b"x" * 20), tcp(CLIENT_6, SERVER_6, payload=b"y" * 20)
MACS = bytes(12)


def typed(ether_type: int, body: bytes) -> bytes:
    return struct.pack("!H", ether_type) + body


def mpls(*labels: int, body: bytes) -> bytes:
    stack = b"".join(struct.pack("!I", label << 12 | (0x100 if place == len(labels) - 1 else 0) | 64)
                     for place, label in enumerate(labels))  # fmt: skip
    return stack + body


def pppoe(protocol: int, body: bytes) -> bytes:
    return struct.pack("!BBHHH", 0x11, 0, 7, len(body) + 2, protocol) + body


def gre(ether_type: int, body: bytes, *, flags: int = 0) -> bytes:
    extra = sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
    return struct.pack("!HH", flags, ether_type) + bytes(extra) + body


def carried(protocol: int, body: bytes, *, outer: bytes = V4) -> bytes:
    if outer[0] >> 4 == 4:
        return outer[:2] + struct.pack("!H", 20 + len(body)) + outer[4:9] + bytes([protocol]) + outer[10:20] + body
    return outer[:4] + struct.pack("!HB", len(body), protocol) + outer[7:40] + body


FRAMES = {
    "Ethernet": (1, MACS + typed(0x0800, V4), V4),
    "two VLAN tags": (1, MACS + typed(0x88A8, b"\0\5" + typed(0x8100, b"\0\6" + typed(0x86DD, V6))), V6),
    "cooked": (113, bytes(14) + typed(0x0800, V4), V4),
    "cooked with a VLAN tag": (113, bytes(14) + typed(0x8100, b"\0\7" + typed(0x0800, V4)), V4),
    "cooked 2 with a VLAN tag": (276, typed(0x8100, bytes(18) + b"\0\7" + typed(0x86DD, V6)), V6),
    "PPPoE": (1, MACS + typed(0x8864, pppoe(0x21, V4)), V4),
    "PPPoE in a VLAN, IPv6": (1, MACS + typed(0x8100, b"\0\7" + typed(0x8864, pppoe(0x57, V6))), V6),
    "PPPoE alone": (51, pppoe(0x21, V4), V4),
    "MPLS": (1, MACS + typed(0x8847, mpls(1, 2, 3, body=V4)), V4),
    "MPLS in PPP": (9, b"\xff\x03\x02\x81" + mpls(9, body=V6), V6),
    "Ethernet over MPLS": (1, MACS + typed(0x8847, mpls(1, body=bytes(4) + MACS + typed(0x0800, V4))), V4),
    "PPP": (9, b"\x00\x21" + V4, V4),
    "PPP, protocol field compressed": (9, b"\x21" + V4, V4),
    "PPP with direction": (204, b"\x01\xff\x03\x00\x57" + V6, V6),
    "Cisco HDLC": (104, b"\x0f\x00\x08\x00" + V4, V4),
    "SNAP": (1, MACS + struct.pack("!H", 8 + len(V4)) + b"\xaa\xaa\x03\0\0\0" + typed(0x0800, V4), V4),
    "loopback": (0, b"\x02\0\0\0" + V4, V4),
    "raw": (101, V6, V6),
}


@pytest.mark.parametrize("name", FRAMES)
def test_the_datagram_is_found_behind_everything_that_may_lie_before_it(name: str) -> None:
    link_type, frame, expected = FRAMES[name]
    at, why = find_datagram(frame, 0, len(frame), link_type)
    assert (frame[at:], why) == (expected, "")


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_cut_anywhere_gives_nothing_beyond_its_end(name: str) -> None:
    link_type, frame, _ = FRAMES[name]
    for size in range(len(frame)):
        at, _ = find_datagram(frame[:size], 0, size, link_type)
        assert at < size


@given(st.binary(max_size=120), st.sampled_from([*LINK_HEADERS, 9, 50, 51, 204, 105]), st.integers(0, 8))
def test_any_bytes_are_read_or_not(data: bytes, link_type: int, begin: int) -> None:
    at, why = find_datagram(data, begin, len(data), link_type)
    assert (at >= begin and not why and data[at] >> 4 in {4, 6}) or (at == -1 and bool(why))
    inner, _ = inner_datagram(data, begin, len(data))
    assert inner == -1 or begin < inner < len(data)


@pytest.mark.parametrize(
    ("packet", "expected", "tunnel"),
    [
        (carried(4, V4), V4, "IPIP"),
        (carried(41, V6), V6, "6in4"),
        (carried(4, V4, outer=V6), V4, "IPIP"),
        (carried(47, gre(0x0800, V4)), V4, "GRE"),
        (carried(47, gre(0x86DD, V6, flags=0xB000)), V6, "GRE"),
        (carried(47, gre(0x6558, ethernet(V4))), V4, "GRE"),
        (carried(47, gre(0x88BE, bytes(60))), b"", "GRE"),
        (V4, b"", ""),
    ],
)
def test_what_lies_in_a_tunnel_is_found_and_named(packet: bytes, expected: bytes, tunnel: str) -> None:
    at, name = inner_datagram(packet, 0, len(packet))
    assert (packet[at:] if at >= 0 else b"", name) == (expected, tunnel)
