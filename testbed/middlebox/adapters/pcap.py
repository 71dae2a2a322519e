"""Captures through the box: for every packet the verdict and what happened. Backs ``testbed inspect``.

The packets of a single capture are taken as they arrived at the box; what a real box had dropped before it is not
there. Captures on both sides of a box have it all: `inspect_box` repeats what the box did.
"""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import CaptureError
from testbed.middlebox.adapters.wire import Wire
from testbed.middlebox.events import Event, PacketDropped
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.offload import arrival_step_ns
from testbed.middlebox.packet import ACK, SYN, TCP, UDP, Direction, Packet
from testbed.middlebox.profile.prefix import Prefix
from testbed.records.byte_stream import opened
from testbed.records.capture_file import CaptureNotes, read_frames
from testbed.records.link_layer import COOKED, find_datagram, is_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from testbed.middlebox.profile import Profile

__all__ = ["CaptureInspection", "Row", "Sides", "inspect_box", "inspect_capture"]

_HTTPS = 443


class Row(NamedTuple):
    """What the box did with one packet of a capture."""

    number: int  # of the frame, counted from 1
    t_ns: int  # since the epoch
    packet: Packet
    dropped: bool
    events: list[Event]  # its own, after those of timers that ran out before it


class CaptureInspection:
    """A capture on its way through a box: iterate over it, then ask what was left out.

    Args:
        path: A pcap or pcapng file, plain, gzip or xz; a pipe; or ``-`` for standard input.
        profile: The censor.
        seed: Of everything that the box draws by lot.
        inside: Prefixes of the subscriber's side, such as 10.0.0.0/8. Without any, see `Sides`.

    Raises:
        CaptureError: One of ``inside`` is no prefix.
    """

    def __init__(self, path: Path, profile: Profile, *, seed: int = 0, inside: Iterable[str] = ()) -> None:
        self._path = path
        self._sides = Sides(inside)
        self._inspector = Inspector(profile, seed=seed)
        self._wire = Wire()
        self._notes = CaptureNotes()

    def __iter__(self) -> Iterator[Row]:
        """Rows as `inspect_capture` has them."""
        arrivals = _read(self._path, self._sides, self._followed, wire=self._wire, notes=self._notes)
        yield from _inspect(arrivals, self._inspector)
        self._sides.check_prefixes(str(self._path))

    @property
    def _followed(self) -> frozenset[int]:
        return self._inspector.protocols

    def sentences(self) -> list[str]:
        """Return what was put right, left out, or cannot be known."""
        return self._notes.sentences() + self._wire.sentences() + self._sides.sentences()


def inspect_capture(path: Path, profile: Profile, *, seed: int = 0, inside: Iterable[str] = ()) -> Iterator[Row]:
    """Let a capture through a box, packet by packet; see `CaptureInspection`.

    Yields:
        A row for each IP packet between the two sides. Frames without IP, and packets that stay on one side, are
        left out. A segment that offload shows in place of several has a row for each of these, of one number.

    Raises:
        CaptureError: The file cannot be opened, or cannot be read from some offset on (the rows before it have been
            yielded by then), or it does not tell which side is inside, or a prefix holds no address of it.
    """
    yield from CaptureInspection(path, profile, seed=seed, inside=inside)


def inspect_box(
    inner: Path, outer: Path, profile: Profile, *, seed: int = 0, inside: Iterable[str] = ()
) -> Iterator[Row]:
    """Let what arrived at a live box through one of ours: its log and these events must be the same.

    Times count in the steps of `testbed.middlebox.offload.arrival_step_ns`, as they do in a live box.

    Args:
        inner: A capture at the box's port to the subscriber. Packets from inside count, as they arrived.
        outer: One at its other port. Packets from outside count.
        profile: The censor that the box followed.
        seed: That the box had.
        inside: Prefixes of the subscriber's side.

    Yields:
        A row for each packet that arrived, in the order of time; ``number`` counts frames of its own capture.

    Raises:
        CaptureError: As `inspect_capture`.
    """
    sides, inspector = Sides(inside), Inspector(profile, seed=seed)
    followed = inspector.protocols
    arrivals = merge(
        (each for each in _read(inner, sides, followed) if each.packet.direction is Direction.UP),
        (each for each in _read(outer, sides, followed) if each.packet.direction is Direction.DOWN),
        key=lambda each: each.t_ns,
    )
    return _inspect(arrivals, inspector, step_ns=arrival_step_ns(profile))


class _Arrival(NamedTuple):
    """A packet of a capture that crosses the box."""

    number: int
    t_ns: int
    packet: Packet


def _inspect(arrivals: Iterable[_Arrival], inspector: Inspector, *, step_ns: int = 1) -> Iterator[Row]:
    now_ns = 0
    for number, t_ns, packet in arrivals:
        now_ns = max(now_ns, t_ns - t_ns % step_ns)  # a capture of several interfaces may step back a little
        events = inspector.expire(now_ns) + inspector.inspect(packet, now_ns)
        yield Row(number, t_ns, packet, any(isinstance(event, PacketDropped) for event in events), events)


def _read(
    path: Path, sides: Sides, followed: frozenset[int], *, wire: Wire | None = None, notes: CaptureNotes | None = None
) -> Iterator[_Arrival]:
    """Yield the packets of a capture that cross the box; as they were captured, or with ``wire`` as they were sent."""
    kept, useful = CaptureNotes() if notes is None else notes, 0
    with opened(path) as stream:
        for frame in read_frames(stream, notes=kept):
            at, why = find_datagram(frame.data, 0, len(frame.data), frame.link_type)
            if at < 0:
                kept.skip(why if is_read(frame.link_type) else kept.unread(frame.link_type))
                kept.check_use(str(path), useful, "an IP packet")
                continue
            useful += 1
            found = (
                [Packet.parse(frame.data[at:], Direction.UP)]
                if wire is None
                else wire.packets(frame, at, may_repeat=frame.link_type in COOKED or kept.interface_count > 1)
            )
            for packet in found:
                direction = sides.direction(packet, frame.number, is_followed=packet.protocol in followed)
                if direction is not None:
                    yield _Arrival(frame.number, frame.t_ns, packet._replace(direction=direction))
    # Told as an error of its own at the end: all rows before it were good.
    cut = next((remark for remark in kept.remarks if "ends inside" in remark or "cut short" in remark), None)
    if cut is not None:
        kept.remarks.remove(cut)
        raise CaptureError(f"{path}: {cut}")


class Sides:
    """Which side of the box a packet comes from.

    With prefixes: what they hold is inside, everything else outside, and packets within one side do not cross the box.
    Without: whoever sends the first SYN of a flow is inside, and so are its addresses from then on, so that a later
    connection to such an address counts as opened from outside. A flow whose beginning is missing counts by these
    addresses, else by port 443, which is outside. Where both ends have one address, each five-tuple counts by itself.
    What cannot be known is refused, not guessed.
    """

    __slots__ = ("_ends", "_inside", "_left_out", "_matched", "_outside", "_prefixes", "_texts")

    def __init__(self, inside: Iterable[str] = ()) -> None:
        """Take the prefixes.

        Raises:
            CaptureError: One of them is no prefix.
        """
        self._texts = list(inside)
        try:
            self._prefixes = [Prefix(each) for each in self._texts]
        except ValueError as error:
            raise CaptureError(f"--inside: {error}; expected a prefix such as 10.0.0.0/8") from error
        self._inside: set[bytes] = set()
        self._outside: set[bytes] = set()
        self._ends: dict[tuple[bytes, int, int, int], bool] = {}
        self._matched: set[int] = set()
        self._left_out: dict[str, int] = {}

    def direction(self, packet: Packet, number: int, *, is_followed: bool = True) -> Direction | None:
        """The direction of a packet; None if it does not cross the box, or nothing tells and the box does not care.

        Args:
            packet: Of which the direction is not known yet.
            number: Of its frame, for errors.
            is_followed: Whether the box looks at packets of its protocol.

        Raises:
            CaptureError: Nothing tells, and the box would look at it.
        """
        if packet.src and packet.src == packet.dst and not self._prefixes:
            return self._between_ports(packet, number, is_followed=is_followed)
        from_inside, to_inside = self._is_inside(packet.src), self._is_inside(packet.dst)
        if self._prefixes or (from_inside is not None and to_inside is not None):
            if from_inside == to_inside:
                self._leave_out(f"between two addresses {'inside' if from_inside else 'outside'}")
                return None
            return Direction.UP if from_inside else Direction.DOWN
        direction = (
            _by_one_address(from_inside=from_inside, to_inside=to_inside) or _by_handshake(packet) or _by_port(packet)
        )
        if direction is None:
            self._refuse(packet, number, is_followed=is_followed)
            return None
        is_up = direction is Direction.UP
        self._inside.add(packet.src if is_up else packet.dst)
        self._outside.add(packet.dst if is_up else packet.src)
        return direction

    def check_prefixes(self, where: str) -> None:
        """Refuse a prefix that held no address of the capture.

        Raises:
            CaptureError: There is one.
        """
        for number, text in enumerate(self._texts):
            if number not in self._matched:
                raise CaptureError(f"{where}: no packet from or to --inside {text}; name the subscriber's side")

    def sentences(self) -> list[str]:
        """Return how many packets were left out, and why."""
        return [f"{count} packets left out: {why}" for why, count in self._left_out.items()]

    def _leave_out(self, why: str) -> None:
        self._left_out[why] = self._left_out.get(why, 0) + 1

    def _refuse(self, packet: Packet, number: int, *, is_followed: bool) -> None:
        """Nothing tells which end of a packet is inside: an error if the box would look at it, else it is left out."""
        if is_followed and packet.protocol in {TCP, UDP} and (packet.sport or packet.dport):
            raise CaptureError(
                f"frame {number}: cannot tell which of {packet.src_text} port {packet.sport} and {packet.dst_text} "
                f"port {packet.dport} is inside; name the subscriber's side with --inside PREFIX"
            )
        self._leave_out("of a protocol that the profile does not follow, and nothing tells their side")

    def _between_ports(self, packet: Packet, number: int, *, is_followed: bool) -> Direction | None:
        """The direction between two ports of one address, as on loopback: who opened the five-tuple is inside."""
        low, high = sorted((packet.sport, packet.dport))
        key = (packet.src, packet.protocol, low, high)
        opened = _by_handshake(packet)
        if key not in self._ends or opened is not None:
            direction = opened or _by_port(packet)
            if direction is None:
                self._refuse(packet, number, is_followed=is_followed)
                return None
            self._ends[key] = (packet.sport == low) == (direction is Direction.UP)
        return Direction.UP if self._ends[key] == (packet.sport == low) else Direction.DOWN

    def _is_inside(self, address: bytes) -> bool | None:
        """Return whether an address is inside; None if nothing is known about it."""
        if self._prefixes:
            holding = [number for number, prefix in enumerate(self._prefixes) if address in prefix]
            self._matched.update(holding)
            return bool(holding)
        if address in self._inside:
            return True
        return False if address in self._outside else None


def _by_one_address(*, from_inside: bool | None, to_inside: bool | None) -> Direction | None:
    if from_inside is None and to_inside is None:
        return None
    return Direction.UP if from_inside or to_inside is False else Direction.DOWN


def _by_handshake(packet: Packet) -> Direction | None:
    if packet.protocol != TCP or not packet.flags & SYN:
        return None
    return Direction.DOWN if packet.flags & ACK else Direction.UP


def _by_port(packet: Packet) -> Direction | None:
    if (packet.sport == _HTTPS) == (packet.dport == _HTTPS):
        return None
    return Direction.UP if packet.dport == _HTTPS else Direction.DOWN
