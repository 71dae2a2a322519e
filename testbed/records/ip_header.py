"""The IP header of one packet, of either version: who sends it to whom, and where its transport's header begins.

For tools that look at packets one by one. `testbed.capture.headers` reads many at once, as arrays, and the
middlebox reads for itself: a box may read otherwise than is right.
"""

from __future__ import annotations

import socket
import struct
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = [
    "AUTHENTICATION",
    "EXTENSIONS",
    "FRAGMENT",
    "TCP",
    "UDP",
    "IpHeader",
    "address_text",
    "ip_version",
    "read_ip_header",
]

TCP: Final = 6
UDP: Final = 17
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_FRAGMENT_OFFSET: Final = 0x1FFF
FRAGMENT: Final = 44
AUTHENTICATION: Final = 51
# RFC 8200 §4.1: hop-by-hop options, routing, fragment, authentication, destination options
EXTENSIONS: Final = frozenset({0, 43, FRAGMENT, AUTHENTICATION, 60})
_EXTENSION_UNIT: Final = 8  # bytes; RFC 8200 §4.2
_AUTHENTICATION_UNIT: Final = 4  # bytes; RFC 4302 §2.2 counts in another unit, and less two of them
_IPV4_ADDRESS: Final = 4


class IpHeader(NamedTuple):
    """What of an IP header tells packets apart.

    Attributes:
        source, destination: Addresses, packed.
        least: Bytes of the shortest header of its version.
        length: Bytes of the whole packet, as the header says.
        ip_id: Identification; 0 for IPv6 without a fragment header.
        protocol: Of what follows the header and its extensions.
        body: Where that begins.
        is_later_fragment: Whether the body is the middle of a datagram, and has no transport's header.
    """

    source: bytes
    destination: bytes
    least: int
    length: int
    ip_id: int
    protocol: int
    body: int
    is_later_fragment: bool


def ip_version(packet: bytes) -> int:
    """Return 4 or 6, or 0 for what is no IP packet."""
    version = packet[0] >> 4 if packet else 0
    return version if version in {4, 6} else 0


def read_ip_header(packet: bytes) -> IpHeader | None:
    """Return the header of an IP packet, or None if there is none, or only a part of one."""
    match ip_version(packet):
        case 4 if len(packet) >= _IPV4.size:
            return _ipv4_header(packet)
        case 6 if len(packet) >= _IPV6.size:
            return _ipv6_header(packet)
    return None


@lru_cache(maxsize=4096)
def address_text(address: bytes) -> str:
    """Return a packed address as people write it."""
    return socket.inet_ntop(socket.AF_INET if len(address) == _IPV4_ADDRESS else socket.AF_INET6, address)


def _ipv4_header(packet: bytes) -> IpHeader:
    first, _, length, ip_id, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
    body = (first & 0x0F) * 4
    is_later = bool(fragment & _FRAGMENT_OFFSET)  # the bit "more fragments" stands in the first one, too
    return IpHeader(source, destination, _IPV4.size, length, ip_id, protocol, body, is_later)


def _ipv6_header(packet: bytes) -> IpHeader:
    """Walk over the extension headers, to the transport's header or to the middle of a datagram."""
    _, payload, protocol, _, source, destination = _IPV6.unpack_from(packet)
    length, start, ip_id, is_later = _IPV6.size + payload, _IPV6.size, 0, False
    # Behind the fragment header of a later fragment no header follows, whatever its "next header" says: it names
    # the one with which the whole datagram's body begins (RFC 8200 §4.5).
    while not is_later and protocol in EXTENSIONS and start + _EXTENSION_UNIT <= min(length, len(packet)):
        following, size = packet[start], packet[start + 1]
        if protocol == FRAGMENT:
            word, ip_id = struct.unpack_from("!HI", packet, start + 2)
            is_later = bool(word & 0xFFF8)
            start += _EXTENSION_UNIT
        elif protocol == AUTHENTICATION:
            start += (size + 2) * _AUTHENTICATION_UNIT
        else:
            start += (size + 1) * _EXTENSION_UNIT
        protocol = following
    return IpHeader(source, destination, _IPV6.size, length, ip_id, protocol, start, is_later)
