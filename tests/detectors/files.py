"""Captures, measurements and run directories as files, small enough to be read in a test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from testbed.records.transfers import summarise_transfers
from tests.capture.frames import (
    ACK,
    CLIENT,
    FIN,
    SERVER,
    START_US,
    SYN,
    Stamped,
    client_hello,
    options,
    pcap,
    tcp,
)

if TYPE_CHECKING:
    from pathlib import Path


RTT_US = 100_000


def connection(
    *,
    at_server: bool,
    name: str = "abs.twimg.com",
    port: int = 40000,
    start_us: int = 0,
    end: int = FIN,
    up: bool = False,
) -> list[Stamped]:
    """Return a fetch of ten packets, as a capture at one end sees it."""
    client, mss = (CLIENT[0], port), options(mss=1460)
    half = RTT_US // 2
    sender, receiver = (client, SERVER) if up else (SERVER, client)
    base, other = (600, 2) if up else (1, 600)

    def at(time_us: int, frame: bytes, *, from_server: bool) -> Stamped:
        shift = (0 if from_server else half) if at_server else (half if from_server else 0)
        return Stamped(START_US + start_us + time_us + shift, frame)

    hello = client_hello(name).ljust(599, b"\0")
    isn = port * 7919  # initial numbers differ between connections
    packets = [
        at(0, tcp(client, SERVER, seq=isn, flags=SYN, tcp_options=mss), from_server=False),
        at(half, tcp(SERVER, client, seq=isn, ack=isn + 1, flags=SYN | ACK, tcp_options=mss), from_server=True),
        at(RTT_US, tcp(client, SERVER, seq=isn + 1, ack=isn + 1), from_server=False),
        at(RTT_US + 1, tcp(client, SERVER, seq=isn + 1, ack=isn + 1, payload=hello), from_server=False),
    ]
    base, other = isn + base, isn + other
    for number in range(10):
        sent = RTT_US * 2 + number * 1000
        payload = tcp(sender, receiver, seq=base + number * 1000, ack=other, payload=bytes(1000))
        packets.append(at(sent, payload, from_server=not up))
        answer = tcp(receiver, sender, seq=other, ack=base + (number + 1) * 1000)
        packets.append(at(sent + half, answer, from_server=up))
    closing = tcp(sender, receiver, seq=base + 10_000, ack=other, flags=ACK | end)
    packets.append(at(RTT_US * 4, closing, from_server=not up))
    return sorted(packets, key=lambda packet: packet.t_us)


def write(path: Path, packets: list[Stamped]) -> Path:
    path.write_bytes(pcap(packets, link_type=101))
    return path


def ooni(**keys: Any) -> dict[str, Any]:
    return {"input": "https://twitter.com/", "measurement_start_time": "2022-02-27 00:00:00", "test_keys": keys}


def event(operation: str, t: float, *, t0: float = 0.0, size: int = 0, failure: str | None = None) -> dict[str, Any]:
    return {
        "operation": operation,
        "t0": t0,
        "t": t,
        "num_bytes": size,
        "failure": failure,
        "transaction_id": 1,
        "address": "104.244.42.65:443",
        "proto": "tcp",
        "tags": [],
    }


def ndt7() -> dict[str, Any]:
    def kernel(second: int) -> dict[str, Any]:
        names = ("BusyTime", "RWndLimited", "SndBufLimited", "ElapsedTime")
        times = dict.fromkeys(names, second * 1_000_000)
        counts = {
            "BytesSent": second * 1000,
            "BytesRetrans": 10,
            "BytesAcked": second * 990,
            "BytesReceived": 7 * second,
        }
        return {"TCPInfo": {**times, **counts, "RTT": 30_000, "MinRTT": 20_000, "DeliveryRate": 1000}}

    return {
        "Download": {
            "ServerMeasurements": [kernel(second) for second in (1, 2, 3)],
            "ClientMeasurements": [{"AppInfo": {"ElapsedTime": 1_500_000, "NumBytes": 900}}, {"AppInfo": None}],
        },
        "Upload": {"ServerMeasurements": [kernel(second) for second in (1, 2)], "ClientMeasurements": None},
    }


def run_directory(path: Path) -> Path:
    """Write a run of one line: a throttled and a free fetch of one server, and a control elsewhere that failed."""
    (path / "captures").mkdir(parents=True)
    asked = [
        ("mobile/01-kremlin.ru", "kremlin.ru", "control"),
        ("mobile/02-example.com", "example.com", "control"),
        ("mobile/03-abs.twimg.com", "abs.twimg.com", "target"),
    ]
    transfers = [
        {
            "id": i,
            "name": n,
            "kind": "fetch",
            "sni": n,
            "direction": "download",
            "line": "mobile",
            "role": r,
            "size": 10000,
        }
        for i, n, r in asked
    ]
    plan: Any = {"phases": [{"lines": [{"transfers": transfers}]}]}
    (path / "plan.json").write_text(json.dumps(plan))
    records: list[Any] = []
    for place, (name, _, _) in enumerate(asked):
        base = {"transfer": name, "side": "client"}
        remote = ["203.0.113.2" if place == 0 else SERVER[0], 443]
        start = 10.0 * place
        records.append(base | {"t": start, "event": "started", "remote": remote})
        if place == 0:
            records.append(base | {"t": start + 5, "event": "finished", "ok": False, "error": "timed out"})
            continue
        local = [CLIENT[0], 40000 + place]
        records.append(base | {"t": start + 0.1, "event": "connected", "local": local, "remote": remote})
        records.append(base | {"t": start + 0.3, "event": "handshake"})
        times = [start + 0.5, start + 0.6, start + (0.7 if place == 1 else 9)]
        records.append(base | {"t": start + 0.5, "event": "bytes", "times": times, "totals": [4000, 8000, 10000]})
        records.append(base | {"t": times[-1], "event": "finished", "ok": True, "error": None})
    (path / "measurements.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    packets = [
        packet
        for place, (_, name, _) in enumerate(asked[1:], start=1)
        for packet in connection(at_server=True, name=name, port=40000 + place, start_us=10_000_000 * place)
    ]
    write(path / "captures" / "origin-server.pcap", packets)
    write(path / "captures" / "mobile-tspu-inside.pcap", packets[:5])
    (path / "truth.jsonl").write_text("")
    write_manifest(path, transfers=summarise_transfers(plan, records, []))
    return path


def write_manifest(path: Path, **changes: Any) -> None:
    """A manifest of a complete and valid run, or another."""
    manifest = {"format": 1, "state": "complete", "valid": True, "problems": [], "certificate": {"captures": {}}}
    (path / "manifest.json").write_text(json.dumps(manifest | changes))


def measurement(name: str = "https://twitter.com/", *, version: str = "0.5", **keys: Any) -> dict[str, Any]:
    return {**ooni(**keys), "input": name, "test_version": version}


def handshake(t0: float, t: float, *, failure: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"server_name": "twitter.com", "t0": t0, "t": t, "failure": failure, "address": "192.0.2.1:443", **fields}
