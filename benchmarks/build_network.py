"""Time to build a network of fifty-odd nodes inside the guest: our links against Mininet's own, in the same guest.

python benchmarks/build_network.py
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.records.messages import Message

RUNS = {"netlink": 5, "stock": 2}
HOPS = 12


def build_time(folder: Path, links: str) -> tuple[int, float]:
    """Number of nodes, and wall-clock seconds from the first node to the last value read back."""
    at: dict[str, float] = {}

    def progress(message: Message) -> None:
        if message["kind"] == "progress":
            at.setdefault(message["what"], time.monotonic())

    settings = [f"network.parameters.hops={HOPS}", f"network.links={links}", "captures=[]", "recordings=[]"]
    plan = make_plan(library.find("scenarios", "2021-03-10"), settings, seed=1, engine="virtual", command=["true"])
    run_plan(plan, kernel_info(), folder, silence_s=600, progress=progress)
    return len(plan.topology.nodes()), at["starting boxes and servers"] - at["building the network"]


def main() -> None:
    """Run and print."""
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    print("| links | nodes | seconds to build and read back (median) |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for links, runs in RUNS.items():
            results = [build_time(Path(name) / f"{links}{number}", links) for number in range(runs)]
            print(f"| {links} | {results[0][0]} | {statistics.median(each for _, each in results):.2f} |")


if __name__ == "__main__":
    main()
