"""Writes pcapng: one interface, nanoseconds, the TLS secrets in front, comments on packets.

Source: draft-ietf-opsawg-pcapng; the Decryption Secrets Block makes Wireshark decrypt without further ado.
"""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, BinaryIO, cast

from testbed.records.files import packing, replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from testbed.records.capture_file import Frame

__all__ = ["write_pcapng"]

_SECTION, _INTERFACE, _ENHANCED_PACKET, _SECRETS = 0x0A0D0D0A, 1, 6, 10
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_TLS_KEY_LOG = 0x544C534B
_OPT_COMMENT, _IF_NAME, _IF_TSRESOL, _SHB_USERAPPL = 1, 2, 9, 4
_NANOSECONDS = 9
_ETHERNET = 1
_BLOCK = struct.Struct("=II")
_PACKET = struct.Struct("=IIIIIII")
_LENGTH = struct.Struct("=I")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


def write_pcapng(
    path: Path, frames: Iterable[Frame], *, interface: str, secrets: bytes, comments: dict[int, str]
) -> int:
    """Write a capture.

    Args:
        path: Name of the file, which is compressed if it ends in ``.gz``; replaced as a whole when it is complete.
        frames: Ethernet frames in order.
        interface: Name of the capture point.
        secrets: Lines of an NSS key log; empty for none.
        comments: By frame number, counted from 1.

    Returns:
        How many frames were written.

    Raises:
        OSError: The file cannot be written.
    """
    count = 0
    with replacing(path) as plain, _packed(plain, path) as file:
        _write_head(file, interface, secrets)
        for frame in frames:
            file.write(_packet_block(frame, comments.get(frame.number)))
            count += 1
    return count


def _packed(file: BinaryIO, path: Path) -> contextlib.AbstractContextManager[BinaryIO]:
    """Compress what is written to a file whose name says so."""
    if path.suffix != ".gz":
        return contextlib.nullcontext(file)
    return cast("contextlib.AbstractContextManager[BinaryIO]", packing(file))


def _write_head(file: BinaryIO, interface: str, secrets: bytes) -> None:
    section = struct.pack("=IHHq", _BYTE_ORDER_MAGIC, 1, 0, -1) + _option(_SHB_USERAPPL, b"throttling-testbed") + _END
    file.write(_block(_SECTION, section))
    description = (
        struct.pack("=HHI", _ETHERNET, 0, 0)
        + _option(_IF_NAME, interface.encode())
        + _option(_IF_TSRESOL, bytes([_NANOSECONDS]))  # microseconds where nothing is said: the last digits would go
        + _END
    )
    file.write(_block(_INTERFACE, description))
    # Before the first packet, or a reader that goes through the file once would meet ciphertext without its key.
    if secrets:
        file.write(_block(_SECRETS, struct.pack("=II", _TLS_KEY_LOG, len(secrets)) + _padded(secrets)))


_END = bytes(4)


def _padded(data: bytes) -> bytes:
    return data + _PADDING[len(data) % 4]


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return _BLOCK.pack(kind, length) + body + _LENGTH.pack(length)


def _packet_block(frame: Frame, comment: str | None) -> bytes:
    size = len(frame.data)
    options = b"" if comment is None else _option(_OPT_COMMENT, comment.encode()) + _END
    # A block says its length at both ends, so that readers can walk backwards.
    length = 32 + size + len(_PADDING[size % 4]) + len(options)
    head = _PACKET.pack(
        _ENHANCED_PACKET, length, 0, frame.t_ns >> 32, frame.t_ns & 0xFFFFFFFF, size, frame.length or size
    )
    return b"".join((head, frame.data, _PADDING[size % 4], options, _LENGTH.pack(length)))
