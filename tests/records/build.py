"""Run directories made by hand, for tests of what reads them. Records are `Any`: some are wrong on purpose."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testbed.records.capture_file import Frame
from testbed.records.follow import Follower
from testbed.records.pcapng import write_pcapng
from testbed.records.run import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.jsonl import LineWriter

SUBSCRIBER, ORIGIN = "100.64.0.1", "198.51.100.6"
PORT = 20_000
FREE: dict[str, Any] = {"throttled": False, "action": None, "rule": None, "drops": 0, "influences": []}
START_NS = 1_615_366_800_000_000_000
BOX = "mobile-tspu"
INFLUENCE: Any = {
    "who": "censor", "where": BOX, "what": "token_bucket", "effect": "slows", "on": "everything", "rule": "twimg.com",
    "from_s": 1.3, "until_s": 5.0, "time_share": 0.925, "only_handshake": False, "packets": 1,
}  # fmt: skip


def transfer(**changes: Any) -> Any:
    """What a run's manifest says of a throttled download replay of 2 kB in 4 s."""
    return {
        "id": "mobile/01-image-download-original", "name": "replay image, download, original", "line": "mobile",
        "sni": "abs.twimg.com", "direction": "download", "role": "target", "kind": "replay", "ok": True, "bytes": 2000,
        "start_s": 1.0, "end_s": 5.0, "duration_s": 4.0, "goodput_bps": 4000.0, "handshake_s": None, "throttled": True,
        "action": "token_bucket", "rule": "twimg.com", "drops": 1, "hello": None,
        "error": None, "influences": [INFLUENCE],
    } | changes  # fmt: skip


def client(event: str, t: float, **fields: Any) -> Any:
    """A line of measurements.jsonl."""
    return {"t": t, "transfer": transfer()["id"], "side": "client", "event": event} | fields


def box(event: str, t: float, **fields: Any) -> Any:
    """A line of truth.jsonl."""
    return {"t": t, "wall": "", "box": BOX, "flow": 1, "community_id": "1:x", "event": event} | fields


def opened(t: float, **fields: Any) -> Any:
    """A flow that the box saw opening."""
    ends = {"inside": SUBSCRIBER, "inside_port": PORT, "outside": ORIGIN, "outside_port": 443}
    return box("flow_opened", t, protocol="tcp", **ends) | fields


def dropped(t: float, *, seq: int, ip_id: int, length: int = 1040, **fields: Any) -> Any:
    """A packet on its way down that the box dropped."""
    return (
        box("packet_dropped", t, direction="down", seq=seq, ip_id=ip_id, length=length, reason="token_bucket") | fields
    )


MEASUREMENTS = [
    client("started", 1.0),
    client("connected", 1.2, local=[SUBSCRIBER, PORT], remote=[ORIGIN, 443]),
    client("bytes", 2.0, times=[2.0, 4.8, 5.0], totals=[500, 1500, 2000]),
    client("finished", 5.0, ok=True, error=None),
]
TRUTH = [
    opened(1.1),
    box("rule_matched", 1.3, rule="twimg.com"),
    box("throttling_started", 1.3, meter="token_bucket", effect="slows"),
    dropped(2.5, seq=1500, ip_id=7),
]


CHECKS = [
    {"check": "network", "state": "passed", "about": "network as planned"},
    {"check": "drops", "state": "passed", "about": "log and captures agree on all 1 drops"},
    {"check": "clock", "state": "not checked", "about": "the clock was not checked"},
]


def manifest(**changes: Any) -> Any:
    """A manifest of a valid run."""
    return {
        "format": 1, "state": "complete", "scenario": "made-by-hand", "title": "Made by hand", "seed": 7,
        "engine": "virtual", "start_ns": START_NS, "kernel": {"hash": "0123456789abcdef", "source": "linux"},
        "valid": True, "problems": [], "checks": CHECKS, "emulated_s": 290.4, "wall_s": 5.8, "transfers": [transfer()],
        "certificate": {
            "boxes": {BOX: {"queue_dropped": 0, "user_dropped": 0}},
            "network": {"interfaces": 70, "netem": 60, "rates": 6, "congestion_control": 6},
            "captures": {f"{BOX}-inside": {"captured": 10, "dropped": 0}},
            "agreement": {BOX: {"dropped": 1, "logged": 1, "only_captures": 0, "only_log": 0, "unexplained": 0}},
        },
    } | changes  # fmt: skip


def write_run(
    folder: Path,
    *,
    measurements: Iterable[Any] = MEASUREMENTS,
    truth: Iterable[Any] = TRUTH,
    **changes: Any,
) -> RunDirectory:
    """A run directory with these records."""
    run = RunDirectory.create(folder)
    run.write_manifest(manifest(**changes))
    (folder / "plan.json").write_text(
        json.dumps({"rtt_s": {"mobile": {"university": 0.19}}, "replay_server": "university"})
    )
    for name, records in (("measurements", measurements), ("truth", truth)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    return run


def frame(number: int, t_s: float, *, down: bool, seq: int, ip_id: int, payload_bytes: int = 1000) -> Frame:
    """A TCP segment of the flow, in Ethernet."""
    ends = [(SUBSCRIBER, PORT), (ORIGIN, 443)]
    (source, source_port), (destination, destination_port) = ends[::-1] if down else ends
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 40 + payload_bytes, ip_id, 0, 64, 6, 0,
        bytes(map(int, source.split("."))), bytes(map(int, destination.split("."))),
    )  # fmt: skip
    segment = struct.pack("!HHIIBBHHH", source_port, destination_port, seq, 0, 0x50, 0x10, 65535, 0, 0)
    data = bytes(12) + b"\x08\x00" + header + segment + bytes(payload_bytes)
    return Frame(number, START_NS + round(t_s * 1e9), 1, data)


def write_capture(path: Path, frames: Iterable[Frame]) -> Path:
    """A capture of these frames."""
    write_pcapng(path, frames, interface=path.stem, secrets=b"", comments={})
    return path


def pcap_bytes(frames: Iterable[Frame]) -> bytes:
    """A classic pcap file of nanoseconds, as the guest's recorder writes it."""
    written = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 1)]
    for each in frames:
        seconds, rest = divmod(each.t_ns, 10**9)
        length = each.length or len(each.data)
        written.append(struct.pack("<IIII", seconds, rest, len(each.data), length) + each.data)
    return b"".join(written)


class Appearing(Follower):
    """A file in memory that grows."""

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path or Path("appearing"))
        self._new: list[bytes] = []

    def append(self, data: bytes) -> None:
        self._new += [data] if data else []

    def piece(self) -> bytes:
        return self._new.pop(0) if self._new else b""


def write_all(writer: LineWriter, records: Iterable[Any]) -> None:
    """Append records and close."""
    for record in records:
        writer.write(record)
    writer.close()
