"""Read a capture file as a stream of bytes, compressed (gzip, xz) or not. Knows nothing of what the bytes mean."""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from testbed.errors import CaptureError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["ByteStream"]

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\x00"
_READ_BYTES = 1 << 18
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class _Decoder(Protocol):
    def feed(self, data: bytes, limit: int) -> bytes: ...

    @property
    def wants_input(self) -> bool: ...

    @property
    def mid_stream(self) -> bool: ...


class _Plain:
    """Passes bytes through."""

    wants_input = True
    mid_stream = False

    def feed(self, data: bytes, limit: int) -> bytes:  # noqa: ARG002  same shape as the other decoders
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

    def feed(self, data: bytes, limit: int) -> bytes:
        if self._decoder.eof:
            data = (self._decoder.unused_data + data).lstrip(b"\0")  # stream padding
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

    def feed(self, data: bytes, limit: int) -> bytes:
        if self._decoder.eof:
            data = (self._decoder.unused_data + data).lstrip(b"\0")
            if not data:
                return b""
            self._decoder = zlib.decompressobj(_GZIP_WINDOW)
        self._started = True
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, limit)


class ByteStream:
    """A capture file's uncompressed bytes, read in pieces of bounded size.

    Args:
        path: The file. Compression is recognised by its first bytes, not by its name.

    Raises:
        CaptureError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file: BinaryIO = path.open("rb")
            head = self._file.read(len(_XZ_MAGIC))
            self._file.seek(0)
        except OSError as error:
            raise CaptureError(f"{path}: cannot be read: {error.strerror or error}") from error
        self._decoder: _Decoder = _Plain()
        if head.startswith(_GZIP_MAGIC):
            self._decoder = _Gzip()
        elif head == _XZ_MAGIC:
            self._decoder = _Xz()
        self._ended = False
        self.truncated = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

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
        return b"".join(pieces)

    def _next_piece(self, limit: int) -> bytes:
        try:
            raw = self._file.read(min(limit, _READ_BYTES)) if self._decoder.wants_input else b""
            if not raw and self._decoder.wants_input:
                self._ended = True
                self.truncated = self._decoder.mid_stream
            return self._decoder.feed(raw, limit)
        except (lzma.LZMAError, zlib.error) as error:
            raise CaptureError(
                f"{self._path}: damaged compressed data near byte {self._file.tell()} of the file: {error}"
            ) from error
        except OSError as error:
            raise CaptureError(f"{self._path}: cannot be read: {error.strerror or error}") from error
