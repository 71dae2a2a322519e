"""Captures and logs that a guest still writes to, record by record.

A growing capture or log is an iterator that gives None where there is no more for now, and goes on when it is asked
again; it ends when it has been told that the file is whole, and all of it has been read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from testbed.errors import CaptureError, RecordError
from testbed.records.capture_chunks import CaptureNotes, EmptyRecords, RecordChunk
from testbed.records.capture_file import Frame, frames_of
from testbed.records.pcap_reader import PCAP_HEADER_BYTES, PCAP_MAGICS, PcapFormat, scan_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.records.follow import Follower
    from testbed.records.truth import TruthRecord

__all__ = ["GrowingCapture", "GrowingLog", "GrowingPcap"]

_LONGEST_LINE_BYTES = 1 << 22  # the longest record holds one packet, two digits a byte
_SHOWN_BYTES = 60


class GrowingPcap:
    """Takes the bytes of a classic pcap file as they come, and gives whole frames.

    Args:
        name: Of the file, in errors.

    Attributes:
        frames: How many have been given.
    """

    def __init__(self, name: str) -> None:
        self.frames = 0
        self._name = name
        self._form: PcapFormat | None = None
        self._empty = EmptyRecords(name)
        self._rest = b""
        self._base = 0
        self._damage: CaptureError | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete by now.

        Raises:
            CaptureError: It is no pcap file, or is damaged, after the frames before the damage; once and for all.
        """
        if self._damage is not None:
            raise self._damage
        self._rest += data
        try:
            yield from self._whole_frames()
        except CaptureError as error:
            self._damage, self._rest = error, b""
            raise

    def _whole_frames(self) -> Iterator[Frame]:
        if self._form is None and len(self._rest) >= PCAP_HEADER_BYTES:
            self._form = self._read_header()
            self._drop(PCAP_HEADER_BYTES)
        if self._form is None:
            return
        chunk = RecordChunk(self._rest, self.frames)
        used, damage = 0, None
        try:
            used, _ = scan_records(chunk, self._base, self._form, self._empty, self._name)
        except CaptureError as error:
            damage = error
        self._drop(used)
        self.frames += len(chunk.offset)
        yield from frames_of(chunk)
        if damage is not None:
            raise damage

    def end(self) -> None:
        """Say that there will be no more.

        Raises:
            CaptureError: The file ends within its header or a record.
        """
        if self._form is None:
            raise CaptureError(f"{self._name}: the pcap file header ends at byte {len(self._rest)}")
        if self._rest:
            raise CaptureError(f"{self._name}: the file ends inside the record at byte {self._base}")

    def _drop(self, used: int) -> None:
        self._rest = self._rest[used:]
        self._base += used

    def _read_header(self) -> PcapFormat:
        if self._rest[:4] not in PCAP_MAGICS:
            raise CaptureError(f"{self._name}: not a pcap file: it begins with {self._rest[:4].hex(' ')}")
        form, notes = PcapFormat.of(self._rest), CaptureNotes()
        notes.interfaces[form.link_type] = []
        notes.check_link_types(self._name)
        return form


class GrowingCapture:
    """The frames of a classic pcap file.

    Args:
        file: As the guest writes it.

    Attributes:
        is_whole: Set once nobody writes to the file any more.
    """

    def __init__(self, file: Follower) -> None:
        self.is_whole = False
        self._file = file
        self._pcap = GrowingPcap(str(file.path))

    @property
    def frames(self) -> int:
        """How many have been read."""
        return self._pcap.frames

    def __iter__(self) -> Iterator[Frame | None]:
        """Yield frames, and None where there is none now.

        Raises:
            CaptureError: It is no pcap file, or is damaged, or ends within a record.
        """
        while True:
            if piece := self._file.piece():
                yield from self._pcap.feed(piece)
            elif not self.is_whole:
                yield None
            else:
                self._pcap.end()
                return


class GrowingLog:
    """The records of one box in a ``truth.jsonl``.

    Args:
        file: As the guest writes it.
        box: Whose records.

    Attributes:
        is_whole: Set once nobody writes to the file any more.
    """

    def __init__(self, file: Follower, box: str) -> None:
        self.is_whole = False
        self._file = file
        self._box = box
        # Lines of other boxes are told by their bytes, for there may be a hundred of these.
        self._having = json.dumps(box).encode()

    def __iter__(self) -> Iterator[TruthRecord | None]:
        """Yield records, and None where there is none now.

        Raises:
            RecordError: The file is not JSON lines; the message names the line.
        """
        number, rest = 0, b""
        while True:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                number += 1
                if self._having in line:
                    record = self._record(line, number)
                    if record["box"] == self._box:
                        yield record
            if len(rest) > _LONGEST_LINE_BYTES:
                raise RecordError(f"{self._file.path}:{number + 1}: a line that is longer than any record")
            if piece := self._file.piece():
                rest += piece
            elif not self.is_whole:
                yield None
            elif rest:
                raise RecordError(f"{self._file.path}:{number + 1}: the file ends inside this line")
            else:
                return

    def _record(self, line: bytes, number: int) -> TruthRecord:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{self._file.path}:{number}: not a JSON object: {error}") from error
        if not isinstance(record, dict):
            raise RecordError(f"{self._file.path}:{number}: expected a JSON object, got {line[:_SHOWN_BYTES]!r}")
        return cast("TruthRecord", record)
