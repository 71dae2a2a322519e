"""The captures on both sides of a box, as packets that entered it and packets that left it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from testbed.records.capture_file import Frame, datagram, read_frames
from testbed.records.files import open_regular

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BoxCaptures", "Crossing", "Identity", "crossing", "read_box_captures"]

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_TCP, _UDP = 6, 17
_TCP_HEADER, _UDP_HEADER = 20, 8
_IPV4_VERSION = 4
_FRAGMENT_OFFSET = 0x1FFF
_ETHERNET_ADDRESS = 6


class Identity(NamedTuple):
    """What makes a packet itself, on both sides of a box. Ports and ``seq`` are 0 where it has none."""

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
    """An IPv4 packet at one side of the box: ``data`` is all of it, ``number`` its frame there."""

    identity: Identity
    data: bytes
    t_ns: int
    side: str
    number: int


@dataclass(frozen=True, slots=True)
class BoxCaptures:
    """The frames on both sides of a box that stands on the line of ``subscriber`` (a packed address).

    ``entered`` and ``left`` are their IPv4 packets, in the order of each capture. Other frames are none of the box's.
    """

    inside: list[Frame]
    outside: list[Frame]
    subscriber: bytes
    entered: list[Crossing] = field(default_factory=list)
    left: list[Crossing] = field(default_factory=list)


def read_box_captures(inside: Path, outside: Path, subscriber: str) -> BoxCaptures:
    """Read both sides of a box that stands on the line of ``subscriber`` (an address).

    Raises:
        CaptureError: a file cannot be read.
    """
    sides = []
    for path in (inside, outside):
        with open_regular(path) as file:
            sides.append(list(read_frames(file)))
    captures = BoxCaptures(sides[0], sides[1], bytes(map(int, subscriber.split("."))))
    neighbours = _inner_neighbours(captures)
    for side, frames in (("inside", captures.inside), ("outside", captures.outside)):
        for frame in frames:
            packet = datagram(frame)
            if packet is None or len(packet) < _IPV4.size or packet[0] >> 4 != _IPV4_VERSION:
                continue
            upwards = _is_upwards(frame, packet, captures.subscriber, neighbours)
            found = crossing(packet, frame.t_ns, upwards=upwards, side=side, number=frame.number)
            (captures.entered if upwards == (side == "inside") else captures.left).append(found)
    return captures


def _inner_neighbours(captures: BoxCaptures) -> set[bytes]:
    """The Ethernet addresses that packets from the subscriber come from."""
    found = set()
    for frame in captures.inside + captures.outside:
        packet = datagram(frame)
        if packet is not None and packet[12:16] == captures.subscriber:
            found.add(frame.data[_ETHERNET_ADDRESS : 2 * _ETHERNET_ADDRESS])
    return found


def _is_upwards(frame: Frame, packet: bytes, subscriber: bytes, neighbours: set[bytes]) -> bool:
    """By the packet's addresses; a router's own packets, which have neither, by the frame's."""
    if packet[12:16] == subscriber:
        return True
    if packet[16:20] == subscriber:
        return False
    return frame.data[_ETHERNET_ADDRESS : 2 * _ETHERNET_ADDRESS] in neighbours


def crossing(packet: bytes, t_ns: int, *, upwards: bool, side: str = "", number: int = 0) -> Crossing:
    """An IPv4 packet with its identity, read as the box reads it; what follows its length (padding) is cut off."""
    first, _, length, ip_id, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
    packet = packet[: max(length, _IPV4.size)]
    start = (first & 0x0F) * 4
    source_port = destination_port = seq = 0
    if not fragment & _FRAGMENT_OFFSET and _IPV4.size <= start <= length:
        end = min(length, len(packet))
        if protocol == _TCP and start + _TCP_HEADER <= end:
            source_port, destination_port, seq = struct.unpack_from("!HHI", packet, start)
        elif protocol == _UDP and start + _UDP_HEADER <= end:
            source_port, destination_port = struct.unpack_from("!HH", packet, start)
    ends = ((_text(source), source_port), (_text(destination), destination_port))
    inside, outside = ends if upwards else ends[::-1]
    return Crossing(Identity(upwards, *inside, *outside, ip_id, seq, length), packet, t_ns, side, number)


def _text(address: bytes) -> str:
    return ".".join(map(str, address))
