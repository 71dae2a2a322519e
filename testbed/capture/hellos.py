"""Name the connections of a capture by the server name in their ClientHello, wherever it lies.

A reader is no censor: it puts segments in order, joins TLS records, passes over records before the handshake and
over packets that are no TLS at all. The middlebox parses for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture.packets import mix_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.capture.packets import Packets

__all__ = ["HelloFinder", "handshake_bytes", "server_name"]

# RFC 8446 §4.1.2, §5.1
_RECORD_HEADER: Final = 5
_TYPE_AND_VERSION: Final = 3  # bytes of the header that tell a record from anything else
_MAJOR: Final = 3  # of the version; SSL 3.0 to TLS 1.3 all have it on the wire
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _DATA = 0x14, 0x15, 0x16, 0x17
_RECORD_TYPES: Final = range(_CHANGE_CIPHER_SPEC, _DATA + 1)
_CLIENT_HELLO: Final = 1
_HELLO_FIXED_BYTES: Final = 38  # handshake header 4, version 2, random 32
_SERVER_NAME: Final = 0
_MOST_SEGMENTS: Final = 2048  # of a direction in which a hello is looked for: one of 1,500 bytes may come byte by byte
_MOST_OTHER_SEGMENTS: Final = 24  # where none of them looks like the beginning of a hello
_MOST_BYTES: Final = 1 << 16
_OPENING_BYTES: Final = 1 << 14  # what a hello in one record has at most: a cut further on hides none
_SYN, _ACK = 0x02, 0x10
_HALF: Final = 1 << 31


def handshake_bytes(stream: bytes) -> bytes | None:
    """Join the handshake messages of the TLS records that ``stream`` begins with; None if it begins with no record."""
    at, joined, is_tls = 0, b"", False
    while at + _TYPE_AND_VERSION <= len(stream) and stream[at + 1] == _MAJOR and stream[at] in _RECORD_TYPES:
        is_tls = True
        size = int.from_bytes(stream[at + 3 : at + _RECORD_HEADER])
        if stream[at] == _HANDSHAKE:
            joined += stream[at + _RECORD_HEADER : at + _RECORD_HEADER + size]
        elif stream[at] == _DATA:
            break  # encrypted from here on: nothing behind it can be a hello in the clear
        at += _RECORD_HEADER + size
    return joined if is_tls else None


def server_name(message: bytes) -> str | None:
    """Return the server name of a ClientHello message, or None if there is none to be read.

    A hello whose end is missing still gives its name when the name lies before it.
    """
    if message[:1] != bytes([_CLIENT_HELLO]):
        return None
    try:
        at = _HELLO_FIXED_BYTES
        at += 1 + message[at]  # session id
        at += 2 + int.from_bytes(message[at : at + 2])  # cipher suites
        at += 1 + message[at]  # compression methods
    except IndexError:
        return None
    at += 2  # length of all extensions
    while at + 4 <= len(message):
        kind = int.from_bytes(message[at : at + 2])
        size = int.from_bytes(message[at + 2 : at + 4])
        if kind == _SERVER_NAME:
            return _first_name(message[at + 4 : at + 4 + size])
        at += 4 + size
    return None


def _first_name(extension: bytes) -> str | None:
    size = int.from_bytes(extension[3:5])
    name = extension[5 : 5 + size]
    if not name or len(name) < size:
        return None
    try:
        return name.decode("ascii").lower()
    except UnicodeDecodeError:
        return None


@dataclass(slots=True)
class _Opening:
    """The first segments of one direction of a connection, by sequence number on an endless scale."""

    isn: int | None
    first: int  # number of its first byte, as far as it is known
    answers: bool = False  # whether its SYN answered another: hellos come from the other end
    segments: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    done: bool = False

    def may_hide(self, seq: int) -> bool:
        """Return whether a packet with this number that was cut may have had a part of a hello."""
        return not self.done and not self.answers and (seq - self.first) % (2 * _HALF) < _OPENING_BYTES

    def add(self, seq: int, data: bytes) -> str | None:
        """Take a segment; return the server name once it is there."""
        # Sequence numbers wrap, and the first segment captured need not be the first sent. So each gets the place
        # nearest to the one that came first, before or behind it.
        first = next(iter(self.segments), seq)
        place = first + (seq - first + _HALF) % (2 * _HALF) - _HALF
        if len(data) > len(self.segments.get(place, b"")):  # a retransmission may carry more than the packet before it
            self.segments[place] = data
        self.size += len(data)
        may_come = False
        # A hello may begin with any segment, and not with the first alone: before it, a client may have talked to a
        # proxy (SOCKS, CONNECT), or sent what is no TLS to bring the hello past a box.
        for start in sorted(self.segments):
            if self.segments[start][0] not in _RECORD_TYPES:
                continue
            message = handshake_bytes(self._from(start))
            if message is None:
                may_come |= len(self.segments[start]) < _TYPE_AND_VERSION
                continue
            name = server_name(message)
            if name is not None:
                self._finish()
                return name
            may_come |= message[:1] in {b"", bytes([_CLIENT_HELLO])}
        # Where a hello has begun, it is waited for; where nothing looks like one, a few segments are enough to say
        # so. The bounds keep what a capture of long transfers holds in memory from growing with it.
        if self.size > _MOST_BYTES or len(self.segments) > (_MOST_SEGMENTS if may_come else _MOST_OTHER_SEGMENTS):
            self._finish()
        return None

    def _from(self, start: int) -> bytes:
        """Return the bytes from ``start`` on, up to the first gap.

        Where segments overlap with different bytes, as some evasions send them, the one that begins earlier counts.
        """
        pieces, following = [], start
        for place in sorted(self.segments):
            data = self.segments[place]
            if place <= following < place + len(data):
                pieces.append(data[following - place :])
                following = place + len(data)
        return b"".join(pieces)

    def _finish(self) -> None:
        self.segments.clear()
        self.done = True


class HelloFinder:
    """Finds server names while the chunks of one capture go by.

    Attributes:
        cut: Packets so far of which a snap length cut what a hello may have been in.
    """

    def __init__(self) -> None:
        self.cut = 0
        self._openings: dict[int, _Opening] = {}

    def names(
        self, packets: Packets, data: bytes, payload_at: NDArray[np.int64], end: NDArray[np.int64]
    ) -> dict[int, str]:
        """Look at the packets of the next chunk.

        Args:
            packets: Of the chunk.
            data: The chunk's bytes.
            payload_at: Where each packet's payload begins in ``data``, shape (n,).
            end: Where what was captured of it ends, shape (n,).

        Returns:
            Server names by the index of the record that completes their hello.
        """
        found: dict[int, str] = {}
        is_opening = (packets.flags & _SYN) != 0
        is_answer = is_opening & ((packets.flags & _ACK) != 0)
        is_cut = payload_at + packets.payload > end
        directions = _directions(packets)
        rows = _early(directions, is_opening, end > payload_at)
        if is_cut.any():
            rows = np.union1d(rows, _early(directions, is_opening, is_cut, _MOST_OTHER_SEGMENTS))
        for row in rows.tolist():
            key, seq = int(directions[row]), int(packets.seq[row])
            opening = self._openings.get(key)
            # A SYN with another number begins another connection of the same ports, which may have another name.
            # The same number is the same SYN, sent again.
            if is_opening[row] and (opening is None or opening.isn != seq):
                opening = self._openings[key] = _Opening(isn=seq, first=seq + 1, answers=bool(is_answer[row]))
            elif opening is None:
                opening = self._openings[key] = _Opening(isn=None, first=seq)
            self.cut += bool(is_cut[row]) and opening.may_hide(seq + bool(is_opening[row]))
            if opening.done or payload_at[row] >= end[row]:
                continue
            # a SYN takes a number of its own: what it carries (TCP Fast Open) begins behind it
            name = opening.add(seq + bool(is_opening[row]), data[payload_at[row] : end[row]])
            if name is not None:
                found[int(packets.index[row])] = name
        return found


def _directions(packets: Packets) -> NDArray[np.uint64]:
    """Number the directions of five-tuples; see `mix_columns`.

    Not compared in full: two directions under one number would at worst share a hello, and one of them lose a name.
    """
    ports = packets.src_port.astype(np.uint64) << np.uint64(16) | packets.dst_port.astype(np.uint64)
    return mix_columns((packets.src_high, packets.src_low, packets.dst_high, packets.dst_low, ports))


def _early(
    direction: NDArray[np.uint64],
    is_opening: NDArray[np.bool_],
    has_payload: NDArray[np.bool_],
    most: int = _MOST_SEGMENTS,
) -> NDArray[np.int64]:
    """Return the rows with a SYN, or with payload near the beginning of their direction or after its last SYN.

    Nearly all packets of a capture are neither. They are left out here, all at once, for `HelloFinder` looks at the
    others one by one.

    Args:
        direction: Number of each packet's direction, shape (n,).
        is_opening: Whether it has a SYN, shape (n,).
        has_payload: Whether any of its payload was captured, or was not, shape (n,).
        most: Rows with such payload, of each beginning.
    """
    order = np.argsort(direction, kind="stable")
    counted = np.cumsum(has_payload[order])
    before: NDArray[np.int64] = counted - has_payload[order]
    begins = is_opening[order].copy()
    begins[:1] = True
    begins[1:] |= direction[order][1:] != direction[order][:-1]
    rank: NDArray[np.int64] = counted - np.maximum.accumulate(np.where(begins, before, 0))
    chosen = is_opening[order] | (has_payload[order] & (rank <= most))
    rows: NDArray[np.int64] = np.sort(order[chosen])
    return rows
