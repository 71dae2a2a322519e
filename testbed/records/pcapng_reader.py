"""Blocks of pcapng files: sections, interfaces, packets. Others (names, statistics, secrets) are passed over."""

# ruff: noqa: PLR2004  block and option sizes are those of the format

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.errors import CaptureError
from testbed.records.capture_chunks import CaptureNotes, EmptyRecords, RecordChunk, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.byte_stream import ByteStream

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
_OPTION_NAME: Final = 2
_OPTION_TSRESOL: Final = 9
_OPTION_FCS_BITS: Final = 13
_OPTION_TSOFFSET: Final = 14
_MAX_BLOCK_BYTES: Final = 1 << 28
_NS: Final = 10**9
_INT64: Final = 2**63


def read_pcapng(stream: ByteStream, head: bytes, notes: CaptureNotes, chunk_bytes: int) -> Iterator[RecordChunk]:
    """Yield the chunks of a pcapng file whose first four bytes, ``head``, were read already.

    Raises:
        CaptureError: A block contradicts the format.
    """
    window = Window(stream, head, chunk_bytes)
    window.advance(0)
    reader = _BlockReader(stream.name, notes)
    yield from window.chunks(reader.scan, notes)


class _Interface(NamedTuple):
    link_type: int
    snap_length: int
    ticks: int = 10**6  # a second
    offset_s: int = 0
    fcs_bytes: int = 0
    name: str = ""


class _Packet(NamedTuple):
    interface: int
    ticks: int | None
    offset: int
    captured: int
    length: int


class _BlockReader:
    """Walks blocks and remembers what later blocks depend on: byte order and interfaces.

    Args:
        name: Of the file, in errors.
        notes: Told which interfaces there are.
    """

    def __init__(self, name: str, notes: CaptureNotes) -> None:
        self._name = name
        self._notes = notes
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._last_t_ns = 0
        self._empty = EmptyRecords(name)

    def scan(self, chunk: RecordChunk, base: int) -> tuple[int, int]:
        """Read every whole block of a chunk's data, which lie at ``base`` in the file.

        Returns:
            How many bytes the whole blocks take, and how many bytes the next block needs.

        Raises:
            CaptureError: A block contradicts the format.
        """
        data = chunk.data
        at, end = 0, len(data)
        needed = 12  # kind, length, and the length again: the shortest block
        while at + 12 <= end:
            kind = struct.unpack_from(self._order + "I", data, at)[0]
            # A section has its own byte order, in which its length is written already: its mark is read first.
            if kind == _SECTION_HEADER:
                self._order = self._section_order(data, at, base)
            total = struct.unpack_from(self._order + "I", data, at + 4)[0]
            if total < 12 or total % 4 or total > _MAX_BLOCK_BYTES:
                raise self._damaged(base + at, f"a block of {total} bytes")
            if at + total > end:
                needed = total
                break
            before = len(chunk.offset)  # not every block is a packet
            self._block(kind, (at, total), base, chunk)
            self._empty.saw(chunk.captured[-1] if len(chunk.offset) > before else 0, base + at)
            at += total
        return at, needed

    def _section_order(self, data: bytes, at: int, base: int) -> str:
        for order in "<>":
            if struct.unpack_from(order + "I", data, at + 8)[0] == _BYTE_ORDER_MAGIC:
                self._interfaces = []
                return order
        raise self._damaged(base + at + 8, "a section without a byte-order mark")

    def _block(self, kind: int, span: tuple[int, int], base: int, chunk: RecordChunk) -> None:
        data, (at, total) = chunk.data, span
        body, body_bytes = at + 8, total - 12
        if kind == _ENHANCED_PACKET:
            self._require(body_bytes, 20, base + at)
            number, high, low, captured, length = struct.unpack_from(self._order + "5I", data, body)
            packet = _Packet(number, (high << 32) | low, body + 20, captured, length)
            self._packet(chunk, packet, body_bytes - 20, base + at)
        elif kind == _OLD_PACKET:
            self._require(body_bytes, 20, base + at)
            number, _, high, low, captured, length = struct.unpack_from(self._order + "HH4I", data, body)
            packet = _Packet(number, (high << 32) | low, body + 20, captured, length)
            self._packet(chunk, packet, body_bytes - 20, base + at)
        elif kind == _SIMPLE_PACKET:
            self._require(body_bytes, 4, base + at)
            (length,) = struct.unpack_from(self._order + "I", data, body)
            # such a packet does not say how much of it was captured: it follows from the interface (draft §4.4)
            snap = self._interface(0, base + at).snap_length or length
            packet = _Packet(0, None, body + 4, min(length, snap, body_bytes - 4), length)
            self._packet(chunk, packet, body_bytes - 4, base + at)
        elif kind == _INTERFACE:
            self._require(body_bytes, 8, base + at)
            self._read_interface(data, body, body_bytes, base + at)

    def _packet(self, chunk: RecordChunk, packet: _Packet, room: int, position: int) -> None:
        if packet.captured > room:
            raise self._damaged(position, f"a packet of {packet.captured} bytes in a block with room for {room}")
        interface = self._interface(packet.interface, position)
        if packet.ticks is not None:  # simple packets carry no time: they get that of the packet before
            self._last_t_ns = packet.ticks * _NS // interface.ticks + interface.offset_s * _NS
            if not -_INT64 < self._last_t_ns < _INT64:  # arrays of time stamps have 64 bits
                raise self._damaged(position, f"a time stamp of {packet.ticks} ticks of 1/{interface.ticks} s")
        length = max(packet.length - interface.fcs_bytes, 0)
        chunk.offset.append(packet.offset)
        chunk.captured.append(min(packet.captured, length) if interface.fcs_bytes else packet.captured)
        chunk.length.append(length)
        chunk.t_ns.append(self._last_t_ns)
        chunk.link_type.append(interface.link_type)

    def _interface(self, number: int, position: int) -> _Interface:
        if number >= len(self._interfaces):
            described = f"{len(self._interfaces)} {'is' if len(self._interfaces) == 1 else 'are'} described"
            raise self._damaged(position, f"a packet of interface {number}, but {described}")
        return self._interfaces[number]

    def _read_interface(self, data: bytes, body: int, body_bytes: int, position: int) -> None:
        link_type, _, snap_length = struct.unpack_from(self._order + "HHI", data, body)
        found = _Interface(link_type, snap_length)
        for code, value in self._options(data, body + 8, body + body_bytes):
            if code == _OPTION_NAME:
                found = found._replace(name=value.decode("utf-8", "replace"))
            elif code == _OPTION_TSRESOL and len(value) == 1:
                exponent = value[0]
                found = found._replace(ticks=2 ** (exponent & 0x7F) if exponent & 0x80 else 10**exponent)
            elif code == _OPTION_FCS_BITS and len(value) == 1:
                found = found._replace(fcs_bytes=value[0] // 8)
            elif code == _OPTION_TSOFFSET and len(value) == 8:
                found = found._replace(offset_s=struct.unpack(self._order + "q", value)[0])
        if abs(found.offset_s) > 2**33:
            raise self._damaged(position, f"a time offset of {found.offset_s} s")
        # files that were put together name one interface in each of their sections: it is one all the same
        named = self._notes.interfaces.setdefault(link_type, [])
        name = found.name or f"{len(self._interfaces)}"
        if name not in named:
            named.append(name)
        self._interfaces.append(found)

    def _options(self, data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= end:
            code, size = struct.unpack_from(self._order + "HH", data, at)
            if code == _OPTION_END or at + 4 + size > end:  # an option that does not fit ends them, too: none is needed
                return
            yield code, data[at + 4 : at + 4 + size]
            at += 4 + (size + 3) // 4 * 4

    def _require(self, body_bytes: int, minimum: int, position: int) -> None:
        if body_bytes < minimum:
            raise self._damaged(position, f"a block of {body_bytes + 12} bytes that needs {minimum + 12}")

    def _damaged(self, position: int, what: str) -> CaptureError:
        return CaptureError(
            f"{self._name}: damaged at byte {position}: {what}; cut the file there to use the part before"
        )
