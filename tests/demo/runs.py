"""Records of runs, made by hand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.records.plan import PlanDocument

START_NS = 1_615_539_600_000_000_000
ETHERNET = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\x00"


def demo_plan(*settings: str) -> PlanDocument:
    path = library.find("scenarios", "classroom/two-phones")
    return make_plan(path, list(settings), seed=None, engine="realtime", command=None).data


def tcp_frame(*, source_port: int, port: int, seq: int, flags: int, payload: int) -> bytes:
    """An Ethernet frame with a TCP segment from 198.51.100.6 to 100.64.0.1."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + payload, 1, 0, 64, 6, 0, b"\xc6\x33\x64\x06", b"\x64\x40\0\x01")
    tcp = struct.pack("!HHIIBBHHH", source_port, port, seq, 0, 5 << 4, flags, 1000, 0, 0)
    return ETHERNET + ip + tcp + bytes(payload)


def pcap(*frames: tuple[float, bytes]) -> bytes:
    """A capture with nanoseconds, as the guest's recorder writes it; times are seconds since the start."""
    written = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)]
    for t, data in frames:
        seconds, rest = divmod(START_NS + round(t * 1e9), 1_000_000_000)
        written.append(struct.pack("<IIII", seconds, rest, len(data), len(data)) + data)
    return b"".join(written)
