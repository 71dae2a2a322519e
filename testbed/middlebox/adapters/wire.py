"""From the frames of a capture to the packets that were on the wire, as far as a capture tells.

A capture is taken in a host, where offload shows one long segment in place of several, an interface list shows packets
more than once, and a snap length shows beginnings only. What a box would have seen is put right where the capture says
how, and told where it does not.
"""

from __future__ import annotations

from struct import pack_into
from typing import TYPE_CHECKING

from testbed.middlebox.packet import FIN, IPV4, IPV6, PSH, SYN, TCP, UDP, Direction, Packet
from testbed.records.link_layer import inner_datagram

if TYPE_CHECKING:
    from testbed.records.capture_file import Frame

__all__ = ["Wire"]

_IPV4_HEADER = 20
_IPV6_HEADER = 40
_TCP_HEADER = 20
_LONGEST_DATAGRAM = 0xFFFF
_ETHERNET_DATAGRAM = 1500  # RFC 894: longer ones were not on an ordinary link
_HOP_BY_HOP, _JUMBO = 0, 0xC2  # RFC 2675
_CWR = 0x80
_OPTION_END, _OPTION_NOP, _OPTION_MSS = 0, 1, 2  # RFC 9293, section 3.2
_OPTION_MSS_LENGTH = 4
_MOST_CONNECTIONS = 1 << 17  # whose segment size is remembered
_COPY_NS = 1_000_000  # no retransmission follows so soon
_MOST_RECENT = 4096
_IDENTIFIABLE = 100  # bytes: headers of IPv6 and TCP, and some payload
_LONGEST_BELIEVED = 1 << 20  # of what a record says of its frame
_HANDSHAKE = 0x16
_MOST_NAMED = 5


class Wire:
    """Turns datagrams as captured into datagrams as sent, and counts what it did and could not know."""

    __slots__ = ("_counts", "_cut_hellos", "_recent", "_sizes", "_unknown")

    def __init__(self) -> None:
        self._sizes: dict[tuple[bytes, int, bytes, int], int] = {}
        self._recent: dict[tuple[bytes, bytes], int] = {}
        self._counts: dict[str, int] = {}
        self._cut_hellos: list[int] = []
        self._unknown: list[int] = []

    def packets(self, frame: Frame, at: int, *, may_repeat: bool = False) -> list[Packet]:
        """Return the packets that a frame shows; none if it shows one again. Their direction is a mere placeholder.

        Args:
            frame: As captured.
            at: Where the IP datagram begins in it.
            may_repeat: Whether the capture was taken on several interfaces, so that a packet may be there again.
        """
        data = frame.data[at:]
        if may_repeat and self._is_copy(data, frame.t_ns):
            self._count("captured more than once: the copies are left out")
            return []
        length = max(frame.length - at, len(data))
        data, total = _sized(data, length)
        if len(data) < total <= length <= _LONGEST_BELIEVED:
            data = self._completed(data, total, frame.number)
        _, tunnel = inner_datagram(data, 0, len(data))
        if tunnel:
            self._count(f"in {tunnel} tunnels: a box reads their outer header, and so does this")
        packet = _parse(data, total)
        if packet.protocol == UDP and packet.length > _ETHERNET_DATAGRAM and not packet.is_fragment:
            self._unknown.append(frame.number)
        if packet.protocol != TCP or packet.is_fragment or packet.malformed is not None:
            return [packet]
        if packet.flags & SYN:
            self._remember_size(packet)
        return self._segments(packet, frame.number)

    def sentences(self) -> list[str]:
        """Return what was put right, and what cannot be known."""
        said = [f"{count} packets {what}" for what, count in self._counts.items()]
        if self._unknown:
            said.append(
                f"{len(self._unknown)} segments, the first in frame {self._unknown[0]}, are longer than a packet of "
                f"{_ETHERNET_DATAGRAM} bytes, and their connection's segment size was not captured: how they were cut "
                "on the wire is not known, and they are inspected whole; capture from the SYN on, or with offload off "
                "(ethtool -K DEVICE tso off gso off gro off)"
            )
        if self._cut_hellos:
            frames = ", ".join(map(str, self._cut_hellos[:_MOST_NAMED]))
            more = ", …" if len(self._cut_hellos) > _MOST_NAMED else ""
            said.append(
                f"what a box would have read is cut by the snap length in {len(self._cut_hellos)} packets that begin a "
                f"TLS handshake or stand alone (frame {frames}{more}): whether they match is not known; "
                "capture with tcpdump -s 0"
            )
        return said

    def _count(self, what: str) -> None:
        self._counts[what] = self._counts.get(what, 0) + 1

    def _is_copy(self, data: bytes, t_ns: int) -> bool:
        """Return whether the same datagram, but for its TTL, passed less than a millisecond ago: on another interface.

        Only such are meant as say which datagram they are: IPv4 with an identification, IPv6 with some payload. Two
        bare acknowledgements of IPv6 may well be equal.
        """
        version = data[0] >> 4 if len(data) >= _IPV6_HEADER else 0
        if version == IPV4 and data[4:6] != b"\0\0":
            name = (data[:8] + data[9:10], data[12:])
        elif version == IPV6 and len(data) >= _IDENTIFIABLE:
            name = (data[:7], data[8:])
        else:
            return False
        # Taken out and put in again, so that the oldest is always the first.
        before = self._recent.pop(name, None)
        self._recent[name] = t_ns
        if len(self._recent) > _MOST_RECENT:
            del self._recent[next(iter(self._recent))]
        return before is not None and 0 <= t_ns - before < _COPY_NS

    def _completed(self, data: bytes, total: int, number: int) -> bytes:
        """A datagram that a snap length cut, with zeros for what is missing: its length is known, its bytes are not."""
        self._count("cut by the snap length: their length counts, and what is missing reads as zeros")
        whole = data + bytes(total - len(data))
        packet = _parse(whole, total)
        if packet.payload[:1] == bytes([_HANDSHAKE]) or (packet.protocol == UDP and packet.payload_length):
            self._cut_hellos.append(number)
        return whole

    def _remember_size(self, packet: Packet) -> None:
        size = _announced_size(packet)
        if size:
            if len(self._sizes) >= _MOST_CONNECTIONS:
                del self._sizes[next(iter(self._sizes))]
            self._sizes[packet.src, packet.sport, packet.dst, packet.dport] = size

    def _segments(self, packet: Packet, number: int) -> list[Packet]:
        """A segment cut as its sender's network card cut it: at the smaller of the sizes that both ends announced."""
        ends = (packet.src, packet.sport, packet.dst, packet.dport)
        # Either end may announce less than the other, and neither is sent more than it asked for (RFC 9293, 3.7.1).
        sizes = [self._sizes[each] for each in (ends, (*ends[2:], *ends[:2])) if each in self._sizes]
        options = packet.length - packet.body_offset - packet.payload_length - _TCP_HEADER
        most = min(sizes, default=0) - options
        if packet.payload_length <= max(most, 0):
            return [packet]
        if most <= 0 or len(packet.data) < packet.length:
            if packet.length > _ETHERNET_DATAGRAM:
                self._unknown.append(number)
            return [packet]
        self._count("longer than a segment: cut into segments, as offload did behind the capture")
        return _cut(packet, most)


def _sized(data: bytes, length: int) -> tuple[bytes, int]:
    """Return a datagram that says how long it is, and that length.

    A length of 0 stands for a segment that was not yet cut, or is too long for the field: it goes on to the end of the
    frame, which is ``length`` bytes away. What is too long for the field even so keeps the 0.
    """
    version = data[0] >> 4 if data else 0
    fixed = bytearray(data)
    if version == IPV4 and len(data) >= _IPV4_HEADER:
        if data[2:4] != b"\0\0":
            return data, int.from_bytes(data[2:4])
        if length <= _LONGEST_DATAGRAM:
            pack_into("!H", fixed, 2, length)
    elif version == IPV6 and len(data) >= _IPV6_HEADER:
        if data[4:6] != b"\0\0" or length <= _IPV6_HEADER:
            return data, _IPV6_HEADER + int.from_bytes(data[4:6])
        if data[6] == _HOP_BY_HOP and len(data) >= _IPV6_HEADER + 8 and data[_IPV6_HEADER + 2] == _JUMBO:
            fixed[6] = data[_IPV6_HEADER]
            del fixed[_IPV6_HEADER : _IPV6_HEADER + 8]
            length -= 8
        if length - _IPV6_HEADER <= _LONGEST_DATAGRAM:
            pack_into("!H", fixed, 4, length - _IPV6_HEADER)
    return bytes(fixed), length


def _parse(data: bytes, total: int) -> Packet:
    """Return a datagram of ``total`` bytes as a packet, also where its length field cannot say so."""
    if total <= _LONGEST_DATAGRAM or not data:
        return Packet.parse(data, Direction.UP)
    is_v4 = data[0] >> 4 == IPV4
    head = bytearray(data[:_LONGEST_DATAGRAM])
    pack_into("!H", head, 2 if is_v4 else 4, len(head) - (0 if is_v4 else _IPV6_HEADER))
    packet = Packet.parse(bytes(head), Direction.UP)
    start = packet.length - packet.payload_length
    return packet._replace(length=total, payload=data[start:total], payload_length=total - start, data=data)


def _announced_size(packet: Packet) -> int:
    """Return the maximum segment size in the options of a SYN; 0 where there is none."""
    at = packet.body_offset + _TCP_HEADER
    end = packet.body_offset + (packet.data[packet.body_offset + 12] >> 4) * 4
    while at + 1 < min(end, len(packet.data)) and packet.data[at] != _OPTION_END:
        if packet.data[at] == _OPTION_NOP:
            at += 1
            continue
        is_size = packet.data[at] == _OPTION_MSS and packet.data[at + 1] == _OPTION_MSS_LENGTH
        if is_size and at + _OPTION_MSS_LENGTH <= len(packet.data):
            return int.from_bytes(packet.data[at + 2 : at + _OPTION_MSS_LENGTH])
        at += max(packet.data[at + 1], 2)
    return 0


def _cut(packet: Packet, size: int) -> list[Packet]:
    """Segments of at most ``size`` bytes: sequence number and IP identification count on, FIN and PSH end the last."""
    payload = packet.payload
    header = packet.data[: packet.length - packet.payload_length]
    tcp_at = packet.body_offset
    pieces = []
    for number, at in enumerate(range(0, len(payload), size)):
        part = payload[at : at + size]
        head = bytearray(header)
        flags = packet.flags
        if at + size < len(payload):
            flags &= ~(FIN | PSH)
        if number:
            # Cards set it on the first segment alone (RFC 3168, section 6.1.2: once for a window).
            flags &= ~_CWR
        if packet.version == IPV4:
            pack_into("!HH", head, 2, len(header) + len(part), (packet.ip_id + number) & 0xFFFF)
        else:
            pack_into("!H", head, 4, len(header) + len(part) - _IPV6_HEADER)
        pack_into("!I", head, tcp_at + 4, (packet.seq + at) & 0xFFFFFFFF)
        head[tcp_at + 13] = flags & 0xFF
        pieces.append(Packet.parse(bytes(head) + part, packet.direction))
    return pieces
