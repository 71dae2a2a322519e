"""A file that grows while it is read: what a command prints, what a box logs, as it comes and in bounded memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from testbed.errors import RecordError
from testbed.records.files import open_regular
from testbed.records.holes import HolePunch

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
        forgets: Whether nobody else wants the file: what has been read is then given back to the disk, as far as the
            file system can.
    """

    def __init__(self, path: Path, *, forgets: bool = False) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._punch: HolePunch | None = None
        self._forgets = forgets
        self._position = 0

    @property
    def path(self) -> Path:
        """Where the file is, or will be."""
        return self._path

    @property
    def has_forgotten(self) -> bool:
        """Whether the beginning of the file has been given back to the disk."""
        return self._punch is not None and self._punch.begin > 0

    def new(self, *, most: int | None = _MOST_AT_ONCE) -> Iterator[bytes]:
        """Yield what has been written since, in pieces.

        Args:
            most: Bytes; None: until there is no more.
        """
        read = 0
        while (most is None or read < most) and (data := self.piece()):
            read += len(data)
            yield data

    def piece(self) -> bytes:
        """Return the next piece of what has been written since; nothing: there is no more now."""
        file = self._opened()
        if file is None:
            return b""
        data = os.read(file.fileno(), _CHUNK)
        self._position += len(data)
        if self._punch is not None and data:
            self._punch.forget(self._position)
        return data

    def _opened(self) -> BinaryIO | None:
        if self._file is None:
            try:
                self._file = open_regular(self._path)
            except (OSError, RecordError):
                return None
            if self._forgets:
                self._punch = HolePunch(self._file.fileno())
        return self._file

    def moved_to(self, path: Path) -> None:
        """Go on in another place, to which the file has been moved.

        Raises:
            RecordError: It is not the file of which a part has been read: somebody has put another there.
            OSError: It is not there.
        """
        self._path = path
        if self._file is not None and not os.path.samestat(os.fstat(self._file.fileno()), path.lstat()):
            raise RecordError(f"{path} is not the file that was read while the run went on: it has been replaced")

    def close(self) -> None:
        """Close the file."""
        if self._punch is not None:
            self._punch.close()
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
