"""The captures on both sides of a box, as packets that entered it and packets that left it."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.records.capture_file import Frame, datagram, read_frames
from testbed.records.files import open_regular
from testbed.records.ip_header import TCP, UDP, address_text, ip_version, read_ip_header

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.ip_header import IpHeader

__all__ = ["BoxCaptures", "Crossing", "Identity", "crossing", "read_box_captures"]

_TCP_HEADER: Final = 20
_UDP_HEADER: Final = 8
_ETHERNET_ADDRESS: Final = 6
_SHOWN_BYTES: Final = 20


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


class _Seen(NamedTuple):
    """A frame, the IP packet in it, and the header of that; None where there is none, or not all of it."""

    frame: Frame
    packet: bytes | None
    header: IpHeader | None


def read_box_captures(inside: Path, outside: Path, subscriber: str) -> BoxCaptures:
    """Read both sides of a box that stands on the line of ``subscriber`` (an address).

    Raises:
        CaptureError: A file cannot be read.
    """
    sides = {"inside": _read_side(inside), "outside": _read_side(outside)}
    frames = {side: [each.frame for each in seen] for side, seen in sides.items()}
    captures = BoxCaptures(frames["inside"], frames["outside"], ip_address(subscriber).packed)
    # Which Ethernet address is the subscriber's side of the link, the subscriber's own packets tell. They have to
    # be looked at first: a router's packet may stand before them in the capture.
    neighbours = {
        _sender(each.frame)
        for seen in sides.values()
        for each in seen
        if each.header is not None and each.header.source == captures.subscriber
    }
    for side, seen in sides.items():
        for frame, packet, header in seen:
            if packet is None or header is None:
                has_version = packet is not None and ip_version(packet)
                captures.left_out["IP headers cut short" if has_version else "frames without IP"] += 1
                continue
            upwards = _is_upwards(frame, header, captures.subscriber, neighbours)
            found = _crossing(packet, header, frame.t_ns, upwards=upwards, side=side, number=frame.number)
            (captures.entered if upwards == (side == "inside") else captures.left).append(found)
            # compared all the same, up to the snap length: both sides were cut alike
            if found.identity.length > len(packet):
                captures.left_out["the rest of packets that are longer than their frames"] += 1
    return captures


def _read_side(path: Path) -> list[_Seen]:
    seen = []
    with open_regular(path) as file:
        for frame in read_frames(file):
            packet = datagram(frame)
            seen.append(_Seen(frame, packet, None if packet is None else read_ip_header(packet)))
    return seen


def _sender(frame: Frame) -> bytes:
    """Return the Ethernet address that a frame comes from."""
    return frame.data[_ETHERNET_ADDRESS : 2 * _ETHERNET_ADDRESS]


def _is_upwards(frame: Frame, header: IpHeader, subscriber: bytes, neighbours: set[bytes]) -> bool:
    """Tell the direction by the packet's addresses, or else by the frame's.

    The subscriber's address need not be among a packet's: a router's own packets (ICMP errors, say) have the
    router's. But every frame comes from the neighbour on the subscriber's side, or from the one on the other.
    """
    if subscriber in {header.source, header.destination}:
        return header.source == subscriber
    return _sender(frame) in neighbours


def crossing(packet: bytes, t_ns: int, *, upwards: bool) -> Crossing:
    """Return an IP packet that a box made, with its identity.

    Raises:
        ValueError: It has no whole IP header.
    """
    header = read_ip_header(packet)
    if header is None:
        raise ValueError(f"no IP packet: {packet[:_SHOWN_BYTES].hex(' ')}")
    return _crossing(packet, header, t_ns, upwards=upwards)


def _crossing(
    packet: bytes, header: IpHeader, t_ns: int, *, upwards: bool, side: str = "", number: int = 0
) -> Crossing:
    """Name a packet as the box reads it. What follows its length is cut off: Ethernet pads short frames."""
    packet = packet[: max(header.length, header.least)]
    source_port = destination_port = seq = 0  # what the box has for a packet without them
    start, end = header.body, min(header.length, len(packet))
    # What lies there in a later fragment is the middle of a datagram, and would look like ports.
    if not header.is_later_fragment and header.least <= start <= header.length:
        if header.protocol == TCP and start + _TCP_HEADER <= end:
            source_port, destination_port, seq = struct.unpack_from("!HHI", packet, start)
        elif header.protocol == UDP and start + _UDP_HEADER <= end:
            source_port, destination_port = struct.unpack_from("!HH", packet, start)
    ends = ((address_text(header.source), source_port), (address_text(header.destination), destination_port))
    inside, outside = ends if upwards else ends[::-1]
    identity = Identity(upwards, *inside, *outside, header.ip_id, seq, header.length)
    return Crossing(identity, packet, t_ns, side, number)
