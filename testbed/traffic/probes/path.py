"""The routers on the way to an address, by ICMP echo with growing time-to-live or hop limit."""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass

from testbed.records.ip_header import read_ip_header
from testbed.traffic.connection import family_of

__all__ = ["echo_request", "hops"]

_MOST_HOPS = 30
_PATIENCE_S = 2.0
_IDENTIFIER = 0x7E57  # tells our echoes from those of others in the same namespace
_HEADER_BYTES = 8  # of ICMP
_LONGEST_ANSWER = 2048


@dataclass(frozen=True, slots=True)
class _Icmp:
    """What of ICMP differs between the IP versions.

    Attributes:
        protocol: Number of the protocol.
        ttl: Level and name of the socket option.
        echo, reply, exceeded: Types of messages.
        brings_header: Whether a raw socket hands the IP header over with a message.
    """

    protocol: int
    ttl: tuple[int, int]
    echo: int
    reply: int
    exceeded: int
    brings_header: bool


_ICMP = {  # RFC 792; RFC 4443
    socket.AF_INET: _Icmp(socket.IPPROTO_ICMP, (socket.IPPROTO_IP, socket.IP_TTL), 8, 0, 11, brings_header=True),
    socket.AF_INET6: _Icmp(
        socket.IPPROTO_ICMPV6, (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS), 128, 129, 3, brings_header=False
    ),
}


def hops(destination: str) -> list[str | None]:
    """Addresses of the routers before ``destination``, nearest first; None for one that does not answer.

    Empty if the destination does not answer within 30 hops.
    """
    family = family_of(destination)
    kinds = _ICMP[family]
    found: list[str | None] = []
    with socket.socket(family, socket.SOCK_RAW, kinds.protocol) as icmp:
        for ttl in range(1, _MOST_HOPS + 1):
            icmp.setsockopt(*kinds.ttl, ttl)
            icmp.sendto(echo_request(ttl, kinds.echo), (destination, 0))
            kind, sender = _answer(icmp, kinds, ttl)
            if kind == kinds.reply:
                return found  # the destination is no router, and is not in the list
            found.append(sender)
    return []


def echo_request(sequence: int, kind: int = _ICMP[socket.AF_INET].echo) -> bytes:
    """Return an echo request with the checksum of ICMP; that of ICMPv6 is for the kernel to make."""
    words = (kind << 8, _IDENTIFIER, sequence)
    total = sum(words)
    checksum = 0xFFFF - (total % 0xFFFF or 0xFFFF)
    return struct.pack("!BBHHH", kind, 0, checksum, _IDENTIFIER, sequence)


def _answer(icmp: socket.socket, kinds: _Icmp, sequence: int) -> tuple[int | None, str | None]:
    """Type and sender of the answer to our request; None, None if there is none."""
    poll = select.poll()
    poll.register(icmp, select.POLLIN)
    deadline = time.monotonic() + _PATIENCE_S
    while (remaining := deadline - time.monotonic()) > 0 and poll.poll(remaining * 1000):
        data, peer = icmp.recvfrom(_LONGEST_ANSWER)
        kind, quoted = _read(data[(data[0] & 0x0F) * 4 :] if kinds.brings_header else data, kinds)
        if quoted == (_IDENTIFIER, sequence):
            return kind, peer[0]
    return None, None


def _read(message: bytes, kinds: _Icmp) -> tuple[int | None, tuple[int, int] | None]:
    """Type of an ICMP message, identifier and sequence of the echo that it is about."""
    if len(message) < _HEADER_BYTES:
        return None, None
    kind = message[0]
    if kind == kinds.exceeded:
        # A router quotes the IP header and as much of what follows (RFC 1812, section 4.3.2.3; RFC 4443, section 3.3).
        quoted = message[_HEADER_BYTES:]
        header = read_ip_header(quoted)
        message = b"" if header is None else quoted[header.body :]
        if len(message) < _HEADER_BYTES or message[0] != kinds.echo:
            return kind, None
    elif kind != kinds.reply:
        return kind, None
    identifier, sequence = struct.unpack_from("!HH", message, 4)
    return kind, (identifier, sequence)
