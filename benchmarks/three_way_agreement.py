"""Generated hellos through the pure model, the capture adapter and a live box: the fate of every packet, three ways.

Every packaged profile gets its share of at least 10,000 hellos: split position, order, record split, retransmission,
padding, TTL, what comes first, who opened and who sends, by lot. The live box is the one of every run, in the guest, in
virtual time; beside its log stands what came out of it. Afterwards time goes on until every flow has been forgotten.

    python benchmarks/three_way_agreement.py [--hellos 11000] [--seed 1] [PROFILE ...]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from testbed.conformance.live_bench import command
from testbed.conformance.three_way import ThreeWay, compare_three_ways
from testbed.conformance.traces import draw_recipe, extensions_for, interleaved, names_for, write_trace
from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.prepare.command import UserCommand
from testbed.engine.run import run_plan
from testbed.middlebox.recognise import UDP_RECOGNISERS
from testbed.scenario import library
from testbed.scenario.plan import make_plan
from testbed.scenario.profiles import load_profile

if TYPE_CHECKING:
    from testbed.middlebox.packet import Packet
    from testbed.middlebox.profile import Profile

INSIDE = "10.0.0.1"
GAP_NS = 100_000
SETTLE_S = 1300  # twice the longest time that a profile remembers an idle flow
SCENARIO = [
    "lines=[{name: mobile, kind: mobile, tspu: true}]", "censors={}", "captures=[]", "recordings=[]", "outages=[]",
]  # fmt: skip


def server_for(profile: Profile) -> str:
    """An address that the profile's rules match, if they match addresses."""
    prefixes = [pattern for rule in profile.rules if rule.kind == "address" for pattern in rule.patterns]
    prefixes += [prefix for rule in profile.rules for prefix in rule.at]
    return str(ip_network(prefixes[0])[1]) if prefixes else "192.0.2.1"


def trace_for(profile: Profile, hellos: int, seed: int) -> list[Packet]:
    """So many hellos, as a profile's box may meet them."""
    random = Random(seed)  # noqa: S311 - reproducible, not secret
    http_share = 0.5 if "http" in profile.trigger.names_from else 0.0
    names = names_for(profile)
    quic_share = 0.5 if set(profile.trigger.recognisers) & set(UDP_RECOGNISERS) else 0.0
    extensions = extensions_for(profile)
    recipes = [
        draw_recipe(random, names, http_share=http_share, quic_share=quic_share, extensions=extensions)
        for _ in range(hellos)
    ]
    return list(interleaved(recipes, random, inside=INSIDE, outside=server_for(profile)))


def try_profile(name: str, hellos: int, seed: int, folder: Path) -> ThreeWay:
    """Send a profile's share through a live box and compare."""
    loaded = load_profile(name)
    trace = trace_for(loaded.profile, hellos, seed)
    folder.mkdir()
    write_trace(folder / "trace.pcap", ((index * GAP_NS, packet) for index, packet in enumerate(trace)))
    (folder / "profile.json").write_text(json.dumps(loaded.plain))
    script = command(
        folder / "profile.json", folder / "trace.pcap", "bench", seed=seed, inside=INSIDE, settle_s=SETTLE_S
    )
    plan = make_plan(
        library.find("scenarios", "2021-03-10"), SCENARIO, seed=seed, engine="virtual", command=["sh", "-c", script]
    )
    bench = UserCommand(["sh", "-c", script], privileged=True)
    manifest = run_plan(plan, kernel_info(), folder / "run", silence_s=1800, progress=lambda _: None, command=bench)
    if manifest["certificate"]["command_status"]:
        sys.exit(f"{name}: the bench failed\n{(folder / 'run/command.stderr').read_text()}")
    return compare_three_ways(trace, folder / "run/output/bench", loaded.profile, seed=seed, inside=INSIDE)


def row(name: str, hellos: int, found: ThreeWay) -> str:
    """One line of the table."""
    fates = ("dropped", "delayed", "rewritten", "injected", "held")
    counts = " | ".join(f"{found.events[f'packet_{fate}']:,}" for fate in fates)
    differing = found.missing + len(found.adapter) + len(found.live)
    wire = found.wire
    unlogged = len(wire.only_captures) + len(wire.only_log) + len(wire.unexplained) + wire.mistimed
    return (
        f"| {name} | {hellos:,} | {found.packets:,} | {found.events['rule_matched']:,} | {counts} | {differing} | "
        f"{unlogged} | {len(found.timers)} |"
    )


def explain(name: str, found: ThreeWay) -> None:
    """What differs, on stderr."""
    for index, by_model, by_box in found.live[:3]:
        print(f"{name}: packet {index}\n  model {by_model}\n  box   {by_box}", file=sys.stderr)
    if found.timers:
        print(f"{name}: timers {found.timers[:5]}", file=sys.stderr)
    if not found.wire.agrees:
        print(f"{name}: log and captures {found.wire}"[:2000], file=sys.stderr)


def main() -> None:
    """Run and print; status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profiles", nargs="*", metavar="PROFILE")
    parser.add_argument("--hellos", type=int, default=11_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    names = given.profiles or library.names("profiles")
    share = -(-given.hellos // len(names))
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    print(
        "| profile | hellos | packets | matched | dropped | delayed | rewritten | injected | held | "
        "packets that differ | log and wire differ | timers that differ |\n"
        "|---|" + "---|" * 11
    )
    began = time.monotonic()
    packets, disagreeing = 0, 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = try_profile(name, share, given.seed, Path(folder) / "trial")
        print(row(name, share, found), flush=True)
        explain(name, found)
        packets += found.packets
        disagreeing += not found.agrees
    print(
        f"\n{share * len(names):,} hellos, {packets:,} packets, {len(names) - disagreeing} of {len(names)} profiles "
        f"agree on every packet; {time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if disagreeing else 0)


if __name__ == "__main__":
    main()
