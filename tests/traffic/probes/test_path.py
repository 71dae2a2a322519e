from __future__ import annotations

import socket
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.traffic.probes.path import _ICMP, _read, echo_request


@given(sequence=st.integers(0, 0xFFFF))
def test_echo_requests_have_a_right_checksum(sequence: int) -> None:
    request = echo_request(sequence)
    words = [int.from_bytes(request[at : at + 2], "big") for at, _ in pairwise(range(0, len(request) + 1, 2))]
    assert sum(words) % 0xFFFF == 0


def datagram(message: bytes, options: bytes = b"") -> bytes:
    """An IPv4 header, with options, before an ICMP message; what is not looked at is zero."""
    return bytes([0x45 + len(options) // 4]) + bytes(19) + options + message


REQUEST = echo_request(7)
REPLY = struct.pack("!BBHHH", 0, 0, 0, 0x7E57, 7)
EXCEEDED = struct.pack("!BBHI", 11, 0, 0, 0)


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (datagram(REPLY), (0, (0x7E57, 7))),
        (datagram(REPLY, options=bytes(4)), (0, (0x7E57, 7))),
        (datagram(EXCEEDED + datagram(REQUEST)), (11, (0x7E57, 7))),
        (datagram(EXCEEDED + datagram(REQUEST, options=bytes(8))), (11, (0x7E57, 7))),
        (datagram(EXCEEDED + datagram(bytes([17]) + bytes(7))), (11, None)),  # about a datagram of somebody else
        (datagram(EXCEEDED), (11, None)),  # a router that quotes nothing
        (datagram(struct.pack("!BBHI", 3, 1, 0, 0)), (3, None)),
        (datagram(REPLY)[:-1], (None, None)),
    ],
)
def test_answers_are_told_apart(data: bytes, read: tuple[int | None, tuple[int, int] | None]) -> None:
    assert _read(data[(data[0] & 0x0F) * 4 :], _ICMP[socket.AF_INET]) == read


def datagram6(message: bytes, extension: bytes = b"") -> bytes:
    """An IPv6 header, with an extension, before an ICMPv6 message."""
    following = 60 if extension else 58
    head = struct.pack("!IHBB", 6 << 28, len(extension) + len(message), following, 1)
    return head + bytes(32) + extension + message


REQUEST6 = echo_request(7, 128)
REPLY6 = struct.pack("!BBHHH", 129, 0, 0, 0x7E57, 7)
EXCEEDED6 = struct.pack("!BBHI", 3, 0, 0, 0)


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (REPLY6, (129, (0x7E57, 7))),
        (EXCEEDED6 + datagram6(REQUEST6), (3, (0x7E57, 7))),
        (EXCEEDED6 + datagram6(REQUEST6, extension=bytes([58, 0, 1, 4, 0, 0, 0, 0])), (3, (0x7E57, 7))),
        (EXCEEDED6 + datagram6(bytes([17]) + bytes(7)), (3, None)),
        (EXCEEDED6 + datagram6(REQUEST6)[:44], (3, None)),  # cut in the middle of what it quotes
        (EXCEEDED6, (3, None)),
        (struct.pack("!BBHI", 135, 0, 0, 0), (135, None)),  # somebody looks for a neighbour
        (REPLY6[:-1], (None, None)),
    ],
)
def test_answers_of_icmpv6_are_told_apart(message: bytes, read: tuple[int | None, tuple[int, int] | None]) -> None:
    assert _read(message, _ICMP[socket.AF_INET6]) == read
