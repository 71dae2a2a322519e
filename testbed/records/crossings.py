"""The captures on both sides of a box, as packets that entered it and packets that left it."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from testbed.records.capture_file import Frame, datagram, read_frames
from testbed.records.files import open_regular

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BoxCaptures", "Crossing", "Identity", "crossing", "read_box_captures"]

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP, _UDP = 6, 17
_TCP_HEADER, _UDP_HEADER = 20, 8
_VERSIONS = {4: _IPV4.size, 6: _IPV6.size}
_FRAGMENT_OFFSET = 0x1FFF
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = frozenset({0, 43, _FRAGMENT, _AUTHENTICATION, 60})
_ETHERNET_ADDRESS = 6


class Identity(NamedTuple):
    """What makes a packet itself, on both sides of a box. What it has not (ports, ``ip_id``, ``seq``) is 0."""

    upwards: bool
    inside: str
    inside_port: int
    outside: str
    outside_port: int
    ip_id: int
    seq: int
    length: int

    @property
    def ends(self) -> tuple[str, int, str, int]:
        """The flow's two ends."""
        return self.inside, self.inside_port, self.outside, self.outside_port


class Crossing(NamedTuple):
    """An IP packet at one side of the box: ``data`` is all of it, ``number`` its frame there."""

    identity: Identity
    data: bytes
    t_ns: int
    side: str
    number: int


@dataclass(frozen=True, slots=True)
class BoxCaptures:
    """The frames on both sides of a box that stands on the line of ``subscriber`` (a packed address).

    ``entered`` and ``left`` are their IP packets, fragments among them, in the order of each capture. ``left_out``
    counts, by what they are, the frames that are not among these, and packets of which only a part was captured.
    """

    inside: list[Frame]
    outside: list[Frame]
    subscriber: bytes
    entered: list[Crossing] = field(default_factory=list)
    left: list[Crossing] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def read_box_captures(inside: Path, outside: Path, subscriber: str) -> BoxCaptures:
    """Read both sides of a box that stands on the line of ``subscriber`` (an address).

    Raises:
        CaptureError: a file cannot be read.
    """
    sides = []
    for path in (inside, outside):
        with open_regular(path) as file:
            sides.append(list(read_frames(file)))
    captures = BoxCaptures(sides[0], sides[1], ip_address(subscriber).packed)
    neighbours = _inner_neighbours(captures)
    for side, frames in (("inside", captures.inside), ("outside", captures.outside)):
        for frame in frames:
            packet = datagram(frame)
            unread = _why_left_out(packet)
            if packet is None or unread is not None:
                captures.left_out[unread or ""] += 1
                continue
            upwards = _is_upwards(frame, packet, captures.subscriber, neighbours)
            found = crossing(packet, frame.t_ns, upwards=upwards, side=side, number=frame.number)
            (captures.entered if upwards == (side == "inside") else captures.left).append(found)
            if found.identity.length > len(packet):
                captures.left_out["the rest of packets that are longer than their frames"] += 1
    return captures


def _why_left_out(packet: bytes | None) -> str | None:
    """Why a frame cannot be compared; None if it can."""
    header = _VERSIONS.get(packet[0] >> 4) if packet else None
    if packet is None or header is None:
        return "frames without IP"
    return "IP headers cut short" if len(packet) < header else None


def _ends(packet: bytes) -> tuple[bytes, bytes]:
    """Source and destination of an IP packet with a whole header."""
    if packet[0] >> 4 == 4:  # noqa: PLR2004 - the IP version is its own name
        return packet[12:16], packet[16:20]
    return packet[8:24], packet[24:40]


def _inner_neighbours(captures: BoxCaptures) -> set[bytes]:
    """The Ethernet addresses that packets from the subscriber come from."""
    found = set()
    for frame in captures.inside + captures.outside:
        packet = datagram(frame)
        if packet is not None and _why_left_out(packet) is None and _ends(packet)[0] == captures.subscriber:
            found.add(frame.data[_ETHERNET_ADDRESS : 2 * _ETHERNET_ADDRESS])
    return found


def _is_upwards(frame: Frame, packet: bytes, subscriber: bytes, neighbours: set[bytes]) -> bool:
    """By the packet's addresses; a router's own packets, which have neither, by the frame's."""
    source, destination = _ends(packet)
    if subscriber in {source, destination}:
        return source == subscriber
    return frame.data[_ETHERNET_ADDRESS : 2 * _ETHERNET_ADDRESS] in neighbours


def crossing(packet: bytes, t_ns: int, *, upwards: bool, side: str = "", number: int = 0) -> Crossing:
    """An IP packet with its identity, read as the box reads it; what follows its length (padding) is cut off."""
    header = _ipv4_header(packet) if packet[0] >> 4 == 4 else _ipv6_header(packet)  # noqa: PLR2004
    packet = packet[: max(header.length, header.least)]
    source_port = destination_port = seq = 0
    start, end = header.body, min(header.length, len(packet))
    if not header.is_later_fragment and header.least <= start <= header.length:
        if header.protocol == _TCP and start + _TCP_HEADER <= end:
            source_port, destination_port, seq = struct.unpack_from("!HHI", packet, start)
        elif header.protocol == _UDP and start + _UDP_HEADER <= end:
            source_port, destination_port = struct.unpack_from("!HH", packet, start)
    source, destination = map(_text, _ends(packet))
    ends = ((source, source_port), (destination, destination_port))
    inside, outside = ends if upwards else ends[::-1]
    identity = Identity(upwards, *inside, *outside, header.ip_id, seq, header.length)
    return Crossing(identity, packet, t_ns, side, number)


class _Header(NamedTuple):
    """What of an IP header tells packets apart. ``body``: where the transport's header begins."""

    least: int
    length: int
    ip_id: int
    protocol: int
    body: int
    is_later_fragment: bool


def _ipv4_header(packet: bytes) -> _Header:
    first, _, length, ip_id, fragment, _, protocol, _, _, _ = _IPV4.unpack_from(packet)
    body = (first & 0x0F) * 4
    return _Header(_IPV4.size, length, ip_id, protocol, body, bool(fragment & _FRAGMENT_OFFSET))


def _ipv6_header(packet: bytes) -> _Header:
    """Walk over the extension headers, to the transport's or to the middle of a datagram."""
    _, payload, protocol, _, _, _ = _IPV6.unpack_from(packet)
    length, start, ip_id = _IPV6.size + payload, _IPV6.size, 0
    while protocol in _EXTENSIONS and start + 8 <= min(length, len(packet)):
        following, size = packet[start], packet[start + 1]
        offset = 0
        if protocol == _FRAGMENT:
            word, ip_id = struct.unpack_from("!HI", packet, start + 2)
            offset = word & 0xFFF8
            start += 8
        else:
            start += (size + 2) * 4 if protocol == _AUTHENTICATION else (size + 1) * 8
        protocol = following
        if offset:
            return _Header(_IPV6.size, length, ip_id, protocol, start, is_later_fragment=True)
    return _Header(_IPV6.size, length, ip_id, protocol, start, is_later_fragment=False)


def _text(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)  # noqa: PLR2004
