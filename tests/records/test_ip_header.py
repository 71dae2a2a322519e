from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.records.ip_header import TCP, UDP, address_text, ip_version, read_ip_header
from tests.capture.frames import CLIENT, CLIENT_6, SERVER, SERVER_6, tcp

V4, V6 = tcp(payload=b"x" * 20), tcp(CLIENT_6, SERVER_6, payload=b"y" * 20)


def with_extensions(*extensions: tuple[int, bytes]) -> bytes:
    """The packet of version 6 with these headers between IP's and TCP's; each has room for the next one's number."""
    kinds = [*(kind for kind, _ in extensions), TCP]
    chain = b"".join(bytes([following]) + body for following, (_, body) in zip(kinds[1:], extensions, strict=True))
    return V6[:4] + struct.pack("!HB", len(V6) - 40 + len(chain), kinds[0]) + V6[7:40] + chain + V6[40:]


def fragment(offset: int, *, more: bool = False) -> tuple[int, bytes]:
    return 44, struct.pack("!BHI", 0, offset | more, 77)


HOP_BY_HOP = (0, bytes(7))
LONG_ROUTING = (43, b"\x01" + bytes(14))
AUTHENTICATION = (51, b"\x04" + bytes(22))


def test_the_ends_of_either_version_are_read() -> None:
    for packet, client, server in ((V4, CLIENT, SERVER), (V6, CLIENT_6, SERVER_6)):
        header = read_ip_header(packet)
        assert header is not None
        assert (header.source, header.destination) == (ip_address(client[0]).packed, ip_address(server[0]).packed)
        assert (address_text(header.source), header.length) == (client[0], len(packet))
        assert struct.unpack_from("!HH", packet, header.body) == (client[1], server[1])


@pytest.mark.parametrize(
    ("packet", "body", "ip_id", "is_later_fragment"),
    [
        (V4, 20, 7, False),
        (bytes([0x46]) + V4[1:20] + bytes(4) + V4[20:], 24, 7, False),  # an option of four bytes
        (V4[:6] + struct.pack("!H", 0x2000) + V4[8:], 20, 7, False),  # the first fragment has TCP's header
        (V4[:6] + struct.pack("!H", 0x2001) + V4[8:], 20, 7, True),
        (V6, 40, 0, False),
        (with_extensions(HOP_BY_HOP), 48, 0, False),
        (with_extensions(LONG_ROUTING), 56, 0, False),
        (with_extensions(AUTHENTICATION), 64, 0, False),
        (with_extensions(HOP_BY_HOP, AUTHENTICATION, fragment(0, more=True)), 80, 77, False),
        (with_extensions(fragment(8)), 48, 77, True),
        (with_extensions(fragment(8), HOP_BY_HOP), 48, 77, True),  # behind it lies the middle of a datagram
    ],
)
def test_the_body_lies_behind_options_and_extensions(
    packet: bytes, body: int, ip_id: int, *, is_later_fragment: bool
) -> None:
    header = read_ip_header(packet)
    assert header is not None
    assert (header.body, header.ip_id, header.is_later_fragment) == (body, ip_id, is_later_fragment)


def test_an_extension_beyond_the_end_is_not_looked_into() -> None:
    cut = with_extensions(HOP_BY_HOP, HOP_BY_HOP)[:50]
    header = read_ip_header(cut)
    assert header is not None
    assert (header.protocol, header.body) == (0, 48)


@pytest.mark.parametrize("packet", [b"", b"\x55" + bytes(60), *(V4[:size] for size in (1, 19)), V6[:39]])
def test_what_is_no_whole_header_is_none(packet: bytes) -> None:
    assert read_ip_header(packet) is None


@pytest.mark.parametrize(("first", "version"), [(0x45, 4), (0x60, 6), (0x50, 0), (0x00, 0)])
def test_a_version_is_four_or_six(first: int, version: int) -> None:
    assert ip_version(bytes([first])) == version
    assert ip_version(b"") == 0


@given(st.binary(max_size=90), st.sampled_from([0x45, 0x4F, 0x60]))
def test_any_bytes_are_read_or_not(data: bytes, first: int) -> None:
    header = read_ip_header(bytes([first]) + data)
    if header is not None:
        assert header.least <= 1 + len(data)
        assert header.protocol in range(256)


def test_udp_is_told_from_tcp() -> None:
    header = read_ip_header(V4[:9] + bytes([UDP]) + V4[10:])
    assert header is not None
    assert header.protocol == UDP
