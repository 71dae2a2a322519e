"""Data segments on their way to subscribers, out of a capture that may still grow.

Not for: analysis of finished runs, which `testbed.report.series` does with numpy.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from testbed.demo.feed import flow_name
from testbed.errors import CaptureError
from testbed.records.capture_file import Frame, datagram
from testbed.records.ip_header import TCP, address_text, read_ip_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.demo.feed import PageRecord

__all__ = ["GrowingPcap", "Segments"]

_FILE_HEADER = struct.Struct("<IHHiIII")
_RECORD_HEADER = struct.Struct("<IIII")
_MAGIC_NS = 0xA1B23C4D
_LARGEST_FRAME = 1 << 18
_TCP_HEADER = struct.Struct("!HHIIBB")
_SYN_ACK, _SYN = 0x12, 0x02
_MOST_FLOWS = 4096
_OTHER_WAY = 1024  # ports below are servers': a segment from one goes to a subscriber


class GrowingPcap:
    """Takes the bytes of a pcap file as they come and gives whole frames.

    The testbed's own recorder writes little-endian files; anything else ends the reading, which `is_readable` tells.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._link_type: int | None = None
        self._unit_ns = 1000
        self._number = 0
        self.is_readable = True

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete by now."""
        self._rest += data
        at = 0
        if self._link_type is None:
            if len(self._rest) < _FILE_HEADER.size:
                return
            magic, *_, self._link_type = _FILE_HEADER.unpack_from(self._rest)
            self._unit_ns = 1 if magic == _MAGIC_NS else 1000
            self.is_readable = magic in {_MAGIC_NS, 0xA1B2C3D4}
            at = _FILE_HEADER.size
        while self.is_readable and len(self._rest) >= at + _RECORD_HEADER.size:
            seconds, fraction, kept, length = _RECORD_HEADER.unpack_from(self._rest, at)
            self.is_readable = kept <= _LARGEST_FRAME
            end = at + _RECORD_HEADER.size + kept
            if not self.is_readable or end > len(self._rest):
                break
            self._number += 1
            t_ns = seconds * 1_000_000_000 + fraction * self._unit_ns
            yield Frame(self._number, t_ns, self._link_type, self._rest[at + _RECORD_HEADER.size : end], length)
            at = end
        self._rest = self._rest[at:] if self.is_readable else b""


class Segments:
    """Finds the data segments that go to subscribers, and where in its transfer each begins."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._bases: dict[str, int] = {}

    def base(self, flow: str) -> int | None:
        """Return the sequence number of a flow's first payload byte; None before its SYN/ACK has been seen."""
        return self._bases.get(flow)

    def read(self, frame: Frame) -> Iterator[PageRecord]:
        """Yield the segment in a frame, if it is one of a flow whose beginning was seen."""
        try:
            packet = datagram(frame)
        except CaptureError:
            return  # of a link type that our recorder does not write
        header = None if packet is None else read_ip_header(packet)
        if packet is None or header is None or header.protocol != TCP or header.is_later_fragment:
            return
        if len(packet) < header.body + _TCP_HEADER.size:
            return
        source_port, port, seq, _, offset, flags = _TCP_HEADER.unpack_from(packet, header.body)
        if source_port >= _OTHER_WAY:
            return
        flow = flow_name(address_text(header.destination), port)
        if flags & _SYN_ACK == _SYN_ACK and len(self._bases) < _MOST_FLOWS:
            self._bases[flow] = (seq + 1) & 0xFFFFFFFF
        # by the header: a capture may have cut the packet
        length = header.length - header.body - (offset >> 4) * 4
        if length > 0 and not flags & _SYN and flow in self._bases:
            t = round((frame.t_ns - self._start_ns) / 1e9, 4)
            yield ["p", t, flow, (seq - self._bases[flow]) & 0xFFFFFFFF, length]
