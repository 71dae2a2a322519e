"""Files of measurements as text: plain or compressed, with whatever marks their encoding. And names for files."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from testbed.errors import InputError
from testbed.records.byte_stream import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["COMPRESSED_SUFFIXES", "distinct_names", "read_text"]

COMPRESSED_SUFFIXES: Final = (".gz", ".xz")
_MOST_BYTES: Final = 1 << 30
# UTF-32 before UTF-16: the mark of the one begins with that of the other
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_text(path: Path) -> str:
    """Return the text of a file: UTF-8, or what its byte-order mark says; plain, gzip or xz.

    Raises:
        InputError: It cannot be read, is no text, or is larger than a gigabyte.
    """
    with opened(path) as stream:
        data = stream.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InputError(f"{path}: more than {_MOST_BYTES} bytes; split it")
    if stream.truncated:
        raise InputError(f"{path}: the compressed file was cut short; fetch it again")
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} line {line}: cannot be read as {encoding}: {error.reason}; convert it with iconv"
        ) from error


def distinct_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a name for each path: its last part, or as many as tell it from the others."""
    names = {}
    for path in paths:
        parts = path.parts
        others = [other.parts for other in paths if other != path]
        for count in range(1, len(parts) + 1):
            if all(other[-count:] != parts[-count:] for other in others):
                break
        names[path] = "/".join(parts[-count:]) if count < len(parts) else str(path)
    return names
