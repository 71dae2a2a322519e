"""What the readers of capture files share: the window they read through, the chunks and notes they give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from testbed.capture.streams import ByteStream

    # (data, its offset in the file) to (whole records in it, bytes that they take, bytes that the next one needs)
    Scan = Callable[[bytes, int], tuple["RecordChunk | None", int, int]]

__all__ = ["CaptureNotes", "RecordChunk", "Window"]


@dataclass(slots=True)
class CaptureNotes:
    """What reading a capture left out, counted while reading.

    Attributes:
        records: Records found in the file.
        tcp: Records that became TCP packets.
        skipped: Reason to number of records without a usable TCP header.
        remarks: Sentences for a person, such as where a cut file ended.
    """

    records: int = 0
    tcp: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def skip(self, reason: str, count: int) -> None:
        """Count ``count`` records as left out because of ``reason``."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """Some records of a capture, still as bytes.

    Attributes:
        data: The chunk's bytes, uint8.
        offset: Where each packet begins in ``data``, int64, shape (n,).
        captured: Bytes of each packet that were captured, int64, shape (n,).
        length: Bytes each packet had on the wire, int64, shape (n,).
        t_ns: Time stamps, nanoseconds since 1970, int64, shape (n,).
        link_type: LINKTYPE_ value of each packet's interface, int32, shape (n,).
        first_index: Number in the file of the chunk's first record, from 0.
    """

    data: NDArray[np.uint8]
    offset: NDArray[np.int64]
    captured: NDArray[np.int64]
    length: NDArray[np.int64]
    t_ns: NDArray[np.int64]
    link_type: NDArray[np.int32]
    first_index: int


class Window:
    """The part of the stream being looked at: bytes left over from before, and the next ones."""

    def __init__(self, stream: ByteStream, head: bytes, chunk_bytes: int) -> None:
        self._stream = stream
        self._chunk_bytes = max(chunk_bytes, 1 << 10)
        self.data = head
        self.base = 0  # offset of data[0] in the uncompressed file
        self.ended = False

    def advance(self, used: int, needed: int = 0) -> None:
        """Drop ``used`` bytes and read on, until ``needed`` bytes or a chunk are there."""
        rest = self.data[used:]
        more = self._stream.read(max(self._chunk_bytes, needed) - len(rest))
        self.base += used
        self.ended = not more
        self.data = rest + more if rest else more

    def chunks(self, scan: Scan, notes: CaptureNotes) -> Iterator[RecordChunk]:
        """Yield what ``scan`` finds, window after window; remark in ``notes`` when the file ends inside a record."""
        while self.data:
            chunk, used, needed = scan(self.data, self.base)
            if chunk is not None:
                notes.records += len(chunk.offset)
                yield chunk
            self.advance(used, needed)
            if self.ended:
                break
        if self.data:
            left_out = len(self.data)
            notes.remarks.append(f"the file ends inside the record at byte {self.base}: {left_out} bytes left out")
