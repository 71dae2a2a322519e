"""The captures on both sides of a box, as packets that entered it and packets that left it."""

from __future__ import annotations

import struct
from collections import Counter, deque
from dataclasses import dataclass, field
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

__all__ = [
    "BothSides", "BoxCaptures", "Crossing", "Identity", "crossing", "packed_addresses", "read_box_captures",
]  # fmt: skip

Side = Literal["inside", "outside", ""]
"""Of a box; none for a packet that it made."""

_PAYLOADS: Final = "payloads, of which captures of headers have the checksum"
_TCP_HEADER: Final = 20
_UDP_HEADER: Final = 8
_ETHERNET_ADDRESS: Final = 6
_SHOWN_BYTES: Final = 20
_FOREVER_NS: Final = 1 << 63


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


class BothSides:
    """The IP packets on both sides of a box, fragments among them, from captures that may still grow.

    Args:
        inside, outside: The frames of each side in the order of time; None among them: there is no more for now.
        subscriber: Addresses of the line that the box stands on, packed.
        headers_only: Whether only headers are compared, because the captures have only these of most packets.

    Attributes:
        left_out: By what they are, the frames without such a packet, and packets of which only a part was captured;
            counted while they are read.
    """

    def __init__(
        self,
        inside: Iterable[Frame | None],
        outside: Iterable[Frame | None],
        subscriber: frozenset[bytes],
        *,
        headers_only: bool = False,
    ) -> None:
        self._sides = (_Side("inside", iter(inside)), _Side("outside", iter(outside)))
        self._subscriber = subscriber
        self._headers_only = headers_only
        self._inner: set[bytes] = set()
        self._outer: set[bytes] = set()
        self.left_out: Counter[str] = Counter()

    def until(self, t_ns: int) -> Iterator[Crossing]:
        """Yield the next packets in the order of time, up to an instant (nanoseconds since 1970).

        It stops before that where nobody can say which packet is the next, since the other side may still have an
        earlier one.

        Raises:
            CaptureError: A capture cannot be read.
        """
        inside, outside = self._sides
        while True:
            ours, theirs = self._head(inside), self._head(outside)
            if (ours is None and not inside.has_ended) or (theirs is None and not outside.has_ended):
                return
            if ours is not None and (theirs is None or ours.t_ns <= theirs.t_ns):
                side, head = inside, ours
            elif theirs is not None:
                side, head = outside, theirs
            else:
                return
            if head.t_ns > t_ns:
                return
            side.head = None
            yield head

    def kept_of(self, packet: bytes) -> bytes:
        """Return the bytes of a packet that are compared."""
        return packet[: headers_end(packet)] if self._headers_only else packet

    def _head(self, side: _Side) -> Crossing | None:
        """Return the next packet of a side; None: there is none, or none yet."""
        while side.head is None and (side.ahead or self._read(side)):
            frame, packet, header = side.ahead[0]
            if packet is None or header is None:
                has_version = packet is not None and ip_version(packet)
                self.left_out["IP headers cut short" if has_version else "frames without IP"] += 1
                side.ahead.popleft()
                continue
            upwards = self._is_upwards(frame, header)
            if upwards is None:
                return None
            side.ahead.popleft()
            side.head = self._crossing(frame, packet, header, side=side.name, upwards=upwards)
        return side.head

    def _crossing(self, frame: Frame, packet: bytes, header: IpHeader, *, side: Side, upwards: bool) -> Crossing:
        found = _crossing(packet, header, frame.t_ns, upwards=upwards, side=side, number=frame.number)
        if self._headers_only:
            # Its header has been read: that of every packet is too much to be read twice.
            cut = found.data[: headers_end(found.data, header)]
            self.left_out[_PAYLOADS] += found.identity.length > len(cut)
            return found._replace(data=cut)
        if found.identity.length > len(packet):
            # compared all the same, up to the snap length: both sides were cut alike
            self.left_out["the rest of packets that are longer than their frames"] += 1
        return found

    def _read(self, side: _Side) -> bool:
        """Read one frame more of a side, and learn from it who its neighbours are; return whether there was one."""
        if side.has_ended:
            return False
        try:
            frame = next(side.frames)
        except StopIteration:
            side.has_ended = True
            return False
        if frame is None:
            return False
        packet = datagram(frame)
        header = None if packet is None else read_ip_header(packet)
        if header is not None:
            if header.source in self._subscriber:
                self._inner.add(_sender(frame))
            elif header.destination in self._subscriber:
                self._outer.add(_sender(frame))
        side.ahead.append((frame, packet, header))
        return True

    def _is_upwards(self, frame: Frame, header: IpHeader) -> bool | None:
        """Tell the direction by the packet's addresses, or else by the frame's; None: nobody can say yet.

        The subscriber's address need not be among a packet's: a router's own packets (ICMP errors, say) have the
        router's. But every frame comes from the neighbour on the subscriber's side, or from the one on the other, and
        the subscriber's own packets tell which is which. A router's may stand before them in the capture: then it is
        kept, with all behind it, until one of them has been read.
        """
        if header.source in self._subscriber or header.destination in self._subscriber:
            return header.source in self._subscriber
        sender = _sender(frame)
        while not self._inner and sender not in self._outer:
            # Of both sides alike: to read one to its end, for a look at the other, would be to hold all of it.
            read = [self._read(side) for side in self._sides]
            if not any(read):
                return False if all(side.has_ended for side in self._sides) else None
        return sender in self._inner


@dataclass(slots=True)
class _Side:
    """One side while it is read: frames that have been read ahead, and the packet that comes next."""

    name: Side
    frames: Iterator[Frame | None]
    ahead: deque[tuple[Frame, bytes | None, IpHeader | None]] = field(default_factory=deque)
    head: Crossing | None = None
    has_ended: bool = False


class BoxCaptures:
    """The captures on both sides of a box as two files. They are read anew each time, a few packets at once.

    Args:
        inside, outside: The capture files.
        subscriber, headers_only: As of `BothSides`.
    """

    def __init__(
        self, inside: Path, outside: Path, subscriber: frozenset[bytes], *, headers_only: bool = False
    ) -> None:
        self._inside, self._outside = inside, outside
        self._subscriber = subscriber
        self._headers_only = headers_only

    def both_sides(self) -> BothSides:
        """Return the packets of both, read from the beginning on."""
        return BothSides(
            _frames(self._inside), _frames(self._outside), self._subscriber, headers_only=self._headers_only
        )

    def __iter__(self) -> Iterator[Crossing]:
        """Yield the packets of both sides, in the order of time.

        Raises:
            CaptureError: A file cannot be read.
        """
        return self.both_sides().until(_FOREVER_NS)

    @property
    def entered(self) -> list[Crossing]:
        """Those that came to the box."""
        return [each for each in self if each.entered]

    @property
    def left(self) -> list[Crossing]:
        """Those that left it."""
        return [each for each in self if not each.entered]


def read_box_captures(
    inside: Path, outside: Path, subscriber: str | Iterable[str], *, headers_only: bool = False
) -> BoxCaptures:
    """Return both sides of a box that stands on the line of ``subscriber``: its address, or all that it has."""
    return BoxCaptures(inside, outside, packed_addresses(subscriber), headers_only=headers_only)


def packed_addresses(addresses: str | Iterable[str]) -> frozenset[bytes]:
    """Return an address, or several, as packets have them."""
    return frozenset(ip_address(each).packed for each in ([addresses] if isinstance(addresses, str) else addresses))


def _frames(path: Path) -> Iterator[Frame]:
    with open_regular(path) as file:
        yield from read_frames(file)


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
