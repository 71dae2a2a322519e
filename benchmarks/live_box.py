"""The live box in real time: goodput of a flow that matches nothing, and new connections a second without a loss.

Goodput: two lines that differ in nothing but that the box on one of them inspects; downloads by curl in turn, in one
run, and again with the box on the other line. At 10 Gbit/s the processor is the limit. Connections: SYN, SYN/ACK, ACK,
ClientHello and the server's first segment, at rising rates for some seconds, sent from bare links on both sides of one
box, in the same one-processor guest.

    python benchmarks/live_box.py [--only goodput|connections]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.conformance.bench import MSS, Connection
from testbed.conformance.hellos import client_hello
from testbed.conformance.live_bench import command
from testbed.conformance.traces import write_trace
from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.prepare.command import UserCommand
from testbed.engine.run import run_plan
from testbed.records.agreement import read_box_captures
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from testbed.middlebox.packet import Packet
    from testbed.records.manifest import Manifest

DOWNLOADS = 6
# Each of these spares the lines of the other kind: their box is a bridge and nothing more.
PROFILES = {"landline": "ru-yt-2024-tcp", "mobile": "ru-tw-2021d"}
RATES = (500, 1000, 2000, 3000)
SECONDS = 5
INSIDE = "10.0.0.1"
NS_PER_S = 1_000_000_000


def run(folder: Path, *settings: str, argv: list[str] | None = None) -> Manifest:
    """A run in real time; its manifest."""
    plan = make_plan(
        library.find("scenarios", "2021-03-10"), ["recordings=[]", "outages=[]", *settings], seed=1, engine="realtime",
        command=argv,
    )  # fmt: skip
    command = None if argv is None else UserCommand(argv, privileged=True)
    return run_plan(plan, kernel_info(), folder, silence_s=600, progress=lambda _: None, command=command)


def goodput(folder: Path, inspected: str, rate: str, size: str, period_s: int) -> dict[str, list[float]]:
    """Goodput in bit/s of each download, by kind of line; ``inspected`` is the kind that has an inspecting box."""
    same = {"down": rate, "up": rate, "delay": "1 ms"}
    parameters = {f"{kind}_{key}": value for kind in PROFILES for key, value in same.items()}
    parameters |= {"abroad_delay": "3 ms", "queue": "2000"}
    measurements = [
        f"{{fetch: example.com, role: control, client: curl, size: {size}, lines: [{line}], at: {period_s * turn} s}}"
        for turn, line in enumerate(list(PROFILES) * DOWNLOADS)
    ]
    manifest = run(
        folder,
        "network.parameters={" + ", ".join(f"{key}: {value}" for key, value in parameters.items()) + "}",
        "lines=[" + ", ".join(f"{{name: {kind}, kind: {kind}, tspu: true}}" for kind in PROFILES) + "]",
        f"censors={{tspu: {PROFILES[inspected]}}}",
        "captures=[]",
        f"measurements=[{', '.join(measurements)}]",
    )
    if set(manifest["certificate"]["boxes"]) != {f"{inspected}-tspu"}:
        sys.exit(f"expected one box that inspects, found {list(manifest['certificate']['boxes'])}")
    failed = [each["error"] for each in manifest["transfers"] if not each["ok"]]
    if failed:
        sys.exit(f"downloads failed: {failed}")
    return {
        # the first warms up
        kind: [each["goodput_bps"] or 0.0 for each in manifest["transfers"] if each["line"] == kind][1:]
        for kind in PROFILES
    }


def print_goodput(folder: Path) -> None:
    """The table of goodputs."""
    print("| line with the box | rate of the lines | not inspected, Mbit/s (median) | inspected | inspected over not |")
    print("|---|---|---|---|---|")
    for rate, size, period_s in (("60 Mbit/s", "24 MB", 5), ("10 Gbit/s", "64 MB", 7)):
        ratios = []
        for kind in PROFILES:
            found = goodput(folder / f"{kind}{period_s}", kind, rate, size, period_s)
            (spared,) = set(PROFILES) - {kind}
            without, inspected = (statistics.median(found[each]) / 1e6 for each in (spared, kind))
            ratios.append(inspected / without)
            print(f"| {kind} | {rate} | {without:.1f} | {inspected:.1f} | {ratios[-1]:.1%} |", flush=True)
        print(f"| both, geometric mean | {rate} | | | {statistics.geometric_mean(ratios):.1%} |", flush=True)


def connections(rate: int) -> list[tuple[int, Packet]]:
    """The first five packets of connections that begin at this rate, each packet a millisecond after the one before."""
    hello = client_hello("example.org")
    trace = []
    for number in range(rate * SECONDS):
        connection = Connection(INSIDE, inside_port=1024 + number % 60_000, outside_port=443 + number // 60_000)
        begins_ns = number * NS_PER_S // rate
        packets = [*connection.handshake(), connection.up(hello), connection.down(bytes(MSS))]
        trace += [(begins_ns + turn * 1_000_000, packet) for turn, packet in enumerate(packets)]
    return sorted(trace, key=lambda each: each[0])


def print_connections(folder: Path, name: str) -> None:
    """The table of rates."""
    print(
        "\n| new connections a second, asked for | sent | packets queued | verdicts lost | longest wait, ms |"
        " connections answered a second, to the last verdict |"
    )
    print("|---|---|---|---|---|---|")
    (folder / "profile.json").write_text(json.dumps(load_profile(name).plain))
    for rate in RATES:
        trace = connections(rate)
        write_trace(folder / f"{rate}.pcap", trace)
        script = command(
            folder / "profile.json", folder / f"{rate}.pcap", "bench", seed=1, inside=INSIDE, settle_s=SECONDS * 4
        )
        path = folder / f"run{rate}"
        manifest = run(path, "censors={}", "captures=[]", argv=["sh", "-c", script])
        if manifest["certificate"]["command_status"]:
            sys.exit((path / "command.stderr").read_text())
        print(row(rate, len(trace), path / "output" / "bench"), flush=True)


def row(rate: int, expected: int, folder: Path) -> str:
    """What became of the packets that arrived, and how long the last verdict took at most."""
    counters = json.loads((folder / "counters.json").read_text())
    captures = read_box_captures(folder / "inside.pcap", folder / "outside.pcap", INSIDE)
    arrived = {(packet.identity, packet.data): packet.t_ns for packet in captures.entered}
    left = {(packet.identity, packet.data): packet.t_ns for packet in captures.left}
    times = sorted(arrived.values())
    sent = len(arrived) / 5 / ((times[-1] - times[0]) / NS_PER_S)
    lost = len(arrived) - len(left)
    by_kernel = counters["box"]["queue_dropped"] + counters["box"]["user_dropped"]
    uncaptured = sum(each["dropped"] for each in counters["captures"].values())
    wait_ms = max(left[key] - arrived[key] for key in left) / 1e6
    note = f" ({uncaptured} not captured)" if uncaptured else ""
    answered = len(left) / 5 / ((max(left.values()) - times[0]) / NS_PER_S)
    return (
        f"| {rate:,} | {sent:,.0f} | {len(arrived):,} of {expected:,}{note} | {max(lost, by_kernel)} | {wait_ms:.0f} | "
        f"{answered:,.0f} |"
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("goodput", "connections"))
    given = parser.parse_args()
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only != "connections":
            print_goodput(folder)
        if given.only != "goodput":
            print_connections(folder, "ru-tw-2021a")


if __name__ == "__main__":
    main()
