"""Datagrams made from nothing, with right checksums; and the ways in which hellos are changed byte by byte."""

from __future__ import annotations

from struct import pack

from testbed.middlebox.packet import TCP, UDP
from testbed.records.ip_header import FRAGMENT

__all__ = [
    "CHANGE_CIPHER_SPEC",
    "fragments",
    "inverted",
    "joined_datagram",
    "split_record",
    "tcp_segment",
    "udp_datagram",
    "with_ttl",
]

CHANGE_CIPHER_SPEC = bytes.fromhex("140303000101")

_INVERT = bytes(255 - value for value in range(256))
_IPV4 = 4
_IPV4_HEADER = 20
_TCP_HEADER = 20  # without options
_DONT_FRAGMENT, _MORE_FRAGMENTS = 0x4000, 0x2000
_OFFSET_UNIT = 8  # bytes (RFC 791, section 3.1)
_IPV6_HEADER, _IPV6_NEXT = 40, 6  # bytes; where it says what follows (RFC 8200, section 3)


def tcp_segment(
    *,
    src: bytes,
    dst: bytes,
    sport: int,
    dport: int,
    seq: int = 0,
    ack: int = 0,
    flags: int = 0,
    payload: bytes = b"",
    window: int = 65535,
    ttl: int = 64,
    ip_id: int = 0,
    options: bytes = b"",
) -> bytes:
    """Return one TCP segment in an IP datagram; addresses are packed, v4 or v6, ``options`` fill 32-bit words."""
    words = (_TCP_HEADER + len(options)) // 4
    header = pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, window, 0, 0) + options
    checksum = _checksum(_pseudo_header(src, dst, TCP, len(header) + len(payload)) + header + payload)
    segment = header[:16] + pack("!H", checksum) + header[18:] + payload
    return _datagram(src, dst, TCP, segment, ttl=ttl, ip_id=ip_id)


def udp_datagram(
    *, src: bytes, dst: bytes, sport: int, dport: int, payload: bytes = b"", ttl: int = 64, ip_id: int = 0
) -> bytes:
    """Return one UDP datagram in an IP datagram; addresses are packed, v4 or v6."""
    length = 8 + len(payload)
    header = pack("!HHH", sport, dport, length)
    checksum = _checksum(_pseudo_header(src, dst, UDP, length) + header + b"\0\0" + payload)
    # A checksum of 0 would say that there is none (RFC 768).
    return _datagram(src, dst, UDP, header + pack("!H", checksum or 0xFFFF) + payload, ttl=ttl, ip_id=ip_id)


def with_ttl(data: bytes, ttl: int) -> bytes:
    """Return a datagram with another TTL or hop limit, and its header's checksum made right."""
    if data[0] >> 4 != _IPV4:
        return data[:7] + bytes([ttl]) + data[8:]
    size = (data[0] & 0x0F) * 4
    header = data[:8] + bytes([ttl]) + data[9:10] + b"\0\0" + data[12:size]
    return header[:10] + pack("!H", _checksum(header)) + header[12:] + data[size:]


def fragments(datagram: bytes, size: int, *, ip_id: int | None = None) -> list[bytes]:
    """Return a datagram without options or extensions, cut into fragments of ``size`` bytes of body at most.

    Checksums of IPv4 headers are left as they are: boxes do not look at them, and a kernel makes them right.

    Args:
        datagram: Any; its own length does not count.
        size: Rounded down to a multiple of 8, in which offsets count.
        ip_id: Identification of all of them; None: the datagram's, which is 0 for IPv6.
    """
    size -= size % _OFFSET_UNIT
    if datagram[0] >> 4 != _IPV4:
        return _ipv6_fragments(datagram[:_IPV6_HEADER], datagram[_IPV6_HEADER:], size, ip_id or 0)
    header, body = datagram[:_IPV4_HEADER], datagram[_IPV4_HEADER:]
    identification = header[4:6] if ip_id is None else pack("!H", ip_id)
    pieces = []
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        more = _MORE_FRAGMENTS if at + size < len(body) else 0
        place = pack("!H", more | at // _OFFSET_UNIT)
        pieces.append(header[:2] + pack("!H", _IPV4_HEADER + len(piece)) + identification + place + header[8:] + piece)
    return pieces


def _ipv6_fragments(header: bytes, body: bytes, size: int, ip_id: int) -> list[bytes]:
    """Put a fragment header before each piece (RFC 8200, section 4.5)."""
    pieces = []
    for at in range(0, len(body), size):
        piece = body[at : at + size]
        more = at + size < len(body)
        fragment = pack("!BBHI", header[_IPV6_NEXT], 0, at | more, ip_id)
        length = pack("!HB", len(fragment) + len(piece), FRAGMENT)
        pieces.append(header[:4] + length + header[_IPV6_NEXT + 1 :] + fragment + piece)
    return pieces


def split_record(hello: bytes, at: int) -> bytes:
    """Return the same handshake message in two TLS records, the first with ``at`` bytes of it."""
    header, message = hello[:3], hello[5:]
    return b"".join(header + len(part).to_bytes(2, "big") + part for part in (message[:at], message[at:]))


def inverted(data: bytes, start: int = 0, end: int | None = None) -> bytes:
    """Return bytes with all bits of [start, end) turned over: how Xue et al. (IMC 2021, 6.2) masked fields."""
    end = len(data) if end is None else end
    return data[:start] + data[start:end].translate(_INVERT) + data[end:]


def joined_datagram(first: bytes, header_size: int, protocol: int, body: bytes) -> bytes:
    """The whole datagram of which ``first`` is the fragment with offset 0. Headers of IPv6 extensions are left out."""
    if first[0] >> 4 != _IPV4:
        return first[:4] + pack("!HB", len(body), protocol) + first[7:40] + body
    # Neither an offset nor the flag that more follows: it is whole now.
    header = first[:2] + pack("!H", header_size + len(body)) + first[4:6] + b"\0\0" + first[8:10]
    header += b"\0\0" + first[12:header_size]
    return header[:10] + pack("!H", _checksum(header)) + header[12:] + body


def _datagram(src: bytes, dst: bytes, protocol: int, body: bytes, *, ttl: int, ip_id: int) -> bytes:
    if len(src) != _IPV4:
        return pack("!IHBB", 6 << 28, len(body), protocol, ttl) + src + dst + body
    header = pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ip_id, _DONT_FRAGMENT, ttl, protocol, 0) + src + dst
    return header[:10] + pack("!H", _checksum(header)) + header[12:] + body


def _pseudo_header(src: bytes, dst: bytes, protocol: int, length: int) -> bytes:
    return src + dst + pack("!II", length, protocol)


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    # A ones' complement sum is a remainder modulo 65535, in which a sum that is not 0 counts as 65535.
    return 0xFFFF - (total % 0xFFFF or 0xFFFF if total else 0)
