"""One IP datagram as the middlebox sees it: addresses, ports, TCP fields, payload, and what lies about its lengths.

`Packet.parse` never raises. A datagram that contradicts itself becomes a packet whose ``malformed`` says how; what
could still be read (addresses, ports) is filled in. Checksums are not verified: nobody published that the real boxes
do. Not for: reassembling fragments or streams.
"""

from __future__ import annotations

from enum import Enum
from socket import AF_INET6, inet_ntop
from struct import Struct
from typing import NamedTuple

__all__ = [
    "ACK",
    "FIN",
    "IPV4",
    "IPV6",
    "PSH",
    "RST",
    "SYN",
    "TCP",
    "UDP",
    "Direction",
    "FlowKey",
    "Packet",
    "address_text",
]

IPV4, IPV6 = 4, 6

ICMP = 1
TCP = 6
UDP = 17

FIN = 0x01
SYN = 0x02
RST = 0x04
PSH = 0x08
ACK = 0x10

_IPV4 = Struct("!BBHHHBBH4s4s")
_IPV6 = Struct("!IHBB16s16s")
_TCP = Struct("!HHIIBBH")
_UDP = Struct("!HHH")

_IPV4_ADDRESS = 4
_IPV4_HEADER = 20
_IPV6_HEADER = 40
_TCP_HEADER = 20
_UDP_HEADER = 8

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_IPV6_EXTENSIONS = frozenset({_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION})


class Direction(Enum):
    """Which way a packet crosses the box. UP comes from the subscriber's side, DOWN goes to it."""

    UP = "up"
    DOWN = "down"

    # Members are singletons and compare by identity; Enum's own hash runs Python code on every dict look-up.
    __hash__ = object.__hash__

    @property
    def opposite(self) -> Direction:
        """The other direction."""
        return Direction.DOWN if self is Direction.UP else Direction.UP


class FlowKey(NamedTuple):
    """A five-tuple, inside first, the same for both directions. Addresses are packed (4 or 16 bytes)."""

    protocol: int
    inside: bytes
    inside_port: int
    outside: bytes
    outside_port: int


class Packet(NamedTuple):
    """One IP datagram. A named tuple: a frozen dataclass of this size takes seven times as long to make.

    Fields that the datagram does not have (ports of ICMP, ``seq`` of UDP) are 0.
    """

    direction: Direction
    version: int
    protocol: int
    src: bytes  # packed: 4 or 16 bytes
    dst: bytes
    sport: int
    dport: int
    flags: int
    seq: int
    ack: int
    window: int
    ttl: int
    ip_id: int
    length: int  # IP total length, bytes: what meters count
    payload: bytes  # of TCP or UDP; cut short when the datagram is
    payload_length: int  # what the headers claim
    fragment_offset: int  # bytes
    more_fragments: bool
    malformed: str | None  # what is wrong with it, None when nothing is
    body_offset: int  # where the IP header and its extensions end in ``data``
    data: bytes  # the datagram itself

    @property
    def key(self) -> FlowKey:
        """The flow this packet belongs to, the same for both directions."""
        if self.direction is Direction.UP:
            return FlowKey(self.protocol, self.src, self.sport, self.dst, self.dport)
        return FlowKey(self.protocol, self.dst, self.dport, self.src, self.sport)

    @property
    def body(self) -> bytes:
        """What follows the IP header: of a fragment, its piece of the datagram."""
        return self.data[self.body_offset : self.length]

    @property
    def is_fragment(self) -> bool:
        """Whether this is a piece of a datagram, the first piece included."""
        return self.more_fragments or self.fragment_offset > 0

    @property
    def summary(self) -> str:
        """The packet in a few words, for messages."""
        name = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP"}.get(self.protocol, f"protocol {self.protocol}")
        ends = f"{self.src_text} port {self.sport} to {self.dst_text} port {self.dport}"
        return f"{name} packet of {self.length} bytes, {ends}, IP identification {self.ip_id}"

    @property
    def src_text(self) -> str:
        """Source address as people write it."""
        return address_text(self.src)

    @property
    def dst_text(self) -> str:
        """Destination address as people write it."""
        return address_text(self.dst)

    @classmethod
    def parse(cls, data: bytes | memoryview, direction: Direction) -> Packet:
        """Read a raw IP datagram (v4 or v6, no link-layer header).

        Args:
            data: The datagram; bytes after its IP length (Ethernet padding) are ignored.
            direction: Which way it crosses the box.

        Returns:
            The packet; ``malformed`` is set when the datagram contradicts itself. Never raises.
        """
        data = bytes(data)
        version = data[0] >> 4 if data else 0
        if version == IPV4:
            return _parse_ipv4(data, direction)
        if version == IPV6:
            return _parse_ipv6(data, direction)
        return _unreadable(data, direction, version, "empty" if not data else "IP version")


def address_text(packed: bytes) -> str:
    """Return a packed IPv4 or IPv6 address as people write it; empty for no address."""
    if len(packed) == _IPV4_ADDRESS:
        return "{}.{}.{}.{}".format(*packed)
    return inet_ntop(AF_INET6, packed) if packed else ""


def _parse_ipv4(data: bytes, direction: Direction) -> Packet:
    if len(data) < _IPV4_HEADER:
        return _unreadable(data, direction, IPV4, "IP header cut short")
    first, _, length, ip_id, fragment, ttl, protocol, _, src, dst = _IPV4.unpack_from(data)
    start = (first & 0x0F) * 4
    malformed = None
    if start < _IPV4_HEADER or start > length:
        malformed = "IP header length"
    elif length > len(data):
        malformed = "IP length beyond the data"
    return _parse_transport(
        data, direction, IPV4, protocol, src, dst, ttl, ip_id, length, start,
        (fragment & 0x1FFF) * 8, malformed, more_fragments=bool(fragment & 0x2000),
    )  # fmt: skip


def _parse_ipv6(data: bytes, direction: Direction) -> Packet:
    if len(data) < _IPV6_HEADER:
        return _unreadable(data, direction, IPV6, "IP header cut short")
    _, payload_length, protocol, ttl, src, dst = _IPV6.unpack_from(data)
    length = _IPV6_HEADER + payload_length
    malformed = "IP length beyond the data" if length > len(data) else None
    start = _IPV6_HEADER
    ip_id = offset = 0
    more = False
    while protocol in _IPV6_EXTENSIONS:
        if start + 8 > min(length, len(data)):
            malformed = malformed or "IPv6 extension header cut short"
            break
        following, size = data[start], data[start + 1]
        if protocol == _FRAGMENT:
            word = int.from_bytes(data[start + 2 : start + 4], "big")
            offset, more = word & 0xFFF8, bool(word & 1)
            ip_id = int.from_bytes(data[start + 4 : start + 8], "big")
            start += 8
        else:
            start += (size + 2) * 4 if protocol == _AUTHENTICATION else (size + 1) * 8
        protocol = following
        # What follows is the middle of a datagram, not a header; or the beginning of what was cut, of which more
        # headers are a part: where it ends, and with which protocol, shows in the whole datagram alone.
        if offset or (more and protocol in _IPV6_EXTENSIONS):
            break
    if start > length:
        malformed = malformed or "IPv6 extension header length"
    return _parse_transport(
        data, direction, IPV6, protocol, src, dst, ttl, ip_id, length, start, offset, malformed, more_fragments=more
    )  # fmt: skip


def _parse_transport(  # noqa: PLR0917 - positional for speed: one call for every packet
    data: bytes,
    direction: Direction,
    version: int,
    protocol: int,
    src: bytes,
    dst: bytes,
    ttl: int,
    ip_id: int,
    length: int,
    start: int,
    fragment_offset: int,
    malformed: str | None,
    *,
    more_fragments: bool,
) -> Packet:
    sport = dport = flags = seq = ack = window = 0
    body = start
    end = min(length, len(data))
    claimed_end = length
    if fragment_offset or malformed == "IP header length":
        pass
    elif protocol == TCP:
        if start + _TCP_HEADER > end:
            malformed = malformed or "TCP header cut short"
        else:
            sport, dport, seq, ack, offset, flags, window = _TCP.unpack_from(data, start)
            body = start + (offset >> 4) * 4
            if body < start + _TCP_HEADER or body > length:
                malformed = malformed or "TCP header length"
                body = length
    elif protocol == UDP:
        if start + _UDP_HEADER > end:
            malformed = malformed or "UDP header cut short"
        else:
            sport, dport, claimed = _UDP.unpack_from(data, start)
            body = start + _UDP_HEADER
            if claimed < _UDP_HEADER or (start + claimed > length and not more_fragments):
                malformed = malformed or "UDP length"
            else:
                claimed_end = start + claimed
                end = min(end, claimed_end)
    return Packet(
        direction, version, protocol, src, dst, sport, dport, flags, seq, ack, window, ttl, ip_id, length,
        data[body:end] if end > body else b"", max(claimed_end - body, 0),
        fragment_offset, more_fragments, malformed, start, data,
    )  # fmt: skip


def _unreadable(data: bytes, direction: Direction, version: int, reason: str) -> Packet:
    return Packet(
        direction, version, 0, b"", b"", 0, 0, 0, 0, 0, 0, 0, 0, len(data), b"", 0, 0,
        more_fragments=False, malformed=reason, body_offset=len(data), data=data,
    )  # fmt: skip
