"""A file that grows while it is read: what a command prints, what a box logs, as it comes and in bounded memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from testbed.errors import RecordError
from testbed.records.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["Follower", "LineFollower"]

_CHUNK = 1 << 16
_MOST_AT_ONCE = 1 << 22
_MOST_LINE_BYTES = 1 << 20


class Follower:
    """Reads on from where it stopped.

    Args:
        path: The file; it need not be there yet, and what is no regular file counts as empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def new(self, *, most: int | None = _MOST_AT_ONCE) -> Iterator[bytes]:
        """Yield what has been written since, in pieces.

        Args:
            most: Bytes; None: until there is no more.
        """
        if self._file is None:
            try:
                self._file = open_regular(self._path)
            except (OSError, RecordError):
                return
        read = 0
        while most is None or read < most:
            data = os.read(self._file.fileno(), _CHUNK)
            if not data:
                return
            read += len(data)
            yield data

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class LineFollower:
    """Whole lines of a file that grows.

    Args:
        path: As for `Follower`.
    """

    def __init__(self, path: Path) -> None:
        self._follower = Follower(path)
        self._rest = b""

    def new(self, *, most: int | None = _MOST_AT_ONCE) -> Iterator[bytes]:
        """Yield the lines that were completed since; ``most``: bytes, as for `Follower.new`."""
        for data in self._follower.new(most=most):
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._rest = self._rest[: _MOST_LINE_BYTES + 1]  # a line without end is none
            yield from lines

    def close(self) -> None:
        """Close the file."""
        self._follower.close()
