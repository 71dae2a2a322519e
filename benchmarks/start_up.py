"""From command to first packet: the first day's start, stage by stage, medians.

Each start is a process of its own, from the interpreter's first instruction on, and ends where the run would begin.
With ``--beside`` the starts of another checkout are measured in turn with ours, and compared pair by pair.

    python benchmarks/start_up.py
    python benchmarks/start_up.py --beside ../other-checkout
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbed.engine.engine import GuestSetup
    from testbed.engine.uml.guest import Guest
    from testbed.records.messages import Message

ROOT = Path(__file__).resolve().parents[1]
STARTS = 9
HOST, BEGIN = "host: Python, modules, plan", "running"
STAGES = {
    HOST: "guest",
    "guest: kernel, Python, modules": "building the network",
    "guest: network built and read back": "starting boxes and servers",
    "guest: boxes and servers": BEGIN,
}
TOTAL = "from command to first packet"


def start_here(folder: str, began: float) -> None:
    """Start the first day in this process, print when each stage had ended, and end where the run begins."""
    # Loading these is a part of what is measured.
    from testbed.cli import main as command_line  # noqa: PLC0415
    from testbed.cli.progress import Progress  # noqa: PLC0415
    from testbed.engine.uml.engines import UmlEngine  # noqa: PLC0415

    start = UmlEngine.start

    def say(what: str) -> None:
        os.write(1, f"{what}\t{time.time() - began}\n".encode())

    def started(engine: UmlEngine, setup: GuestSetup) -> Guest:
        say("guest")
        return start(engine, setup)

    def shown(_: Progress, message: Message) -> None:
        if message["kind"] == "progress":
            say(message["what"])
            if message["what"] == BEGIN:
                os._exit(0)  # the guest ends with us

    setattr(UmlEngine, "start", started)  # noqa: B010 - mypy lets no method be assigned
    setattr(Progress, "show", shown)  # noqa: B010
    command_line(["run", "2021-03-10", "--seed", "1", "--output", folder])
    sys.exit("the run ended before it began")


def stages(tree: Path) -> dict[str, float]:
    """Start once with the code of a checkout; return the seconds of each stage and of all."""
    with tempfile.TemporaryDirectory() as name:
        # As for a user, who has compiled modules from the first start on.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        began = time.time()
        done = subprocess.run(
            [sys.executable, __file__, "--one", f"{name}/run", str(began)], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, check=True, cwd=tree, env=environment | {"PYTHONPATH": str(tree)},
        )  # fmt: skip
    at = {what: float(seconds) for what, _, seconds in (line.partition("\t") for line in done.stdout.splitlines())}
    ends = [0.0, *(at[what] for what in STAGES.values())]
    return {**dict(zip(STAGES, (end - begin for begin, end in pairwise(ends)), strict=True)), TOTAL: ends[-1]}


def main() -> None:
    """Start again and again, and print."""
    parser = argparse.ArgumentParser(description="Measure how long a run takes to begin.")
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        start_here(options.one[0], float(options.one[1]))
    trees = [ROOT] + ([] if options.beside is None else [options.beside.resolve()])
    for tree in trees:
        stages(tree)  # the first start compiles modules and makes the guest's archive
    measured = [[stages(tree) for tree in trees] for _ in range(STARTS)]
    titles = ["seconds"] + ([] if options.beside is None else ["beside", "ratio, pair by pair"])
    print(f"| median of {STARTS} starts | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}")
    for stage in (*STAGES, TOTAL):
        cells = [statistics.median(each[nth][stage] for each in measured) for nth in range(len(trees))]
        if options.beside is not None:
            cells.append(statistics.median(ours[stage] / theirs[stage] for ours, theirs in measured))
        print(f"| {stage} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
