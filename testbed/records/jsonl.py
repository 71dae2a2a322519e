"""JSON lines: one object a line, appended whole; every complete line stays readable whatever happened."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from testbed.errors import RecordError
from testbed.records.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Json", "JsonValue", "LineWriter", "read_lines"]

Json = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Whatever JSON can say."""

JsonValue = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
"""Whatever can be written as JSON: tuples, too, and objects that are only read."""


_LONGEST_LINE_BYTES = 1 << 28


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


def read_lines(path: Path, *, complete: bool = True, having: bytes = b"") -> Iterator[dict[str, Any]]:
    """Yield the objects of a file, in order. This is where the records of a run enter: what they hold is not checked.

    Args:
        path: The file.
        complete: False where the run died: lines that were cut short are then left out. On a full disk each of the
            processes that write may leave one, and the next process goes on in the middle of it.
        having: Lines without these bytes are left out, and not even parsed.

    Raises:
        RecordError: The file is not JSON lines; the message names the line.
    """
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip(b"\n") or (having and having not in line):
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


def _lines(path: Path) -> Iterator[bytes]:
    """Yield lines, one at a time: a record may be larger than memory. A binary file knows no separator but the byte."""
    try:
        with open_regular(path) as file, _unpacked(file, path) as lines:
            for line in iter(lambda: lines.readline(_LONGEST_LINE_BYTES), b""):
                if len(line) == _LONGEST_LINE_BYTES:
                    raise RecordError(
                        f"{path} has a line of more than {_LONGEST_LINE_BYTES} bytes, which no record has"
                    )
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise RecordError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def _unpacked(file: BinaryIO, path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if path.suffix == ".gz" else file
