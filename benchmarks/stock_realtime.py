"""The first day with stock Mininet links and a stock clock, beside the virtual engine: wall time and spread over runs.

Realtime runs take as long as the day they emulate and half a minute to build: five take half an hour.

    python benchmarks/stock_realtime.py [RUNS]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.records.manifest import Manifest

RUNS = 5


def run(folder: Path, engine: str, links: str) -> Manifest:
    """One run of the first day; its manifest."""
    plan = make_plan(
        library.find("scenarios", "2021-03-10"), [f"network.links={links}"], seed=1, engine=engine, command=None
    )
    return run_plan(plan, kernel_info(), folder, silence_s=600, progress=lambda _: None)


def spread(manifests: list[Manifest]) -> tuple[float, float]:
    """Over all throttled transfers: the largest spread of goodput (share of its mean) and of dropped packets."""
    goodput, drops = [], []
    for transfers in zip(*(each["transfers"] for each in manifests), strict=True):
        if all(each["throttled"] for each in transfers):
            speeds = [each["goodput_bps"] or 0.0 for each in transfers]
            goodput.append((max(speeds) - min(speeds)) / statistics.mean(speeds))
            counts = [each["drops"] for each in transfers]
            drops.append(max(counts) - min(counts))
    return max(goodput), max(drops)


def main() -> None:
    """Run and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    print("| engine, links | runs | wall time, median | goodput, largest spread | drops, largest spread | valid |")
    print("|---|---|---|---|---|---|")
    for engine, links in (("virtual", "netlink"), ("realtime", "stock")):
        with tempfile.TemporaryDirectory() as name:
            manifests = [run(Path(name) / str(number), engine, links) for number in range(runs)]
        goodput, drops = spread(manifests)
        wall_s = statistics.median(each["wall_s"] for each in manifests)
        valid = sum(each["valid"] for each in manifests)
        cells = (f"{wall_s:.1f} s", f"{goodput:.2%}", f"{drops:.0f} packets", f"{valid} of {runs}")
        print(f"| {engine}, {links} | {runs} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
