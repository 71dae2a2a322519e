"""What carriers cost, and what a changed detector costs: ratios within one call. Takes some minutes.

    python benchmarks/validation_speed.py [--suite smoke] [--rounds 2] [--dask] [--core STORE SEED]

Each round makes the runs of the suite anew, by one worker, by two, and with ``--dask`` by a Dask scheduler of this
machine with two workers. A long suite (`core`: twenty minutes a round) tells what a carrier costs, a short one what
its start costs. ``--core`` scores the suite `core` again from a store that has its runs, with one
detector whose verdicts are forgotten first.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.cli import main as testbed
from testbed.validation.judging import known_digest
from testbed.validation.keeping.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def scheduler() -> Iterator[str]:
    """Give the address of a Dask scheduler with two workers."""
    from distributed import LocalCluster  # noqa: PLC0415 - only where it is asked for

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        yield cluster.scheduler_address


def seconds(*words: str) -> float:
    """Run ``testbed validate``, and return how long it took."""
    began = time.monotonic()
    with contextlib.redirect_stdout(sys.stderr):
        status = testbed(["validate", *words])
    if status not in {0, 1}:
        raise SystemExit(f"testbed validate {' '.join(words)}: exit status {status}")
    return time.monotonic() - began


def made_anew(suite: str, seed: str, *options: str) -> float:
    """Make the runs of the suite in a new store."""
    with tempfile.TemporaryDirectory() as folder:
        return seconds(suite, "--store", folder, "--held-out-seed", seed, "--detector", "joint", *options)


def carriers(suite: str, rounds: int, *, dask: bool) -> None:
    """Compare one worker, two, and Dask with two."""
    took: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        address = stack.enter_context(scheduler()) if dask else None
        for number in range(rounds):
            # In turns, so that what else the machine does falls on all of them.
            # Each with seeds of its own: what the machine keeps of a run would make the next one with its seed faster.
            took["one worker"].append(made_anew(suite, f"one {number}", "--jobs", "1"))
            took["two workers"].append(made_anew(suite, f"two {number}", "--jobs", "2"))
            if address is not None:
                took["Dask, two workers"].append(made_anew(suite, f"Dask {number}", "--scheduler", address))
    two = statistics.median(took["two workers"])
    print(f"the suite {suite}, {rounds} times:\n")
    print("| carrier | time | against two workers |\n|---|---|---|")
    for name, times in took.items():
        middle = statistics.median(times)
        print(f"| {name} | {middle:.1f} s | {middle / two:.2f} |")


def rescored(store: Path, seed: str) -> None:
    """Score `core` again with one detector that has changed."""
    options = ("core", "--store", str(store), "--held-out-seed", seed, "--detector", "joint")
    seconds(*options)  # makes what is not there, and brings the files into memory
    kept = Store(store)
    for key in kept.all_keys():
        record = kept.cell(key)
        for digest in [] if record is None else record["observations"].values():
            kept.forget_verdict(digest, known_digest("joint"))
    print(f"\nthe suite core, scored again with one changed detector: {seconds(*options):.1f} s")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="smoke")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--dask", action="store_true", help="needs the extra cluster")
    parser.add_argument("--core", nargs=2, metavar=("STORE", "SEED"), help="a store that has the runs of core")
    arguments = parser.parse_args()
    carriers(arguments.suite, arguments.rounds, dask=arguments.dask)
    if arguments.core is not None:
        rescored(Path(arguments.core[0]), arguments.core[1])


if __name__ == "__main__":
    main()
