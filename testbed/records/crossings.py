"""The captures on both sides of a box, as packets that entered it and packets that left it."""

from __future__ import annotations

import heapq
import struct
from collections import Counter
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from testbed.records.capture_file import Frame, datagram, read_frames
from testbed.records.files import open_regular
from testbed.records.headers_only import headers_end
from testbed.records.ip_header import TCP, UDP, address_text, ip_version, read_ip_header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from testbed.records.ip_header import IpHeader

__all__ = ["BoxCaptures", "Crossing", "Identity", "crossing", "read_box_captures"]

Side = Literal["inside", "outside", ""]
"""Of a box; none for a packet that it made."""

_PAYLOADS: Final = "payloads, of which captures of headers have the checksum"
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
    """An IP packet at one side of the box: ``data`` is all of it that is compared, ``number`` its frame there."""

    identity: Identity
    data: bytes
    t_ns: int
    side: Side
    number: int

    @property
    def entered(self) -> bool:
        """Whether it came to the box there; else it left."""
        return self.identity.upwards == (self.side == "inside")


class BoxCaptures:
    """The IP packets on both sides of a box, fragments among them. They are read anew each time, a few at once.

    Args:
        inside, outside: The capture files.
        subscriber: Addresses of the line that the box stands on, packed.
        headers_only: Whether only headers are compared, because the captures have only these of most packets.

    Attributes:
        left_out: By what they are, the frames without such a packet, and packets of which only a part was captured;
            counted while they are read.
    """

    def __init__(
        self, inside: Path, outside: Path, subscriber: frozenset[bytes], *, headers_only: bool = False
    ) -> None:
        self._paths: dict[Side, Path] = {"inside": inside, "outside": outside}
        self._subscriber = subscriber
        self._headers_only = headers_only
        self._known_neighbours: set[bytes] | None = None
        self.left_out: Counter[str] = Counter()

    def __iter__(self) -> Iterator[Crossing]:
        """Yield the packets of both sides, in the order of time.

        Raises:
            CaptureError: A file cannot be read.
        """
        self.left_out.clear()
        return heapq.merge(*(self._side(side) for side in self._paths), key=lambda each: each.t_ns)

    @property
    def entered(self) -> list[Crossing]:
        """Those that came to the box."""
        return [each for each in self if each.entered]

    @property
    def left(self) -> list[Crossing]:
        """Those that left it."""
        return [each for each in self if not each.entered]

    def kept_of(self, packet: bytes) -> bytes:
        """Return the bytes of a packet that are compared."""
        return packet[: headers_end(packet)] if self._headers_only else packet

    def _side(self, side: Side) -> Iterator[Crossing]:
        for frame, packet, header in _read(self._paths[side]):
            if packet is None or header is None:
                has_version = packet is not None and ip_version(packet)
                self.left_out["IP headers cut short" if has_version else "frames without IP"] += 1
                continue
            upwards = self._is_upwards(frame, header)
            found = _crossing(packet, header, frame.t_ns, upwards=upwards, side=side, number=frame.number)
            if self._headers_only:
                # Its header has been read: that of every packet is too much to be read twice.
                cut = found.data[: headers_end(found.data, header)]
                self.left_out[_PAYLOADS] += found.identity.length > len(cut)
                found = found._replace(data=cut)
            elif found.identity.length > len(packet):
                # compared all the same, up to the snap length: both sides were cut alike
                self.left_out["the rest of packets that are longer than their frames"] += 1
            yield found

    def _is_upwards(self, frame: Frame, header: IpHeader) -> bool:
        """Tell the direction by the packet's addresses, or else by the frame's.

        The subscriber's address need not be among a packet's: a router's own packets (ICMP errors, say) have the
        router's. But every frame comes from the neighbour on the subscriber's side, or from the one on the other.
        """
        if header.source in self._subscriber or header.destination in self._subscriber:
            return header.source in self._subscriber
        return _sender(frame) in self._neighbours()

    def _neighbours(self) -> set[bytes]:
        """Return the Ethernet addresses on the subscriber's side of the links, which its own packets tell.

        All of these are looked at: a router's packet may stand before them in the capture.
        """
        if self._known_neighbours is None:
            self._known_neighbours = {
                _sender(frame)
                for path in self._paths.values()
                for frame, _, header in _read(path)
                if header is not None and header.source in self._subscriber
            }
        return self._known_neighbours


def read_box_captures(
    inside: Path, outside: Path, subscriber: str | Iterable[str], *, headers_only: bool = False
) -> BoxCaptures:
    """Return both sides of a box that stands on the line of ``subscriber``: its address, or all that it has."""
    addresses = [subscriber] if isinstance(subscriber, str) else subscriber
    packed = frozenset(ip_address(each).packed for each in addresses)
    return BoxCaptures(inside, outside, packed, headers_only=headers_only)


def _read(path: Path) -> Iterator[tuple[Frame, bytes | None, IpHeader | None]]:
    """Yield frames, the IP packet in each, and the header of that; None where there is none, or not all of it."""
    with open_regular(path) as file:
        for frame in read_frames(file):
            packet = datagram(frame)
            yield frame, packet, None if packet is None else read_ip_header(packet)


def _sender(frame: Frame) -> bytes:
    """Return the Ethernet address that a frame comes from."""
    return frame.data[_ETHERNET_ADDRESS : 2 * _ETHERNET_ADDRESS]


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
    packet: bytes, header: IpHeader, t_ns: int, *, upwards: bool, side: Side = "", number: int = 0
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
