"""JSON lines: one object a line, appended whole; every complete line stays readable whatever happened."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from testbed.errors import RecordError
from testbed.records.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Json", "LineWriter", "read_lines"]

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Whatever JSON can say."""


class LineWriter:
    """Appends objects to a file. Several processes may append to one file: each call is one write of whole lines.

    Raises:
        OSError: the file cannot be opened or written; a full disk shows here.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, *records: Mapping[str, object]) -> None:
        """Append objects, together."""
        lines = b"".join(
            json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
            for record in records
        )
        written = os.write(self._descriptor, lines)
        if written != len(lines):
            raise OSError(f"only {written} of {len(lines)} bytes of records were written; is the disk full?")

    def close(self) -> None:
        """Write what is buffered to the disk and close."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def read_lines(path: Path, *, complete: bool = True) -> Iterator[dict[str, Any]]:
    """The objects of a file, in order.

    Args:
        path: the file.
        complete: False where the run died: lines that were cut short are then left out. On a full disk each of the
            processes that write may leave one, and the next process goes on in the middle of it.

    Raises:
        RecordError: the file is not JSON lines; names the line.
    """
    try:
        lines = read_regular(path).split(b"\n")
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            if not complete:
                continue
            raise RecordError(f"{path}:{number}: not a JSON object: {error}") from error
        if not isinstance(record, dict):
            raise RecordError(f"{path}:{number}: expected a JSON object, got {type(record).__name__}")
        yield record
