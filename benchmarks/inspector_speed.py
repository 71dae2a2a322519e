"""Packets a second from a capture: our inspector, and its SNI extraction alone, beside scapy's TLS layer.

The capture is that of a box on the first day: every packet on its outside port. All three read the same packets in the
same process, one after the other, three times; medians are compared.

    python benchmarks/inspector_speed.py
"""

# ruff: noqa: PLC0415  scapy warns while it loads; main() has that switched off by then

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.middlebox.inspector import Inspector
from testbed.middlebox.packet import Direction, Packet
from testbed.middlebox.recognise import Hello
from testbed.middlebox.recognise import tls as tls_recogniser
from testbed.records.capture_file import datagram, read_frames
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
SCAPY_PACKETS = 3000
HTTPS = 443


def capture_packets(folder: Path) -> list[tuple[int, bytes, Direction]]:
    """Time, datagram and direction of every packet at a box's outside port."""
    plan = make_plan(
        library.find("scenarios", "2021-03-10"),
        ["lines=[{name: mobile, kind: mobile, tspu: true}]", "captures=[box]", "recordings=[]",
         "measurements=[{fetch: twitter.com, role: target}, {fetch: example.com, role: control}]"],
        seed=1, engine="virtual", command=None,
    )  # fmt: skip
    run_plan(plan, kernel_info(), folder, silence_s=300, progress=lambda _: None)
    subscriber = bytes(map(int, plan.topology.address_of("mobile").split(".")))
    packets = []
    with (folder / "captures" / "mobile-tspu-outside.pcapng").open("rb") as file:
        for frame in read_frames(file):
            data = datagram(frame)
            if data is not None:
                packets.append((frame.t_ns, data, Direction.UP if data[12:16] == subscriber else Direction.DOWN))
    return packets


PROFILE = load_profile("ru-tw-2021a").profile


def inspect_all(packets: list[tuple[int, bytes, Direction]]) -> int:
    """Everything a box does, from bytes to events."""
    inspector = Inspector(PROFILE, seed=1)
    return sum(len(inspector.inspect(Packet.parse(data, way), t_ns)) for t_ns, data, way in packets)


def names_by_us(packets: list[tuple[int, bytes, Direction]]) -> list[str]:
    """Server names, by our recogniser."""
    names = []
    for _, data, way in packets:
        packet = Packet.parse(data, way)
        if packet.payload:
            result = tls_recogniser.recognise(packet.payload)
            if isinstance(result, Hello) and result.name:
                names.append(result.name)
    return names


def names_by_scapy(packets: list[tuple[int, bytes, Direction]]) -> list[str]:
    """Server names, by scapy's TLS layer."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.tls.extensions import TLS_Ext_ServerName
    from scapy.layers.tls.handshake import TLSClientHello
    from scapy.layers.tls.record import TLS

    names = []
    for _, data, _ in packets:
        packet = IP(data)
        payload = bytes(packet[TCP].payload) if TCP in packet else b""
        if not payload:
            continue
        hello = TLS(payload).getlayer(TLSClientHello)  # type: ignore[no-untyped-call]  # scapy's
        for extension in (hello.ext or []) if hello else []:
            if isinstance(extension, TLS_Ext_ServerName):
                names += [each.servername.decode() for each in extension.servernames]
    return names


def rate(
    packets: list[tuple[int, bytes, Direction]], body: Callable[[list[tuple[int, bytes, Direction]]], object]
) -> float:
    """Median packets a second."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        body(packets)
        times.append(time.perf_counter() - began)
    return len(packets) / statistics.median(times)


def main() -> None:
    """Run and print."""
    warnings.simplefilter("ignore")
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as name:
        packets = capture_packets(Path(name) / "run")[:SCAPY_PACKETS]
    ours, theirs = names_by_us(packets), names_by_scapy(packets)
    if ours != theirs:
        sys.exit(f"the names differ: {ours} and {theirs}")
    scapy = rate(packets, names_by_scapy)
    print(f"{len(packets)} packets, {len(ours)} names, the same by both\n")
    print("| | packets a second | beside scapy |\n|---|---|---|")
    for what, body in (("inspector, all of it", inspect_all), ("names alone", names_by_us)):
        found = rate(packets, body)
        print(f"| {what} | {found:,.0f} | {found / scapy:.0f} × |")
    print(f"| scapy's TLS layer, names alone | {scapy:,.0f} | 1 × |")


if __name__ == "__main__":
    main()
