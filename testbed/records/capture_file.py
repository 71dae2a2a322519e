"""Capture files: pcap and pcapng, plain, gzip or xz, from a file or a pipe. Standard library only.

This is the one reader. `read_chunks` gives many records at a time, which `testbed.capture` turns into arrays;
`read_frames` gives one frame at a time, and `datagram` the IP datagram in it. Not for: analysis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from testbed.errors import CaptureError
from testbed.records.byte_stream import ByteStream
from testbed.records.capture_chunks import CaptureNotes, RecordChunk
from testbed.records.link_layer import find_datagram, is_read
from testbed.records.pcap_reader import PCAP_MAGICS, read_pcap
from testbed.records.pcapng_reader import PCAPNG_MAGIC, read_pcapng

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["CaptureNotes", "Frame", "RecordChunk", "datagram", "frames_of", "read_chunks", "read_frames"]

CHUNK_BYTES: Final = 8 << 20
_FRAMES_CHUNK_BYTES: Final = 1 << 20


class Frame(NamedTuple):
    """One captured frame. ``number`` counts from 1, as Wireshark does."""

    number: int
    t_ns: int  # since the epoch
    link_type: int
    data: bytes
    length: int = 0  # bytes that it had on the wire, where a snap length cut it; else 0


def read_chunks(
    stream: ByteStream, *, notes: CaptureNotes | None = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[RecordChunk]:
    """Yield a capture's records in chunks; memory depends on ``chunk_bytes``, not on the file.

    Args:
        stream: A pcap (µs or ns, either byte order) or pcapng file.
        notes: Filled with what was read and left out.
        chunk_bytes: Uncompressed bytes to hold at a time; a longer record enlarges its chunk.

    Raises:
        CaptureError: It is no capture, or is damaged, or nothing in it is of a link type that is read; the message
            gives the offset. A file that merely ends in the middle of a record is read as far as it goes, with a
            remark in ``notes``.
    """
    notes = CaptureNotes() if notes is None else notes
    head = stream.read(4)
    if head in PCAP_MAGICS:
        yield from read_pcap(stream, head, notes, chunk_bytes)
    elif head == PCAPNG_MAGIC:
        yield from read_pcapng(stream, head, notes, chunk_bytes)
        notes.check_link_types(stream.name)
    else:
        what = "is empty" if not head else f"begins with {head.hex(' ')}"
        raise CaptureError(
            f"{stream.name}: not a capture at byte 0: it {what}; expected pcap or pcapng, plain, gzip or xz"
        )
    if stream.truncated:
        notes.remarks.append("the compressed file was cut short")


def read_frames(source: BinaryIO | ByteStream, *, notes: CaptureNotes | None = None) -> Iterator[Frame]:
    """Yield the frames of an open capture file, in its order.

    Args:
        source: The file.
        notes: Filled with what was read and left out. Without them, a file that ends within a record is an error.

    Raises:
        CaptureError: As `read_chunks`, after the frames before the damage.
    """
    stream = source if isinstance(source, ByteStream) else ByteStream(source, getattr(source, "name", "capture"))
    # Whoever takes notes reads a file that strangers made, as far as it goes. Without notes nobody would learn that
    # its end is missing, and so it may not be.
    kept = CaptureNotes() if notes is None else notes
    for chunk in read_chunks(stream, notes=kept, chunk_bytes=_FRAMES_CHUNK_BYTES):
        yield from frames_of(chunk)
    if notes is None and kept.remarks:
        raise CaptureError(f"{stream.name}: {kept.remarks[0]}")


def frames_of(chunk: RecordChunk) -> Iterator[Frame]:
    """Yield the frames of a chunk."""
    data, number = chunk.data, chunk.first_index
    for at, captured, length, t_ns, link_type in zip(
        chunk.offset, chunk.captured, chunk.length, chunk.t_ns, chunk.link_type, strict=True
    ):
        number += 1
        yield Frame(number, t_ns, link_type, data[at : at + captured], length if length > captured else 0)


def datagram(frame: Frame) -> bytes | None:
    """Return the IP datagram in a frame, or None if it carries something else.

    Raises:
        CaptureError: Its link type is none that is read.
    """
    at, _ = find_datagram(frame.data, 0, len(frame.data), frame.link_type)
    if at < 0 and not is_read(frame.link_type):
        why = CaptureNotes().unread(frame.link_type)
        raise CaptureError(f"frame {frame.number}: {why}; capture Ethernet, Linux cooked or raw IP")
    return frame.data[at:] if at >= 0 else None
