"""Writes classic pcap, microseconds, for programs that read no pcapng. Ethernet alone."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from testbed.records.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from testbed.records.capture_file import Frame

__all__ = ["write_pcap"]

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html: magic, version, snap length, link type
_HEAD = struct.Struct("<IHHiIII").pack(0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
_RECORD = struct.Struct("<IIII")
_NS_PER_S, _NS_PER_US = 1_000_000_000, 1_000


def write_pcap(path: Path, frames: Iterable[Frame]) -> int:
    """Write a capture; what is finer than a microsecond is cut off.

    Args:
        path: The file, replaced as a whole when it is complete.
        frames: Ethernet frames in order.

    Returns:
        How many frames were written.

    Raises:
        OSError: The file cannot be written.
    """
    count = 0
    with replacing(path) as file:
        file.write(_HEAD)
        for frame in frames:
            seconds, ns = divmod(frame.t_ns, _NS_PER_S)
            size = len(frame.data)
            file.write(_RECORD.pack(seconds, ns // _NS_PER_US, size, frame.length or size) + frame.data)
            count += 1
    return count
