"""Records of runs, made by hand."""

from __future__ import annotations

import json
import struct
import sys
from typing import TYPE_CHECKING

from testbed.demo.session import Session
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from pathlib import Path

    from testbed.records.plan import PlanDocument

START_NS = 1_615_539_600_000_000_000
# Writes what `testbed run` would, and ends when it is told to.
PROGRAM = """
import json, pathlib, sys
if sys.argv[1] == "detect":
    sys.exit()
run = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
(run / ".guest/output").mkdir(parents=True)
(run / "plan.json").write_text(pathlib.Path(__file__).with_name("the-plan.json").read_text())
output = run / ".guest/output"
(output / "measurements.jsonl").write_text(json.dumps(
    {"t": 1, "transfer": "phone/01-twitter.com", "event": "bytes", "times": [1], "totals": [5]}) + "\\n")
(output / "truth.jsonl").write_text(json.dumps(
    {"t": 1, "box": "phone-tspu", "flow": 1, "event": "hello_seen", "sni": "x"}) + "\\n")
state = "complete" if "censors.tspu=ru-tw-2021" in sys.argv else "incomplete"
(run / "manifest.json").write_text(json.dumps(
    {"format": 1, "state": state, "title": "t", "transfers": [], "valid": True, "problems": []}))
print("testbed: a word about <script> on the way", file=sys.stderr)
"""
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


def hand_made_run(path: Path, *, state: str = "complete", sni: str = "twitter.com") -> Path:
    """A run directory: a transfer that is throttled, one that is not, and a name that the box read."""
    plan = demo_plan()
    target, control = "phone/01-twitter.com", "neighbour/03-example.com"
    path.mkdir(parents=True)
    flow = {"box": "phone-tspu", "flow": 1}
    opened = {"inside": "100.64.0.1", "inside_port": 4000, "event": "flow_opened"}
    dropped = {"direction": "down", "seq": 9, "payload_length": 1448, "ip_id": 1}
    down = {"rate_bps": 140_000, "burst_bytes": 16_384}
    truth = [
        {"t": 0.1, **flow, **opened},
        {"t": 0.3, **flow, "event": "hello_seen", "sni": sni},
        {"t": 0.3, **flow, "event": "throttling_started", "meter": "token_bucket", "down": down},
        {"t": 1.0, **flow, "event": "packet_dropped", **dropped},
    ]
    seconds = list(range(1, 21))
    measured = [
        {"t": 0.0, "transfer": target, "event": "started"},
        {"t": 0.1, "transfer": target, "event": "connected", "local": ["100.64.0.1", 4000]},
        {"t": 1.0, "transfer": target, "event": "bytes", "times": seconds, "totals": [17_000 * t for t in seconds]},
        {"t": 0.0, "transfer": control, "event": "started"},
        {"t": 1.0, "transfer": control, "event": "bytes", "times": seconds, "totals": [230_000 * t for t in seconds]},
        {"t": 20.0, "transfer": target, "event": "finished", "error": None},
    ]
    summary = {
        "id": target, "name": "twitter.com", "line": "phone", "role": "target", "throttled": True, "drops": 1,
        "action": "token_bucket", "direction": "download", "rule": "twitter.com", "goodput_bps": 136_000.0, "ok": True,
        "influences": [],
    }  # fmt: skip
    manifest = {
        "format": 1, "state": state, "scenario": "two-phones", "title": plan["title"], "seed": 1, "engine": "virtual",
        "start_ns": plan["start_ns"], "valid": True, "problems": [], "transfers": [summary],
    }  # fmt: skip
    for name, content in (("plan.json", plan), ("manifest.json", manifest)):
        (path / name).write_text(json.dumps(content))
    for name, lines in (("truth.jsonl", truth), ("measurements.jsonl", measured)):
        (path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def long_told(count: int) -> str:
    """`PROGRAM`, whose transfer has so many steps."""
    told = '"times": [1], "totals": [5]'
    assert told in PROGRAM
    return PROGRAM.replace(told, f'"times": [*range(1, {count} + 1)], "totals": [*range(1, {count} + 1)]')


def telling_session(folder: Path, program: str = PROGRAM) -> Session:
    """A demonstration whose runs are told by a program and not emulated."""
    (folder / "program.py").write_text(program)
    (folder / "the-plan.json").write_text(json.dumps(demo_plan()))
    return Session(folder / "runs", [sys.executable, str(folder / "program.py")])
