"""The same transfers on the machine's own kernel and in virtual time: goodput, dropped packets, round-trip times.

Where the machine's kernel lacks what the engine `native` needs, each engine can be measured on a machine of its own:
`--engines native` on one, `--engines virtual` on the other.

    python benchmarks/native_engine.py [--runs 3] [--engines virtual native]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from testbed.engine.engine import ENGINES
from testbed.engine.run import run_plan
from testbed.records.run import RunDirectory
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from testbed.records.manifest import Manifest, TransferSummary

_FETCHED = "{fetch: example.com, role: control}, {fetch: t.co, role: target}, {fetch: reddit.com, role: target}"
_SETTINGS = (
    "recordings=[]", "outages=[]", "lines=[{name: mobile, kind: mobile, tspu: true}]", f"measurements=[{_FETCHED}]",
)  # fmt: skip
_SILENCE_S = 3600.0  # of a machine that is only imitated


class Seen(NamedTuple):
    """One transfer of one run."""

    goodput_kbps: float
    drops: int
    connect_ms: float
    handshake_ms: float


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--engines", nargs="+", default=["virtual", "native"], choices=list(ENGINES))
    arguments = parser.parse_args()
    print("| engine | transfer | goodput | packets dropped | TCP handshake | TLS handshake | valid runs |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.engines:
        engine = ENGINES[name]
        kernel = engine.prepare(lambda text: print(text, file=sys.stderr))
        found: dict[str, list[Seen]] = {}
        valid = 0
        for number, seed in enumerate([1, *range(1, arguments.runs + 1)]):
            with tempfile.TemporaryDirectory(prefix="testbed-") as folder:
                plan = make_plan(
                    library.find("scenarios", "2021-03-10"), list(_SETTINGS), seed=seed, engine=name, command=None
                )
                manifest = run_plan(plan, kernel, Path(folder) / "run", silence_s=_SILENCE_S, progress=lambda _: None)
                if number == 0:  # what is read from a disk for the first time takes time, where time is real
                    continue
                valid += told(manifest)
                for each in manifest["transfers"]:
                    found.setdefault(each["name"], []).append(seen(Path(folder) / "run", each))
        for transfer, some in found.items():
            columns = zip(*some, strict=True)
            goodput, drops, connect, handshake = (spread(list(column)) for column in columns)
            cells = (f"{goodput} kbit/s", drops, f"{connect} ms", f"{handshake} ms", f"{valid} of {arguments.runs}")
            print(f"| `{name}` | {transfer} | {' | '.join(cells)} |", flush=True)


def told(manifest: Manifest) -> bool:
    """Return whether a run is valid; say why one is not."""
    for problem in manifest["problems"]:
        print(f"invalid: {problem}", file=sys.stderr)
    return manifest["valid"]


def seen(folder: Path, summary: TransferSummary) -> Seen:
    """Return what a transfer's client saw."""
    at: dict[str, float] = {}
    for each in RunDirectory.open(folder).measurements(summary["id"]):
        at.setdefault(str(each["event"]), float(str(each["t"])))
    return Seen(
        (summary["goodput_bps"] or 0.0) / 1000,
        summary["drops"],
        (at["connected"] - at["started"]) * 1000,
        (at["handshake"] - at["connected"]) * 1000,
    )


def spread(values: list[float]) -> str:
    """Return the median, with the lowest and the highest where they differ."""
    low, middle, high = (f"{value:.5g}" for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


if __name__ == "__main__":
    main()
