"""The box's log against the captures on both sides of it: two independent witnesses of every dropped packet.

What entered the box and did not leave it was dropped; the log must name the same packets. A packet is known by its
direction, five-tuple, IP identification, sequence number and length, and the n-th of several alike by its place.
"""

from __future__ import annotations

import struct
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from testbed.records.capture_file import Frame, datagram, read_frames

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Agreement", "BoxCaptures", "compare", "read_box_captures"]

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_TCP = 6
_IPV4_VERSION = 4


class Identity(NamedTuple):
    """What makes a packet itself, on both sides of a box."""

    upwards: bool
    inside: str
    inside_port: int
    outside: str
    outside_port: int
    ip_id: int
    seq: int
    length: int


@dataclass(frozen=True, slots=True)
class BoxCaptures:
    """The frames on both sides of a box, with the identity of each TCP packet; other frames have none."""

    inside: list[Frame]
    outside: list[Frame]
    inside_identities: list[Identity | None]
    outside_identities: list[Identity | None]


@dataclass(slots=True)
class Agreement:
    """What the comparison found.

    Attributes:
        dropped: packets that entered and did not leave, by the captures.
        logged: packets that the log says were dropped.
        only_captures, only_log: where the two differ; empty when they agree.
        unexplained: packets that left the box without having entered it.
        entry_frames: where each dropped packet entered: (side, frame number).
    """

    dropped: int = 0
    logged: int = 0
    only_captures: list[Identity] = field(default_factory=list)
    only_log: list[Identity] = field(default_factory=list)
    unexplained: list[Identity] = field(default_factory=list)
    entry_frames: list[tuple[str, int]] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether log and captures name the same packets."""
        return not (self.only_captures or self.only_log or self.unexplained)


def read_box_captures(inside: Path, outside: Path, subscriber: str) -> BoxCaptures:
    """Read both sides of a box that stands on the line of ``subscriber`` (an address).

    Raises:
        CaptureError: a file cannot be read.
    """
    sides = []
    for path in (inside, outside):
        with path.open("rb") as file:
            sides.append(list(read_frames(file)))
    address = bytes(map(int, subscriber.split(".")))
    identities = [[_identity(frame, address) for frame in frames] for frames in sides]
    return BoxCaptures(sides[0], sides[1], identities[0], identities[1])


def _identity(frame: Frame, subscriber: bytes) -> Identity | None:
    packet = datagram(frame)
    if packet is None or len(packet) < 40 or packet[0] >> 4 != _IPV4_VERSION:  # noqa: PLR2004 - two bare headers
        return None
    first, _, length, ip_id, _, _, protocol, _, source, destination = _IPV4.unpack_from(packet)
    if protocol != _TCP:
        return None
    start = (first & 0x0F) * 4
    source_port, destination_port, seq = struct.unpack_from("!HHI", packet, start)
    ends = ((_text(source), source_port), (_text(destination), destination_port))
    upwards = source == subscriber
    inside, outside = ends if upwards else ends[::-1]
    return Identity(upwards, *inside, *outside, ip_id, seq, length)


def _text(address: bytes) -> str:
    return ".".join(map(str, address))


def compare(captures: BoxCaptures, truth: Iterable[dict[str, Any]]) -> Agreement:
    """Compare the captures of one box with its log.

    Args:
        captures: both sides.
        truth: the box's records of truth.jsonl, in order.
    """
    result = Agreement()
    missing: Counter[Identity] = Counter()
    for side, entered, left, upwards in (
        ("inside", captures.inside_identities, captures.outside_identities, True),
        ("outside", captures.outside_identities, captures.inside_identities, False),
    ):
        _find_missing(side, entered, left, upwards=upwards, missing=missing, result=result)
    logged = Counter(_logged(truth))
    result.dropped, result.logged = sum(missing.values()), sum(logged.values())
    result.only_captures = sorted((missing - logged).elements())
    result.only_log = sorted((logged - missing).elements())
    return result


def _find_missing(
    side: str, entered: list[Identity | None], left: list[Identity | None], *, upwards: bool,
    missing: Counter[Identity], result: Agreement,
) -> None:  # fmt: skip
    """Take away from what entered, in order, what left; the box does not reorder."""
    waiting: dict[Identity, deque[int]] = {}
    for number, identity in enumerate(entered, start=1):
        if identity is not None and identity.upwards == upwards:
            waiting.setdefault(identity, deque()).append(number)
    for identity in left:
        if identity is not None and identity.upwards == upwards:
            numbers = waiting.get(identity)
            if numbers:
                numbers.popleft()
            else:
                result.unexplained.append(identity)
    for identity, numbers in waiting.items():
        missing[identity] += len(numbers)
        result.entry_frames.extend((side, number) for number in numbers)


def _logged(truth: Iterable[dict[str, Any]]) -> Iterable[Identity]:
    flows: dict[int, tuple[str, int, str, int]] = {}
    for record in truth:
        if record["event"] == "flow_opened":
            flows[record["flow"]] = (
                record["inside"], record["inside_port"], record["outside"], record["outside_port"],
            )  # fmt: skip
        elif record["event"] == "packet_dropped":
            upwards = record["direction"] == "up"
            yield Identity(upwards, *flows[record["flow"]], record["ip_id"], record["seq"], record["length"])
