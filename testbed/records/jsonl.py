"""JSON lines: one object a line, appended whole; every complete line stays readable whatever happened."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from testbed.errors import RecordError
from testbed.records.files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Json", "JsonValue", "LineWriter", "read_lines"]

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Whatever JSON can say."""

JsonValue = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
"""Whatever can be written as JSON: tuples, too, and objects that are only read."""


class LineWriter:
    """Appends objects to a file. Several processes may append to one file: each call is one write of whole lines.

    Raises:
        OSError: The file cannot be opened or written; a full disk shows here.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, *records: Mapping[str, object]) -> None:
        """Append objects, together.

        It is one write(2) to a file that was opened with O_APPEND: the kernel then puts the lines of several
        processes one behind the other, and never one into another. A buffer in between would cut lines where it is
        full.
        """
        lines = b"".join(
            # names of files may be no Unicode, and Python keeps such bytes as surrogates, which UTF-8 has not
            json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace") + b"\n"
            for record in records
        )
        written = os.write(self._descriptor, lines)
        if written != len(lines):
            raise OSError(f"only {written} of {len(lines)} bytes of records were written; is the disk full?")

    def close(self) -> None:
        """Have the kernel write to the disk what it has been given, and close."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def read_lines(path: Path, *, complete: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, in order. This is where the records of a run enter: what they hold is not checked.

    Args:
        path: The file.
        complete: False where the run died: lines that were cut short are then left out. On a full disk each of the
            processes that write may leave one, and the next process goes on in the middle of it.

    Raises:
        RecordError: The file is not JSON lines; the message names the line.
    """
    try:
        lines = read_regular(path).split(b"\n")  # and not splitlines(): other separators may stand in a text of JSON
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # so many brackets that Python's parser gives up
            if not complete:
                continue
            raise RecordError(f"{path}:{number}: not a JSON object: {error}") from error
        if not isinstance(record, dict):
            raise RecordError(f"{path}:{number}: expected a JSON object, got {type(record).__name__}")
        yield record
