"""The routers on the way to an address, by ICMP echo with growing time-to-live."""

from __future__ import annotations

import select
import socket
import struct
import time

__all__ = ["echo_request", "hops"]

_ECHO_REPLY, _ECHO, _TIME_EXCEEDED = 0, 8, 11
_MOST_HOPS = 30
_PATIENCE_S = 2.0
_IDENTIFIER = 0x7E57  # tells our echoes from those of others in the same namespace
_HEADER_BYTES = 8  # of ICMP
_QUOTED_BYTES = 28  # IP and ICMP headers at least: what a router quotes (RFC 1812, section 4.3.2.3)


def hops(destination: str) -> list[str | None]:
    """Addresses of the routers before ``destination``, nearest first; None for one that does not answer.

    Empty if the destination does not answer within 30 hops.
    """
    found: list[str | None] = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        for ttl in range(1, _MOST_HOPS + 1):
            icmp.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            icmp.sendto(echo_request(ttl), (destination, 0))
            kind, sender = _answer(icmp, ttl)
            if kind == _ECHO_REPLY:
                return found  # the destination is no router, and is not in the list
            found.append(sender)
    return []


def echo_request(sequence: int) -> bytes:
    """Return an ICMP echo request with a right checksum."""
    words = (_ECHO << 8, _IDENTIFIER, sequence)
    total = sum(words)
    checksum = 0xFFFF - (total % 0xFFFF or 0xFFFF)
    return struct.pack("!BBHHH", _ECHO, 0, checksum, _IDENTIFIER, sequence)


def _answer(icmp: socket.socket, sequence: int) -> tuple[int | None, str | None]:
    """Type and sender of the answer to our request; None, None if there is none."""
    poll = select.poll()
    poll.register(icmp, select.POLLIN)
    deadline = time.monotonic() + _PATIENCE_S
    while (remaining := deadline - time.monotonic()) > 0 and poll.poll(remaining * 1000):
        data, (sender, _) = icmp.recvfrom(2048)
        kind, quoted = _read(data)
        if quoted == (_IDENTIFIER, sequence):
            return kind, sender
    return None, None


def _read(data: bytes) -> tuple[int | None, tuple[int, int] | None]:
    """Type of an ICMP message in an IP datagram, identifier and sequence of the echo that it is about."""
    start = (data[0] & 0x0F) * 4
    message = data[start:]
    if len(message) < _HEADER_BYTES:
        return None, None
    kind = message[0]
    if kind == _TIME_EXCEEDED and len(message) > _QUOTED_BYTES:
        quoted = message[_HEADER_BYTES:]
        message = quoted[(quoted[0] & 0x0F) * 4 :]
        if len(message) < _HEADER_BYTES or message[0] != _ECHO:
            return kind, None
    elif kind != _ECHO_REPLY:
        return kind, None
    identifier, sequence = struct.unpack_from("!HH", message, 4)
    return kind, (identifier, sequence)
