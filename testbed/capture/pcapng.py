"""Blocks of pcapng files: sections, interfaces, packets. Others (names, statistics, secrets) are passed over."""

# ruff: noqa: PLR2004  block and option sizes are those of the format

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from testbed.capture.chunks import CaptureNotes, RecordChunk, Window
from testbed.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.capture.streams import ByteStream

__all__ = ["PCAPNG_MAGIC", "read_pcapng"]

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html §4 and §10.1
PCAPNG_MAGIC: Final = b"\x0a\x0d\x0d\x0a"
_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_OLD_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_ENHANCED_PACKET: Final = 6
_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_OPTION_END: Final = 0
_OPTION_TSRESOL: Final = 9
_OPTION_TSOFFSET: Final = 14
_MAX_BLOCK_BYTES: Final = 1 << 28
_NS: Final = 10**9
_INT64: Final = 2**63


def read_pcapng(
    path: Path, stream: ByteStream, head: bytes, notes: CaptureNotes, chunk_bytes: int
) -> Iterator[RecordChunk]:
    """Yield the chunks of a pcapng file whose first four bytes, ``head``, were read already.

    Raises:
        CaptureError: A block contradicts the format.
    """
    window = Window(stream, head, chunk_bytes)
    window.advance(0)
    reader = _BlockReader(path)

    def scan(data: bytes, base: int) -> tuple[RecordChunk | None, int, int]:
        packets, used, needed = reader.scan(data, base)
        return (packets.to_chunk(data, notes.records) if packets.offset else None), used, needed

    yield from window.chunks(scan, notes)


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    snap_length: int
    ticks: int  # a second
    offset_s: int


class _Block(NamedTuple):
    interface: int
    ticks: int | None
    offset: int
    captured: int
    length: int


@dataclass(slots=True)
class _PacketBlocks:
    """Packets of one scan, column by column; times are already nanoseconds."""

    offset: list[int] = field(default_factory=list)
    captured: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    t_ns: list[int] = field(default_factory=list)
    link_type: list[int] = field(default_factory=list)

    def to_chunk(self, data: bytes, first_index: int) -> RecordChunk:
        """Return these packets as arrays over ``data``."""
        return RecordChunk(
            data=np.frombuffer(data, np.uint8),
            offset=np.array(self.offset, np.int64),
            captured=np.array(self.captured, np.int64),
            length=np.array(self.length, np.int64),
            t_ns=np.array(self.t_ns, np.int64),
            link_type=np.array(self.link_type, np.int32),
            first_index=first_index,
        )


class _BlockReader:
    """Walks blocks and remembers what later blocks depend on: byte order and interfaces.

    Args:
        path: Named in errors.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._last_t_ns = 0

    def scan(self, data: bytes, base: int) -> tuple[_PacketBlocks, int, int]:
        """Read every whole block of ``data``, which lies at ``base`` in the file.

        Returns:
            The packets, how many bytes the whole blocks take, and how many bytes the next block needs.

        Raises:
            CaptureError: A block contradicts the format.
        """
        packets = _PacketBlocks()
        at, end = 0, len(data)
        needed = 12
        while at + 12 <= end:
            kind = struct.unpack_from(self._order + "I", data, at)[0]
            if kind == _SECTION_HEADER:
                self._order = self._section_order(data, at, base)
            total = struct.unpack_from(self._order + "I", data, at + 4)[0]
            if total < 12 or total % 4 or total > _MAX_BLOCK_BYTES:
                raise self._damaged(base + at, f"a block of {total} bytes")
            if at + total > end:
                needed = total
                break
            self._block(kind, data, (at, total), base, packets)
            at += total
        return packets, at, needed

    def _section_order(self, data: bytes, at: int, base: int) -> str:
        for order in "<>":
            if struct.unpack_from(order + "I", data, at + 8)[0] == _BYTE_ORDER_MAGIC:
                self._interfaces = []
                return order
        raise self._damaged(base + at + 8, "a section without a byte-order mark")

    def _block(self, kind: int, data: bytes, span: tuple[int, int], base: int, packets: _PacketBlocks) -> None:
        at, total = span
        body, body_bytes = at + 8, total - 12
        if kind == _ENHANCED_PACKET:
            self._require(body_bytes, 20, base + at)
            number, high, low, captured, length = struct.unpack_from(self._order + "5I", data, body)
            packet = _Block(number, (high << 32) | low, body + 20, captured, length)
            self._packet(packets, packet, body_bytes - 20, base + at)
        elif kind == _OLD_PACKET:
            self._require(body_bytes, 20, base + at)
            number, _, high, low, captured, length = struct.unpack_from(self._order + "HH4I", data, body)
            packet = _Block(number, (high << 32) | low, body + 20, captured, length)
            self._packet(packets, packet, body_bytes - 20, base + at)
        elif kind == _SIMPLE_PACKET:
            self._require(body_bytes, 4, base + at)
            (length,) = struct.unpack_from(self._order + "I", data, body)
            snap = self._interface(0, base + at).snap_length or length
            packet = _Block(0, None, body + 4, min(length, snap, body_bytes - 4), length)
            self._packet(packets, packet, body_bytes - 4, base + at)
        elif kind == _INTERFACE:
            self._require(body_bytes, 8, base + at)
            self._interfaces.append(self._read_interface(data, body, body_bytes, base + at))

    def _packet(self, packets: _PacketBlocks, packet: _Block, room: int, position: int) -> None:
        if packet.captured > room:
            raise self._damaged(position, f"a packet of {packet.captured} bytes in a block with room for {room}")
        interface = self._interface(packet.interface, position)
        if packet.ticks is not None:  # simple packets carry no time: they get that of the packet before
            self._last_t_ns = packet.ticks * _NS // interface.ticks + interface.offset_s * _NS
            if not -_INT64 < self._last_t_ns < _INT64:
                raise self._damaged(position, f"a time stamp of {packet.ticks} ticks of 1/{interface.ticks} s")
        packets.offset.append(packet.offset)
        packets.captured.append(packet.captured)
        packets.length.append(packet.length)
        packets.t_ns.append(self._last_t_ns)
        packets.link_type.append(interface.link_type)

    def _interface(self, number: int, position: int) -> _Interface:
        if number >= len(self._interfaces):
            raise self._damaged(position, f"interface {number}, but {len(self._interfaces)} are described")
        return self._interfaces[number]

    def _read_interface(self, data: bytes, body: int, body_bytes: int, position: int) -> _Interface:
        link_type, _, snap_length = struct.unpack_from(self._order + "HHI", data, body)
        ticks, offset_s = 10**6, 0
        at, end = body + 8, body + body_bytes
        while at + 4 <= end:
            code, size = struct.unpack_from(self._order + "HH", data, at)
            if code == _OPTION_END or at + 4 + size > end:
                break
            if code == _OPTION_TSRESOL and size == 1:
                exponent = data[at + 4]
                ticks = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent
            elif code == _OPTION_TSOFFSET and size == 8:
                (offset_s,) = struct.unpack_from(self._order + "q", data, at + 4)
            at += 4 + (size + 3) // 4 * 4
        if abs(offset_s) > 2**33:
            raise self._damaged(position, f"a time offset of {offset_s} s")
        return _Interface(link_type=link_type, snap_length=snap_length, ticks=ticks, offset_s=offset_s)

    def _require(self, body_bytes: int, minimum: int, position: int) -> None:
        if body_bytes < minimum:
            raise self._damaged(position, f"a block of {body_bytes + 12} bytes that needs {minimum + 12}")

    def _damaged(self, position: int, what: str) -> CaptureError:
        return CaptureError(
            f"{self._path}: damaged at byte {position}: {what}; cut the file there to use the part before"
        )
