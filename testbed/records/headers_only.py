"""Which bytes of a packet a capture of headers keeps: enough for every detector, and for comparing with a box's log.

Headers of the link, of IP and of TCP or UDP are kept always. Of payload, what a connection is named by: the first bytes
of whoever opened it, and those of the other end where they begin a ClientHello. All else is cut, and the record says
how long the packet was. Fragments and other protocols are kept whole: they are few, and have no header to cut behind.

The guest cuts while it captures, so this is standard library alone.
"""

from __future__ import annotations

from typing import Final

from testbed.records.ip_header import TCP, UDP, IpHeader, read_ip_header
from testbed.records.link_layer import find_datagram

__all__ = ["OPENING_BYTES", "HeadersOnly", "headers_end"]

OPENING_BYTES: Final = 16_384
"""Of what opens a connection, all is kept: a hello in one TLS record has no more (RFC 8446 §5.1)."""

_ETHERNET: Final = 1
_TCP_HEADER, _UDP_HEADER = 20, 8
_PORTS: Final = 4
_SYN, _ACK = 0x02, 0x10
_SEQUENCE_NUMBERS: Final = 1 << 32
_QUIC_LONG_HEADER: Final = 0xC0  # RFC 9000 §17.2: what opens a connection has it, and what carries data has not
_MOST_CONNECTIONS: Final = 1 << 16
_MORE_FRAGMENTS_V4: Final = 0x3F  # of the byte with the flags, without "don't fragment" and the reserved bit


def headers_end(packet: bytes, header: IpHeader | None = None) -> int | None:
    """Return how many bytes the headers of an IP packet have, or None where it is to be kept whole.

    Args:
        packet: All of it, or what was kept of it.
        header: Its IP header, if it has been read.
    """
    header = header or read_ip_header(packet)
    if header is None or header.is_later_fragment or _is_first_fragment(packet, header):
        return None
    at = header.body
    if header.protocol == TCP and at + _TCP_HEADER <= len(packet):
        return at + max(_TCP_HEADER, (packet[at + 12] >> 4) * 4)
    if header.protocol == UDP and at + _UDP_HEADER <= len(packet):
        return at + _UDP_HEADER
    return None


class HeadersOnly:
    """Says of one frame after the other, at one place, how many bytes are kept. It remembers how connections opened."""

    def __init__(self) -> None:
        # By the sender's and the receiver's address and port: the number of its first byte, and whether it is kept.
        self._first: dict[bytes, tuple[int, bool]] = {}

    def kept(self, frame: bytes) -> int:
        """Return how many bytes of an Ethernet frame are kept."""
        begin, _ = find_datagram(frame, 0, len(frame), _ETHERNET)
        if begin < 0:
            return len(frame)
        packet = frame[begin:]
        header = read_ip_header(packet)
        end = headers_end(packet, header)
        if header is None or end is None:
            return len(frame)
        payload = packet[end : header.length]
        is_kept = self._opens(packet, header, payload) if header.protocol == TCP else _opens_quic(payload)
        return len(frame) if is_kept else min(len(frame), begin + end)

    def _opens(self, packet: bytes, header: IpHeader, payload: bytes) -> bool:
        """Whether a segment is of the opening of its connection."""
        at = header.body
        ports = packet[at : at + _PORTS]
        seq = int.from_bytes(packet[at + 4 : at + 8])
        key = header.source + header.destination + ports
        if packet[at + 13] & _SYN:
            # Whoever answers a SYN is no opener; both are, where both opened at once.
            self._remember(key, (seq + 1) % _SEQUENCE_NUMBERS, is_kept=not packet[at + 13] & _ACK)
            return True
        if not payload:
            return False
        known = self._first.get(key)
        if known is None:  # its SYN was before the capture: what comes first stands for the opening
            known = self._remember(key, seq, is_kept=True)
        first, is_kept = known
        if not is_kept and _begins_hello(payload) and seq == first:
            is_kept = True
            self._remember(key, first, is_kept=True)
        return is_kept and (seq - first) % _SEQUENCE_NUMBERS < OPENING_BYTES

    def _remember(self, key: bytes, first: int, *, is_kept: bool) -> tuple[int, bool]:
        if len(self._first) >= _MOST_CONNECTIONS:
            del self._first[next(iter(self._first))]
        self._first[key] = first, is_kept
        return first, is_kept


def _is_first_fragment(packet: bytes, header: IpHeader) -> bool:
    # An IPv6 header that was walked over is longer; whether a fragment's is among its extensions, its number tells.
    return bool(packet[6] & _MORE_FRAGMENTS_V4) if packet[0] >> 4 == 4 else header.ip_id != 0  # noqa: PLR2004


def _begins_hello(payload: bytes) -> bool:
    """Whether it is a TLS record of a ClientHello, as far as a first byte or more of it came (RFC 8446 §4, §5.1)."""
    return payload[:2] == b"\x16\x03"[: len(payload)] and payload[5:6] in {b"", b"\x01"}


def _opens_quic(payload: bytes) -> bool:
    return bool(payload) and payload[0] & _QUIC_LONG_HEADER == _QUIC_LONG_HEADER
