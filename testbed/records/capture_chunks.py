"""What the readers of capture formats share: the window they read through, the chunks and notes they give."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from testbed.errors import CaptureError
from testbed.records.link_layer import LINK_NAMES, is_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testbed.records.byte_stream import ByteStream

    # fills a chunk from its data, which lie at an offset of the file: to (bytes that whole records take, bytes that
    # the next one needs)
    Scan = Callable[["RecordChunk", int], tuple[int, int]]

__all__ = ["CaptureNotes", "EmptyRecords", "RecordChunk", "Window"]

# A capture of everything may begin with much that is no TCP, but whoever named a file of video by mistake should
# not wait for its end.
_MOST_WITHOUT_USE: Final = 1_000_000  # records
_MOST_EMPTY_IN_A_ROW: Final = 100_000  # no link carries so many packets without a byte: the file is damaged, or a trap


@dataclass(slots=True)
class CaptureNotes:
    """What reading a capture left out, counted while reading.

    Attributes:
        records: Records found in the file.
        tcp: Records that became TCP packets.
        skipped: Reason to number of records without a usable TCP header.
        remarks: Sentences for a person, such as where a cut file ended.
        tunnelled: Kind of tunnel to number of records that were read inside one.
        cut: Records whose payload a snap length cut.
        cut_openings: Those of them in which a hello may have been, and none was found in what was captured before.
        interfaces: Link type to the interfaces of the file that have it, as they are called there.
    """

    records: int = 0
    tcp: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    tunnelled: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    cut_openings: int = 0
    interfaces: dict[int, list[str]] = field(default_factory=dict)

    @property
    def interface_count(self) -> int:
        """How many interfaces the file describes."""
        return sum(len(names) for names in self.interfaces.values())

    def skip(self, reason: str, count: int = 1) -> None:
        """Count ``count`` records as left out because of ``reason``."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    def unread(self, link_type: int) -> str:
        """Return the reason why records of a link type that is not read are left out."""
        name = LINK_NAMES.get(link_type)
        what = f"link type {link_type}{f' ({name})' if name else ''} is not read"
        interfaces = self.interfaces.get(link_type, [])
        return f"interface {', '.join(interfaces)}: {what}" if interfaces else what

    def check_link_types(self, name: str) -> None:
        """Refuse a file of which no record could be read, for its link types.

        Raises:
            CaptureError: There is none that is read.
        """
        reasons = [self.unread(link_type) for link_type in self.interfaces if not is_read(link_type)]
        if reasons and all(not is_read(link_type) for link_type in self.interfaces):
            raise CaptureError(f"{name}: {'; '.join(reasons)}; capture Ethernet, Linux cooked or raw IP")

    def check_use(self, name: str, useful: int, what: str) -> None:
        """Refuse a file whose first million records hold nothing of use: there is nothing to wait for.

        Raises:
            CaptureError: They hold none; the message says what was left out.
        """
        if not useful and self.records > _MOST_WITHOUT_USE:
            reasons = ", ".join(f"{count} {why}" for why, count in self.skipped.items())
            raise CaptureError(
                f"{name}: none of the first {self.records} records holds {what} ({reasons}); "
                "name a capture of the transfers"
            )

    def sentences(self) -> list[str]:
        """Return all of it in sentences for a person."""
        tunnels = [f"{count} packets are read inside {kind}" for kind, count in self.tunnelled.items()]
        left_out = [f"{count} records left out: {why}" for why, count in self.skipped.items()]
        return self.remarks + tunnels + self._cut_sentences() + left_out

    def _cut_sentences(self) -> list[str]:
        if not self.cut:
            return []
        what = f"{self.cut} packets were captured without all of their payload"
        if not self.cut_openings:
            return [f"{what}; what opens a connection is whole, so no name is lost"]
        return [f"{what}, {self.cut_openings} of them where a connection opens: a name that lay there is lost"]


@dataclass(frozen=True, slots=True)
class RecordChunk:
    """Some records of a capture, still as bytes. Lists have an item for each record.

    Attributes:
        data: The chunk's bytes.
        offset: Where each packet begins in ``data``.
        captured: Bytes of each packet that were captured, frame check sequences left out.
        length: Bytes each packet had on the wire, likewise.
        t_ns: Time stamps, nanoseconds since 1970.
        link_type: LINKTYPE_ value of each packet's interface.
        first_index: Number in the file of the chunk's first record, from 0.
    """

    data: bytes
    first_index: int
    offset: list[int] = field(default_factory=list)
    captured: list[int] = field(default_factory=list)
    length: list[int] = field(default_factory=list)
    t_ns: list[int] = field(default_factory=list)
    link_type: list[int] = field(default_factory=list)


class EmptyRecords:
    """Counts records without a byte in a row, and refuses a file that is nothing else."""

    __slots__ = ("_count", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def saw(self, size: int, position: int) -> None:
        """Take note of a record of so many bytes.

        Raises:
            CaptureError: There were too many empty ones in a row.
        """
        if size:
            self._count = 0
            return
        self._count += 1
        if self._count > _MOST_EMPTY_IN_A_ROW:
            raise CaptureError(
                f"{self._name}: damaged at byte {position}: more than {_MOST_EMPTY_IN_A_ROW} records in a row hold "
                "nothing; cut the file before them to use its beginning"
            )


class Window:
    """The part of the stream being looked at: bytes left over from before, and the next ones."""

    def __init__(self, stream: ByteStream, head: bytes, chunk_bytes: int) -> None:
        self._stream = stream
        self._chunk_bytes = max(chunk_bytes, 1 << 10)  # with less, nearly every record would need reading on
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
        """Yield what ``scan`` finds, window after window; remark in ``notes`` when the file ends inside a record.

        Raises:
            CaptureError: That of ``scan``, after the records before the damage have been yielded.
        """
        while self.data:
            chunk = RecordChunk(self.data, notes.records)
            # Damage is told after the records before it have been given out: most of a damaged file may be of use.
            damage: CaptureError | None = None
            used = needed = 0
            try:
                used, needed = scan(chunk, self.base)
            except CaptureError as error:
                damage = error
            if chunk.offset:
                notes.records += len(chunk.offset)
                yield chunk
            if damage is not None:
                raise damage
            self.advance(used, needed)
            if self.ended:
                break
        if self.data:
            left_out = len(self.data)
            notes.remarks.append(f"the file ends inside the record at byte {self.base}: {left_out} bytes left out")
