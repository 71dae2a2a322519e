"""A streaming reader of capture files: classic pcap and pcapng, one frame at a time, standard library only.

Reads what a box can be fed with: Ethernet (with VLAN tags), raw IP, BSD loopback, Linux cooked v1 and v2. A file that
is cut or garbled raises `CaptureError` with the offset, after the frames before it have been yielded. Not for:
analysis; `testbed.capture` reads whole files into arrays.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever its name
from typing import TYPE_CHECKING, NamedTuple

from testbed.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["Frame", "datagram", "read_frames"]

_NS_PER_S = 1_000_000_000

# A longer record is taken for garbage: no link carries it, and a lying length must not exhaust memory.
_LONGEST_FRAME = 1 << 22

_PCAP_MAGICS = {
    bytes.fromhex("d4c3b2a1"): ("<", 1000),
    bytes.fromhex("a1b2c3d4"): (">", 1000),
    bytes.fromhex("4d3cb2a1"): ("<", 1),
    bytes.fromhex("a1b23c4d"): (">", 1),
}

_SECTION = 0x0A0D0D0A
_SHORTEST_BLOCK = 12
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 1, 2, 3, 6
_BYTE_ORDERS = {bytes.fromhex("4d3c2b1a"): "<", bytes.fromhex("1a2b3c4d"): ">"}
_TSRESOL, _TSOFFSET = 9, 14

_IPV4_ETHERTYPE, _IPV6_ETHERTYPE = 0x0800, 0x86DD
_IP = frozenset({_IPV4_ETHERTYPE, _IPV6_ETHERTYPE})
_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
_NULL, _ETHERNET, _LOOP, _COOKED, _COOKED2 = 0, 1, 108, 113, 276
_RAW = frozenset({12, 14, 101, 228, 229})


class Frame(NamedTuple):
    """One captured frame. ``number`` counts from 1, as Wireshark does."""

    number: int
    t_ns: int  # since the epoch
    link_type: int
    data: bytes


def read_frames(file: BinaryIO) -> Iterator[Frame]:
    """The frames of an open capture file, in its order.

    Raises:
        CaptureError: it is no capture file, or from some offset on it cannot be read.
    """
    source = _Source(file)
    magic = source.read(4, "the file header")
    if magic in _PCAP_MAGICS:
        yield from _read_pcap(source, *_PCAP_MAGICS[magic])
    elif int.from_bytes(magic, "big") == _SECTION:
        yield from _read_pcapng(source)
    else:
        raise CaptureError(f"no capture file: it begins with {magic.hex()}; expected pcap or pcapng")


def datagram(frame: Frame) -> bytes | None:
    """The IP datagram in a frame; None if it carries something else.

    Raises:
        CaptureError: a link type that is not known here.
    """
    data, link_type = frame.data, frame.link_type
    if link_type == _ETHERNET:
        at = 12
        while int.from_bytes(data[at : at + 2], "big") in _VLAN:
            at += 4
        return data[at + 2 :] if int.from_bytes(data[at : at + 2], "big") in _IP else None
    if link_type in _RAW:
        return data
    if link_type == _COOKED:
        return data[16:] if int.from_bytes(data[14:16], "big") in _IP else None
    if link_type == _COOKED2:
        return data[20:] if int.from_bytes(data[:2], "big") in _IP else None
    if link_type in {_NULL, _LOOP}:
        return data[4:] if data[4:5] and data[4] >> 4 in {4, 6} else None
    raise CaptureError(f"frame {frame.number}: link type {link_type} is not supported; capture Ethernet or raw IP")


class _Source:
    """A file and how far it has been read."""

    __slots__ = ("_file", "offset")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.offset = 0

    def read(self, size: int, what: str) -> bytes:
        """Exactly so many bytes."""
        data = self.read_or_end(size, what)
        if len(data) < size:
            raise CaptureError(f"the file ends at offset {self.offset} within {what}")
        return data

    def read_or_end(self, size: int, what: str) -> bytes:
        """Exactly so many bytes, or none at the end of the file."""
        data = self._file.read(size)
        if data and len(data) < size:
            raise CaptureError(f"the file ends at offset {self.offset + len(data)} within {what}")
        self.offset += len(data)
        return data


def _read_pcap(source: _Source, order: str, unit_ns: int) -> Iterator[Frame]:
    header = source.read(20, "the file header")
    (link_word,) = Struct(order + "I").unpack_from(header, 16)
    link_type = link_word & 0x0FFFFFFF  # the upper bits tell about frame check sequences
    record = Struct(order + "IIII")
    number = 0
    while head := source.read_or_end(16, "a packet header"):
        seconds, fraction, size, _ = record.unpack(head)
        if size > _LONGEST_FRAME:
            raise CaptureError(f"garbage at offset {source.offset - 16}: a packet of {size} bytes")
        number += 1
        yield Frame(number, seconds * _NS_PER_S + fraction * unit_ns, link_type, source.read(size, "a packet"))


class _Interface(NamedTuple):
    """What an interface description says about the packets that follow."""

    link_type: int
    units_per_s: int
    offset_s: int
    snap_length: int


def _read_pcapng(source: _Source) -> Iterator[Frame]:
    order = _read_section_header(source)
    interfaces: list[_Interface] = []
    number = 0
    while kind_bytes := source.read_or_end(4, "a block header"):
        block_at = source.offset - 4
        if int.from_bytes(kind_bytes, "big") == _SECTION:
            order, interfaces = _read_section_header(source), []
            continue
        kind = Struct(order + "I").unpack(kind_bytes)[0]
        body = _read_block_body(source, order)
        try:
            if kind == _INTERFACE:
                interfaces.append(_interface(body, order))
            elif kind in {_ENHANCED_PACKET, _OLD_PACKET, _SIMPLE_PACKET}:
                number += 1
                yield _packet(kind, body, order, interfaces, number)
        except (StructError, IndexError, ValueError) as error:
            raise CaptureError(f"garbage at offset {block_at}, in a block of type {kind}: {error}") from error


def _read_section_header(source: _Source) -> str:
    """Read a section header after its type; return its byte order."""
    size_and_magic = source.read(8, "a section header")
    order = _BYTE_ORDERS.get(size_and_magic[4:])
    if order is None:
        raise CaptureError(f"garbage at offset {source.offset - 4}: no byte order of pcapng")
    (size,) = Struct(order + "I").unpack(size_and_magic[:4])
    _check_size(size, source.offset - 8)
    source.read(size - 12, "a section header")
    return order


def _read_block_body(source: _Source, order: str) -> bytes:
    """Read a block after its type; return what stands between its two lengths."""
    (size,) = Struct(order + "I").unpack(source.read(4, "a block header"))
    _check_size(size, source.offset - 4)
    return source.read(size - 8, "a block")[:-4]


def _check_size(size: int, offset: int) -> None:
    if size < _SHORTEST_BLOCK or size % 4 or size > _LONGEST_FRAME:
        raise CaptureError(f"garbage at offset {offset}: a block of {size} bytes")


def _interface(body: bytes, order: str) -> _Interface:
    link_type, _, snap_length = Struct(order + "HHI").unpack_from(body)
    units_per_s, offset_s = 1_000_000, 0
    for code, value in _options(body[8:], order):
        if code == _TSRESOL:
            exponent = value[0] & 0x7F
            units_per_s = 2**exponent if value[0] & 0x80 else 10**exponent
        elif code == _TSOFFSET:
            (offset_s,) = Struct(order + "q").unpack(value)
    return _Interface(link_type, units_per_s, offset_s, snap_length)


def _options(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    head = Struct(order + "HH")
    at = 0
    while at + 4 <= len(data):
        code, size = head.unpack_from(data, at)
        if not code:
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def _packet(kind: int, body: bytes, order: str, interfaces: list[_Interface], number: int) -> Frame:
    if kind == _SIMPLE_PACKET:  # it has no time and belongs to the first interface
        interface = interfaces[0]
        (original,) = Struct(order + "I").unpack_from(body)
        size = min(original, interface.snap_length or original, len(body) - 4)
        return Frame(number, 0, interface.link_type, body[4 : 4 + size])
    if kind == _ENHANCED_PACKET:
        which, high, low, size, _ = Struct(order + "IIIII").unpack_from(body)
    else:
        which, _, high, low, size, _ = Struct(order + "HHIIII").unpack_from(body)
    if size > len(body) - 20:
        raise ValueError(f"a packet of {size} bytes")
    interface = interfaces[which]
    units = high << 32 | low
    t_ns = units * _NS_PER_S // interface.units_per_s + interface.offset_s * _NS_PER_S
    return Frame(number, t_ns, interface.link_type, body[20 : 20 + size])
