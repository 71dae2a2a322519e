"""Records of pcap files, microsecond or nanosecond, in either byte order."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.errors import CaptureError
from testbed.records.capture_chunks import CaptureNotes, EmptyRecords, RecordChunk, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.byte_stream import ByteStream

__all__ = ["PCAP_HEADER_BYTES", "PCAP_MAGICS", "PcapFormat", "read_pcap", "scan_records"]

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html §4: byte order, ticks a second, record header bytes
PCAP_MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6, 16),
    b"\xa1\xb2\xc3\xd4": (">", 10**6, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9, 16),
    b"\xa1\xb2\x3c\x4d": (">", 10**9, 16),
    b"\x34\xcd\xb2\xa1": ("<", 10**6, 24),
    b"\xa1\xb2\xcd\x34": (">", 10**6, 24),
}
PCAP_HEADER_BYTES: Final = 24
_MAX_RECORD_BYTES: Final = 1 << 24  # far above any snap length: a longer record means a damaged file
_NS: Final = 10**9
# the word of the link type, draft §4: the type, whether the length of frame check sequences is known, and that
# length
_LINK_TYPE_BITS: Final = 0xFFFF
_FCS_IS_KNOWN: Final = 1 << 26
_FCS_SHIFT: Final = 28
_FCS_UNIT_BYTES: Final = 2


class PcapFormat(NamedTuple):
    """What the header of a file says of its records."""

    order: str
    ticks: int  # a second
    header_bytes: int  # of a record
    link_type: int
    fcs_bytes: int  # at the end of each frame

    @classmethod
    def of(cls, header: bytes) -> PcapFormat:
        """Read the header of a file, which is there in full and begins with one of `PCAP_MAGICS`."""
        order, ticks, header_bytes = PCAP_MAGICS[header[:4]]
        (word,) = struct.unpack_from(order + "I", header, 20)
        fcs_bytes = (word >> _FCS_SHIFT) * _FCS_UNIT_BYTES if word & _FCS_IS_KNOWN else 0
        return cls(order, ticks, header_bytes, word & _LINK_TYPE_BITS, fcs_bytes)


def read_pcap(stream: ByteStream, head: bytes, notes: CaptureNotes, chunk_bytes: int) -> Iterator[RecordChunk]:
    """Yield the chunks of a pcap file whose first four bytes, ``head``, were read already.

    Raises:
        CaptureError: The file header is cut short, the link type is none that is read, or a record's length is
            absurd.
    """
    header = head + stream.read(PCAP_HEADER_BYTES - len(head))
    if len(header) < PCAP_HEADER_BYTES:
        raise CaptureError(f"{stream.name}: the pcap file header ends at byte {len(header)} of {PCAP_HEADER_BYTES}")
    form = PcapFormat.of(header)
    notes.interfaces[form.link_type] = []
    notes.check_link_types(stream.name)
    window = Window(stream, b"", chunk_bytes)
    window.base = PCAP_HEADER_BYTES
    window.advance(0)
    empty = EmptyRecords(stream.name)

    yield from window.chunks(lambda chunk, base: scan_records(chunk, base, form, empty, stream.name), notes)


def scan_records(chunk: RecordChunk, base: int, form: PcapFormat, empty: EmptyRecords, name: str) -> tuple[int, int]:
    """Fill a chunk with the whole records of its data; return how many bytes they take, and what the next one needs.

    Raises:
        CaptureError: A record's length is absurd.
    """
    data = chunk.data
    unpack = struct.Struct(form.order + "IIII").unpack_from
    header_bytes, fcs_bytes, unit_ns = form.header_bytes, form.fcs_bytes, _NS // form.ticks
    end, at, needed = len(data), 0, header_bytes
    while at + header_bytes <= end:
        seconds, fraction, captured, length = unpack(data, at)
        following = at + header_bytes + captured
        if following > end:
            # Only a record that does not fit is looked at so: one of any length that is there in full is one. A
            # length that cannot be would make the reader fetch gigabytes before it noticed.
            if captured > _MAX_RECORD_BYTES:
                raise CaptureError(
                    f"{name}: damaged at byte {base + at}: a record of {captured} bytes; "
                    "cut the file there (for example with editcap) to use the part before"
                )
            needed = header_bytes + captured
            break
        empty.saw(captured, base + at)
        if fcs_bytes:  # behind the frame; a snap length may have cut a part of it
            length = max(length - fcs_bytes, 0)
            captured = min(captured, length)
        chunk.offset.append(at + header_bytes)
        chunk.captured.append(captured)
        chunk.length.append(length)
        chunk.t_ns.append(seconds * _NS + fraction * unit_ns)
        at = following
        chunk.link_type.append(form.link_type)
    return at, needed
