"""Read a file, a pipe or standard input as a stream of bytes, compressed (gzip, xz) or not, whatever they mean.

Who waits for long reading is told how far it got: `watching` names a function that every stream then calls.
"""

from __future__ import annotations

import contextlib
import lzma
import sys
import zlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, BinaryIO, Protocol

from testbed.errors import CaptureError
from testbed.records.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["STANDARD_INPUT", "ByteStream", "opened", "watching"]

STANDARD_INPUT = "-"

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_READ_BYTES = 1 << 18  # at a time: how much is unpacked is bounded by the reader's wish, not by what the file holds
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's way to ask for gzip's header and trailer


class _Decoder(Protocol):
    """Unpacks pieces of a file, no more than asked for at a time: a small file may unpack to any size."""

    def feed(self, data: bytes, limit: int, /) -> bytes: ...

    @property
    def wants_input(self) -> bool: ...

    @property
    def mid_stream(self) -> bool: ...


class _Plain:
    """Passes bytes through."""

    wants_input = True
    mid_stream = False

    def feed(self, data: bytes, _limit: int, /) -> bytes:  # what it is given is never more than that
        return data


class _Xz:
    """One or more concatenated xz streams."""

    def __init__(self) -> None:
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        self._started = False

    @property
    def wants_input(self) -> bool:
        return self._decoder.needs_input or self._decoder.eof

    @property
    def mid_stream(self) -> bool:
        return self._started and not self._decoder.eof

    def feed(self, data: bytes, limit: int, /) -> bytes:
        if self._decoder.eof:
            # Another stream may follow, behind padding of zeros (xz file format §2.2). What the decoder has taken
            # in beyond the end of its own stream belongs to the next one.
            data = (self._decoder.unused_data + data).lstrip(b"\0")
            if not data:
                return b""
            self._decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        self._started = True
        return self._decoder.decompress(data, limit)


class _Gzip:
    """One or more concatenated gzip members."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(_GZIP_WINDOW)
        self._started = False

    @property
    def wants_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def mid_stream(self) -> bool:
        return self._started and not self._decoder.eof

    def feed(self, data: bytes, limit: int, /) -> bytes:
        if self._decoder.eof:
            data = (self._decoder.unused_data + data).lstrip(b"\0")  # tar and tape pad with zeros
            if not data:
                return b""
            self._decoder = zlib.decompressobj(_GZIP_WINDOW)
        self._started = True
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, limit)


# A context variable, and no argument: between the command that shows progress and a stream lie readers, sources and
# detectors, none of which has to do with it.
_watcher: ContextVar[Callable[[str, int], None] | None] = ContextVar("watcher", default=None)


@contextlib.contextmanager
def watching(watcher: Callable[[str, int], None]) -> Iterator[None]:
    """Call ``watcher(name, uncompressed bytes so far)`` now and then, from every stream that is read meanwhile."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextlib.contextmanager
def opened(path: Path, *, regular_only: bool = False) -> Iterator[ByteStream]:
    """Open what a user named: a file, a pipe, or ``-`` for standard input.

    Args:
        path: The file.
        regular_only: Whether nothing but a regular file will do, as in a run directory, where others may have left
            something else.

    Raises:
        CaptureError: It cannot be opened.
        RecordError: It is no regular file.
    """
    if str(path) == STANDARD_INPUT and not regular_only:
        yield ByteStream(sys.stdin.buffer, "standard input")
        return
    try:
        file = open_regular(path) if regular_only else path.open("rb")
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        yield ByteStream(file, str(path))


class ByteStream:
    """The uncompressed bytes of an open file, read in pieces of bounded size. It never seeks: a pipe will do.

    Args:
        file: Opened for reading bytes.
        name: Its name in errors.

    Raises:
        CaptureError: The file cannot be read.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.truncated = False  # a compressed file ended before its end mark
        self._file = file
        self._head = self._raw(len(_XZ_MAGIC))  # kept and given out again: a pipe cannot be wound back
        self._decoder: _Decoder = _Plain()
        if self._head.startswith(_GZIP_MAGIC):
            self._decoder = _Gzip()
        elif self._head == _XZ_MAGIC:
            self._decoder = _Xz()
        self._ended = False
        self._raw_bytes = 0
        self._given_bytes = 0

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, fewer only where the file ends.

        A compressed file that was cut short gives what could be unpacked; ``truncated`` is then true.

        Raises:
            CaptureError: The compressed data is damaged, or the file cannot be read.
        """
        pieces: list[bytes] = []
        wanted = size
        while wanted > 0 and not self._ended:
            piece = self._next_piece(wanted)
            pieces.append(piece)
            wanted -= len(piece)
        data = b"".join(pieces)
        self._given_bytes += len(data)
        if (watcher := _watcher.get()) is not None:
            watcher(self.name, self._given_bytes)
        return data

    def _next_piece(self, limit: int) -> bytes:
        try:
            raw = self._input(min(limit, _READ_BYTES)) if self._decoder.wants_input else b""
            # The end of the file is not the end of what it holds: a decoder that was bounded may have more to give.
            if not raw and self._decoder.wants_input:
                self._ended = True
                self.truncated = self._decoder.mid_stream
            return self._decoder.feed(raw, limit)
        except (lzma.LZMAError, zlib.error) as error:
            raise CaptureError(
                f"{self.name}: damaged compressed data near byte {self._raw_bytes} of the file: {error}"
            ) from error

    def _input(self, size: int) -> bytes:
        raw, self._head = self._head[:size], self._head[size:]
        raw = raw or self._raw(size)
        self._raw_bytes += len(raw)
        return raw

    def _raw(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise CaptureError(f"{self.name}: cannot be read: {error.strerror or error}") from error
