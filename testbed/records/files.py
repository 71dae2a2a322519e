"""Opening and replacing files in folders that somebody else may have written to.

A program under test can leave anything where a record is expected: a symbolic link to a file of the user's, a FIFO
that nobody writes to, a device without end, a file larger than memory. So a reader opens regular files only,
follows no link in the last step, waits for nothing and reads no more than it was told; a writer makes a new file of
its own and moves it into place.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING

from testbed.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

__all__ = ["compress", "open_regular", "packing", "read_regular", "replacing", "write_atomically"]

_LARGEST_RECORD_BYTES = 1 << 31  # of a file that is read as a whole
_BUFFER_BYTES = 1 << 20
_LEVEL = 6  # of compression, as gzip's own program has it
# Recorded runs are read on platforms that have not all of them. Windows alone has O_BINARY, and reads text without it.
_FOLLOW_NONE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY"))
_WAIT_FOR_NONE = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY"))


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, without following a link at its end and without waiting.

    Raises:
        OSError: It cannot be opened; a link at its end is refused with ELOOP.
        RecordError: It is a folder, a FIFO, a socket or a device.
    """
    return open(path, "rb", opener=_open)


def _open(path: str, _flags: int) -> int:
    # O_NONBLOCK, for the opening of a FIFO waits for a writer; O_NOCTTY, for a terminal would become ours. What it
    # is gets asked of the open file: between a look at the name and its opening, another could take the place.
    descriptor = os.open(path, os.O_RDONLY | _FOLLOW_NONE | _WAIT_FOR_NONE)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise RecordError(f"{path} is {_kind(mode)}, where a file is expected; remove it")
    return descriptor


def read_regular(path: Path, *, most_bytes: int = _LARGEST_RECORD_BYTES) -> bytes:
    """Return the contents of a regular file.

    Raises:
        OSError: As `open_regular`.
        RecordError: As `open_regular`; or it has more than ``most_bytes``.
    """
    with open_regular(path) as file:
        data = _read(file, most_bytes + 1)
    if len(data) > most_bytes:
        raise RecordError(f"{path} has more than {most_bytes} bytes, too many for a file of its kind")
    return data


def _read(file: BinaryIO, most_bytes: int) -> bytes:
    """Return so many bytes at most. The size is not asked for: a file may grow, and some have none (proc)."""
    # Piece by piece: Python asks for the memory of a whole read first, and a small machine has none to promise.
    pieces: list[bytes] = []
    while most_bytes > 0 and (piece := file.read(min(_BUFFER_BYTES, most_bytes))):
        pieces.append(piece)
        most_bytes -= len(piece)
    return b"".join(pieces)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of ``path`` when the block has ended without an error.

    Nobody can have foreseen its name, and it replaces whatever has the old one: a link is replaced, not followed.

    Raises:
        OSError: The folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FOLLOW_NONE, 0o644)
    try:
        with os.fdopen(descriptor, "wb", buffering=_BUFFER_BYTES) as file:
            yield file
            # Without it the new name may reach the disk before the contents do: after a power failure the file
            # would be there, and empty.
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:  # also when somebody presses Ctrl-C: no half file may stay
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def packing(file: BinaryIO) -> gzip.GzipFile:
    """Return a file that compresses into another; without name and time: the same bytes every time."""
    # Python's default, 9, takes several times as long for captures, and hardly saves a byte.
    return gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)


def compress(path: Path) -> None:
    """Put a compressed file (``NAME.gz``) in the place of a regular one; the same bytes for the same bytes.

    Raises:
        OSError: The folder cannot be written.
        RecordError: As `open_regular`.
    """
    with (
        open_regular(path) as source,
        replacing(path.with_name(f"{path.name}.gz")) as file,
        packing(file) as packed,
    ):
        shutil.copyfileobj(source, packed, _BUFFER_BYTES)
    path.unlink()


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of it.

    Raises:
        OSError: The folder cannot be written.
    """
    with replacing(path) as file:
        file.write(text.encode())


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device", stat.S_IFLNK: "a symbolic link",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "no regular file")
