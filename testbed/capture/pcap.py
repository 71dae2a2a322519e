"""Records of pcap files, microsecond or nanosecond, in either byte order."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.capture.chunks import CaptureNotes, RecordChunk, Window
from testbed.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from testbed.capture.streams import ByteStream

__all__ = ["PCAP_MAGICS", "read_pcap"]

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html §4: byte order, ticks a second, record header bytes
PCAP_MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 10**6, 16),
    b"\xa1\xb2\xc3\xd4": (">", 10**6, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9, 16),
    b"\xa1\xb2\x3c\x4d": (">", 10**9, 16),
    b"\x34\xcd\xb2\xa1": ("<", 10**6, 24),
    b"\xa1\xb2\xcd\x34": (">", 10**6, 24),
}
_FILE_HEADER_BYTES: Final = 24
_MAX_RECORD_BYTES: Final = 1 << 24  # far above any snap length: a longer record means a damaged file
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class _Format:
    order: str
    ticks: int  # a second
    header_bytes: int  # of a record
    link_type: int


def read_pcap(
    path: Path, stream: ByteStream, head: bytes, notes: CaptureNotes, chunk_bytes: int
) -> Iterator[RecordChunk]:
    """Yield the chunks of a pcap file whose first four bytes, ``head``, were read already.

    Raises:
        CaptureError: The file header is cut short or a record's length is absurd.
    """
    order, ticks, header_bytes = PCAP_MAGICS[head]
    header = head + stream.read(_FILE_HEADER_BYTES - len(head))
    if len(header) < _FILE_HEADER_BYTES:
        raise CaptureError(f"{path}: the pcap file header ends at byte {len(header)} of {_FILE_HEADER_BYTES}")
    link_type = struct.unpack_from(order + "I", header, 20)[0] & 0xFFFF  # upper bits: FCS length, draft §4
    form = _Format(order, ticks, header_bytes, link_type)
    window = Window(stream, b"", chunk_bytes)
    window.base = _FILE_HEADER_BYTES
    window.advance(0)

    def scan(data: bytes, base: int) -> tuple[RecordChunk | None, int, int]:
        offsets, used, needed = _scan_pcap(path, data, base, form)
        return (_pcap_chunk(data, offsets, form, notes.records) if offsets else None), used, needed

    yield from window.chunks(scan, notes)


def _scan_pcap(path: Path, data: bytes, base: int, form: _Format) -> tuple[list[int], int, int]:
    """Return where whole records' data begin, how many bytes they take, and how many the next one needs."""
    end = len(data)
    unpack = struct.Struct(form.order + "I").unpack_from
    header_bytes = form.header_bytes
    offsets: list[int] = []
    append = offsets.append
    at = 0
    needed = header_bytes
    while at + header_bytes <= end:
        captured = unpack(data, at + 8)[0]
        following = at + header_bytes + captured
        if following > end:
            if captured > _MAX_RECORD_BYTES:
                raise CaptureError(
                    f"{path}: damaged at byte {base + at}: a record of {captured} bytes; "
                    "cut the file there (for example with editcap) to use the part before"
                )
            needed = header_bytes + captured
            break
        append(at + header_bytes)
        at = following
    return offsets, at, needed


def _pcap_chunk(data: bytes, offsets: list[int], form: _Format, first_index: int) -> RecordChunk:
    view = np.frombuffer(data, np.uint8)
    offset = np.array(offsets, np.int64)
    headers = view[(offset - form.header_bytes)[:, None] + np.arange(16)].view(form.order + "u4")
    seconds, fraction, captured, length = headers.astype(np.int64).T
    return RecordChunk(
        data=view,
        offset=offset,
        captured=captured,
        length=length,
        t_ns=seconds * _NS + fraction * (_NS // form.ticks),
        link_type=np.full(len(offset), form.link_type, np.int32),
        first_index=first_index,
    )
