"""Open what a user named as a capture, and read its records a chunk at a time. Does not look inside packets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from testbed.records.byte_stream import opened
from testbed.records.capture_file import CHUNK_BYTES, CaptureNotes, RecordChunk, read_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CaptureNotes", "RecordChunk", "read_records"]


def read_records(
    path: str | Path,
    *,
    notes: CaptureNotes | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    regular_only: bool = False,
) -> Iterator[RecordChunk]:
    """Yield a capture's records in chunks; memory depends on ``chunk_bytes``, not on the file.

    Args:
        path: A pcap (µs or ns, either byte order) or pcapng file, plain, gzip or xz; a pipe; or ``-``.
        notes: Filled with what was read and left out.
        chunk_bytes: Uncompressed bytes to hold at a time; a longer record enlarges its chunk.
        regular_only: See `testbed.records.byte_stream.opened`.

    Raises:
        CaptureError: The file cannot be opened, or as `testbed.records.capture_file.read_chunks`.
    """
    with opened(Path(path), regular_only=regular_only) as stream:
        yield from read_chunks(stream, notes=notes, chunk_bytes=chunk_bytes)
