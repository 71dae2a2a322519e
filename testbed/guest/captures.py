"""Captures at every capture point, by one process that reads the kernel's packet rings a block at a time.

tcpdump would do, but ten of them cost the guest as much as all its other programs together (a process, a page of ring
and a system call are dear there). The ring is the one that libpcap uses
(TPACKET_V3, Documentation/networking/packet_mmap.rst); the files are classic pcap with nanoseconds.
"""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.guest.on_demand import cutter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from testbed.guest.child import Lifetime
    from testbed.guest.network.node import NamespaceNode
    from testbed.records.certificate import CaptureCounters

__all__ = ["RETIRE_MS", "CapturePoint", "capture"]

_SOL_PACKET, _PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 263, 5, 6, 10
_TPACKET_V3 = 2
_ETH_P_ALL = 0x0003
# 2 MiB for each ring: at 100 Mbit/s a sixth of a second, and a reader that is woken for every block is never so late.
_BLOCK_BYTES, _BLOCKS, _FRAME_BYTES = 1 << 18, 8, 1 << 11
RETIRE_MS = 1000  # a block that is not full is handed over after this
_USER = 1  # TP_STATUS_USER: the block is ours until we give it back
_BLOCK_STATUS_AT, _FIRST_PACKET_AT = 8, 16
_PACKET_HEADER = struct.Struct("=IIIIIIHH")
_PCAP_HEADER = struct.pack("=IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 1)  # nanoseconds, Ethernet
_PCAP_RECORD = struct.Struct("=IIII")


@dataclass(frozen=True, slots=True)
class CapturePoint:
    """Where to capture: the file's name without ending, the node, its interface; and whether headers alone are kept."""

    name: str
    node: NamespaceNode
    interface: str
    headers_only: bool = False


class _Ring:
    """A packet ring on one interface and the file that it is emptied into. Made in the interface's namespace."""

    def __init__(self, point: CapturePoint, path: Path, retire_ms: int) -> None:
        self._cut = cutter() if point.headers_only else None
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        frames = _BLOCK_BYTES // _FRAME_BYTES * _BLOCKS
        request = struct.pack("=7I", _BLOCK_BYTES, _BLOCKS, _FRAME_BYTES, frames, retire_ms, 0, 0)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._memory = mmap.mmap(self.socket.fileno(), _BLOCK_BYTES * _BLOCKS)
        self._next = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._write(_PCAP_HEADER)
        self.captured = 0
        self.socket.bind((point.interface, _ETH_P_ALL))  # last: packets come from here on, and all is ready for them

    def empty(self) -> None:
        """Write out every block that the kernel has handed over."""
        while True:
            start = self._next * _BLOCK_BYTES
            status, packets, first = struct.unpack_from("=III", self._memory, start + _BLOCK_STATUS_AT)
            if not status & _USER:
                return
            self._write_packets(start + first, packets)
            # Only now is the block the kernel's again: given back earlier, it could be overwritten while it is read.
            struct.pack_into("=I", self._memory, start + _BLOCK_STATUS_AT, 0)
            self._next = (self._next + 1) % _BLOCKS

    def _write_packets(self, at: int, packets: int) -> None:
        pieces = []
        for _ in range(packets):
            following, seconds, nanoseconds, kept, length, _, mac, _ = _PACKET_HEADER.unpack_from(self._memory, at)
            frame = self._memory[at + mac : at + mac + kept]
            if self._cut is not None:
                kept = self._cut(frame)
                frame = frame[:kept]
            pieces.append(_PCAP_RECORD.pack(seconds, nanoseconds, kept, length))
            pieces.append(frame)
            at += following
        if pieces:
            self._write(b"".join(pieces))
        self.captured += packets

    def _write(self, data: bytes) -> None:
        written = os.write(self._file, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes of a capture were written; is the disk full?")

    def close(self) -> CaptureCounters:
        """Close the file; return what was ``captured`` and what the kernel ``dropped`` for want of room."""
        statistics = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        dropped: int = struct.unpack_from("=II", statistics)[1]
        os.fsync(self._file)
        os.close(self._file)
        return {"captured": self.captured, "dropped": dropped}


def capture(
    folder: Path, points: list[CapturePoint], *, retire_ms: int = RETIRE_MS
) -> Callable[[Lifetime], dict[str, CaptureCounters]]:
    """Return the body of a child that captures until it is to end, and once more when the last blocks have come.

    It is ready when all rings are there. Its report has the counters of each capture, by the capture's name. It raises
    OSError if the kernel refuses a ring, or a file cannot be written.

    Args:
        folder: Where the files go.
        points: What to capture.
        retire_ms: After how long the kernel hands over a block that is not full. Each time it looks, a machine that
            idles for months wakes up.
    """

    def work(lifetime: Lifetime) -> dict[str, CaptureCounters]:
        rings: dict[str, _Ring] = {}
        for point in points:
            with point.node.namespace.entered():
                rings[point.name] = _Ring(point, folder / f"{point.name}.pcap", retire_ms)
        by_descriptor = {ring.socket.fileno(): ring for ring in rings.values()}
        poll = select.poll()
        for descriptor in (lifetime.fileno(), *by_descriptor):
            poll.register(descriptor, select.POLLIN)
        lifetime.ready()
        stopping = False
        while not stopping:
            for descriptor, events in poll.poll():
                if descriptor == lifetime.fileno():
                    stopping = True
                    continue
                ring = by_descriptor[descriptor]
                if events & select.POLLERR:  # its link went down: until that is read, poll would say it for ever
                    ring.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                ring.empty()
        time.sleep(2 * retire_ms / 1000)  # by then the kernel has handed over even a block that is not full
        for ring in rings.values():
            ring.empty()
        return {name: ring.close() for name, ring in rings.items()}

    return work
