"""Captures through the box: for every packet the verdict and what happened. Backs ``testbed inspect``.

The packets of a single capture are taken as they arrived at the box; what a real box had dropped before it is not
there. Captures on both sides of a box have it all: `inspect_box` repeats what the box did.
"""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import CaptureError
from testbed.middlebox.events import Event, PacketDropped
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.offload import arrival_step_ns
from testbed.middlebox.packet import ACK, SYN, TCP, UDP, Direction, Packet
from testbed.middlebox.profile.prefix import Prefix
from testbed.records.capture_file import datagram, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from testbed.middlebox.profile import Profile

__all__ = ["Row", "Sides", "inspect_box", "inspect_capture"]

_HTTPS = 443


class Row(NamedTuple):
    """What the box did with one packet of a capture."""

    number: int  # of the frame, counted from 1
    t_ns: int  # since the epoch
    packet: Packet
    dropped: bool
    events: list[Event]  # its own, after those of timers that ran out before it


def inspect_capture(path: Path, profile: Profile, *, seed: int = 0, inside: Iterable[str] = ()) -> Iterator[Row]:
    """Let a capture through a box, packet by packet.

    Args:
        path: a pcap or pcapng file.
        profile: the censor.
        seed: of everything that the box draws by lot.
        inside: prefixes of the subscriber's side, such as 10.0.0.0/8. Without any, see `Sides`.

    Yields:
        A row for each IP packet between the two sides. Frames without IP, and packets that stay on one side, are
        left out.

    Raises:
        CaptureError: the file cannot be opened, or cannot be read from some offset on (the rows before it have been
            yielded by then), or it does not tell which side is inside.
    """
    return _inspect(_read(path, Sides(inside)), Inspector(profile, seed=seed))


def inspect_box(
    inner: Path, outer: Path, profile: Profile, *, seed: int = 0, inside: Iterable[str] = ()
) -> Iterator[Row]:
    """Let what arrived at a live box through one of ours: its log and these events must be the same.

    Times count in the steps of `testbed.middlebox.offload.arrival_step_ns`, as they do in a live box.

    Args:
        inner: a capture at the box's port to the subscriber. Packets from inside count, as they arrived.
        outer: one at its other port. Packets from outside count.
        profile: the censor that the box followed.
        seed: that the box had.
        inside: prefixes of the subscriber's side.

    Yields:
        A row for each packet that arrived, in the order of time; ``number`` counts frames of its own capture.

    Raises:
        CaptureError: as `inspect_capture`.
    """
    sides = Sides(inside)
    arrivals = merge(
        (each for each in _read(inner, sides) if each.packet.direction is Direction.UP),
        (each for each in _read(outer, sides) if each.packet.direction is Direction.DOWN),
        key=lambda each: each.t_ns,
    )
    return _inspect(arrivals, Inspector(profile, seed=seed), step_ns=arrival_step_ns(profile))


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


def _read(path: Path, sides: Sides) -> Iterator[_Arrival]:
    try:
        with path.open("rb") as file:
            for frame in read_frames(file):
                data = datagram(frame)
                if data is None:
                    continue
                packet = Packet.parse(data, Direction.UP)
                direction = sides.direction(packet, frame.number)
                if direction is not None:
                    yield _Arrival(frame.number, frame.t_ns, packet._replace(direction=direction))
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}") from error
    except CaptureError as error:
        raise CaptureError(f"{path}: {error}") from error


class Sides:
    """Which side of the box a packet comes from.

    With prefixes: what they hold is inside, everything else outside, and packets within one side do not cross the box.
    Without: whoever sends the first SYN of a flow is inside, and so are its addresses from then on, so that a later
    connection to such an address counts as opened from outside. A flow whose beginning is missing counts by these
    addresses, else by port 443, which is outside. What cannot be known is refused, not guessed.
    """

    __slots__ = ("_inside", "_outside", "_prefixes")

    def __init__(self, inside: Iterable[str] = ()) -> None:
        """Take the prefixes.

        Raises:
            CaptureError: one of them is no prefix.
        """
        try:
            self._prefixes = [Prefix(each) for each in inside]
        except ValueError as error:
            raise CaptureError(f"--inside: {error}; expected a prefix such as 10.0.0.0/8") from error
        self._inside: set[bytes] = set()
        self._outside: set[bytes] = set()

    def direction(self, packet: Packet, number: int) -> Direction | None:
        """The direction of a packet; None if it does not cross the box, or has no ports and unknown addresses.

        Raises:
            CaptureError: nothing tells.
        """
        from_inside, to_inside = self._is_inside(packet.src), self._is_inside(packet.dst)
        if self._prefixes or (from_inside is not None and to_inside is not None):
            if from_inside == to_inside:
                return None
            return Direction.UP if from_inside else Direction.DOWN
        direction = _by_one_address(from_inside, to_inside) or _by_handshake(packet) or _by_port(packet)
        if direction is None and packet.protocol in {TCP, UDP} and (packet.sport or packet.dport):
            raise CaptureError(
                f"frame {number}: cannot tell which of {packet.src_text} port {packet.sport} and {packet.dst_text} "
                f"port {packet.dport} is inside; name the subscriber's side with --inside PREFIX"
            )
        if direction is None:
            return None
        is_up = direction is Direction.UP
        self._inside.add(packet.src if is_up else packet.dst)
        self._outside.add(packet.dst if is_up else packet.src)
        return direction

    def _is_inside(self, address: bytes) -> bool | None:
        """Whether an address is inside; None if nothing is known about it."""
        if self._prefixes:
            return any(address in prefix for prefix in self._prefixes)
        if address in self._inside:
            return True
        return False if address in self._outside else None


def _by_one_address(from_inside: bool | None, to_inside: bool | None) -> Direction | None:  # noqa: FBT001
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
