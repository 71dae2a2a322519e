"""Find the records of pcap and pcapng files, a chunk at a time. Does not look inside packets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from testbed.capture.chunks import CaptureNotes, RecordChunk
from testbed.capture.pcap import PCAP_MAGICS, read_pcap
from testbed.capture.pcapng import PCAPNG_MAGIC, read_pcapng
from testbed.capture.streams import ByteStream
from testbed.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CaptureNotes", "RecordChunk", "read_records"]

_CHUNK_BYTES: Final = 8 << 20


def read_records(
    path: str | Path, *, notes: CaptureNotes | None = None, chunk_bytes: int = _CHUNK_BYTES
) -> Iterator[RecordChunk]:
    """Yield a capture's records in chunks; memory depends on ``chunk_bytes``, not on the file.

    Args:
        path: A pcap (µs or ns, either byte order) or pcapng file, plain, gzip or xz.
        notes: Filled with what was read and left out.
        chunk_bytes: Uncompressed bytes to hold at a time; a longer record enlarges its chunk.

    Raises:
        CaptureError: The file cannot be opened, is no capture, or is damaged; the message gives the offset. A file
            that merely ends in the middle of a record is read as far as it goes, with a remark in ``notes``.
    """
    path = Path(path)
    notes = CaptureNotes() if notes is None else notes
    with ByteStream(path) as stream:
        head = stream.read(4)
        if head in PCAP_MAGICS:
            yield from read_pcap(path, stream, head, notes, chunk_bytes)
        elif head == PCAPNG_MAGIC:
            yield from read_pcapng(path, stream, head, notes, chunk_bytes)
        else:
            what = "is empty" if not head else f"begins with {head.hex(' ')}"
            raise CaptureError(
                f"{path}: not a capture at byte 0: it {what}; expected pcap or pcapng, plain, gzip or xz"
            )
        if stream.truncated:
            notes.remarks.append("the compressed file was cut short")
