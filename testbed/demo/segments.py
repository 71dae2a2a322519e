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

__all__ = ["Segments"]

_TCP_HEADER = struct.Struct("!HHIIBB")
_SYN_ACK, _SYN = 0x12, 0x02
_MOST_FLOWS = 4096
_OTHER_WAY = 1024  # ports below are servers': a segment from one goes to a subscriber


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
