"""Read one generated capture with this package, with dpkt and with scapy, and measure memory against file size.

Usage: python benchmarks/capture_speed.py [--megabytes 100] [--scapy-packets 20000]
Each reader finds the TCP header, sequence number, flags, payload length and SACK blocks of every packet. scapy is timed
on the first packets only, and its time scaled to all: it would take minutes.
"""

# ruff: noqa: PLC0415  a reader is loaded in the process that measures it, so that its memory is its own

from __future__ import annotations

import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FULL, SMALL = 1448, 0
MEGABYTE = 10**6


def generate(path: Path, size_bytes: int) -> int:
    """Write a download of full packets with timestamps, an ACK with a SACK block for every second; return packets."""
    count = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        while file.tell() < size_bytes:
            for payload in (FULL, FULL, SMALL):
                file.write(_record(count, payload))
                count += 1
    return count


def _record(number: int, payload: int) -> bytes:
    options = b"\x01\x01\x08\x0a" + bytes(8) + (b"" if payload else b"\x01\x01\x05\x0a" + struct.pack("!II", 1, 9))
    words = 5 + len(options) // 4
    client, server = (0x0A000001, 40000), (0xC0000201, 443)
    src, dst = (server, client) if payload else (client, server)
    seq = (number * FULL) & 0xFFFFFFFF
    tcp = struct.pack("!HHIIHHHH", src[1], dst[1], seq, seq, (words << 12) | 0x10, 65535, 0, 0) + options
    total = 20 + len(tcp) + payload
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, total, number & 0xFFFF, 0, 64, 6, 0, src[0], dst[0])
    frame = bytes(12) + b"\x08\x00" + ip + tcp + bytes(payload)
    return struct.pack("<IIII", 1615360000 + number // 10**6, number % 10**6, len(frame), len(frame)) + frame


def read_here(path: Path, _limit: int) -> int:
    """Read with this package, into flows."""
    from testbed.capture import read_capture

    return sum(len(flow) for flow in read_capture(path).flows)


def stream_here(path: Path, _limit: int) -> int:
    """Read with this package, a chunk at a time."""
    from testbed.capture import iter_packets

    return sum(len(part) for part in iter_packets(path))


def read_dpkt(path: Path, _limit: int) -> int:
    """Read with dpkt."""
    import dpkt

    count = 0
    with path.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            segment = dpkt.ethernet.Ethernet(frame).data.data
            sacks = [body for kind, body in dpkt.tcp.parse_opts(segment.opts) if kind == dpkt.tcp.TCP_OPT_SACK]
            count += bool((segment.seq, segment.flags, len(segment.data), sacks))
    return count


def read_scapy(path: Path, limit: int) -> int:
    """Read the first packets with scapy."""
    from scapy.layers.inet import TCP
    from scapy.layers.l2 import Ether  # noqa: F401 - registers the link type
    from scapy.utils import PcapReader

    count = 0
    with PcapReader(str(path)) as reader:
        for packet in reader:
            segment = packet[TCP]
            sacks = [body for name, body in segment.options if name == "SAck"]
            count += bool((segment.seq, segment.flags, len(segment.payload), sacks))
            if count >= limit:
                break
    return count


READERS: dict[str, Callable[[Path, int], int]] = {
    "testbed.capture, flows": read_here,
    "testbed.capture, chunks": stream_here,
    "dpkt": read_dpkt,
    "scapy": read_scapy,
}


def measure(reader: str, path: Path, limit: int) -> dict[str, Any]:
    """Run one reader in a process of its own; return packets, seconds and peak memory above that of the imports."""
    arguments = [sys.executable, __file__, "--child", reader, "--path", str(path), "--scapy-packets", str(limit)]
    done = subprocess.run(arguments, capture_output=True, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def child(reader: str, path: Path, limit: int) -> None:
    """Measure in this process."""
    read = READERS[reader]
    small = path.with_suffix(".warm")
    read(small, limit)  # imports and first-call costs are not what is compared
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    packets = read(path, limit)
    seconds = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"packets": packets, "seconds": seconds, "grown_kb": grown}))


def main() -> None:
    """Generate, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--scapy-packets", type=int, default=20_000)
    parser.add_argument("--child")
    parser.add_argument("--path", type=Path)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.path, arguments.scapy_packets)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generated.pcap"
        generate(path.with_suffix(".warm"), MEGABYTE)
        for megabytes in (arguments.megabytes, arguments.megabytes * 4):
            packets = generate(path, megabytes * MEGABYTE)
            print(f"{megabytes} MB, {packets} packets")
            ours = None
            for reader in READERS if megabytes == arguments.megabytes else list(READERS)[:2]:
                found = measure(reader, path, arguments.scapy_packets)
                seconds = found["seconds"] * packets / found["packets"]
                ours = ours or seconds
                rate = megabytes / seconds
                memory = f"{found['grown_kb'] / 1000:.0f} MB"
                print(f"  {reader:24} {seconds:7.2f} s {rate:7.0f} MB/s  {seconds / ours:6.1f} x   memory +{memory}")


if __name__ == "__main__":
    main()
