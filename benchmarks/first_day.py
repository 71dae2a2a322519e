"""The first day of the slowdown: speed, reproducibility, and how close rates and delays come to the plan.

Five runs with one seed, the last two while both processors are kept busy; one run with another seed; one with the other
meter. Speed is taken from the quiet runs. Takes two minutes.

    python benchmarks/first_day.py
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from testbed.engine.kernel import ensure_kernel, kernel_info
from testbed.engine.run import run_plan
from testbed.records.box_plan import profiles_of
from testbed.records.run import RunDirectory
from testbed.report.series import segments
from testbed.scenario import library
from testbed.scenario.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testbed.records.messages import Message

QUIET, BUSY = 3, 2
HEADERS_BYTES = 20 + 32  # IPv4, TCP with timestamps


class Timed:
    """A run and the wall-clock seconds of its parts."""

    def __init__(self, folder: Path, *settings: str, seed: int = 1) -> None:
        began = time.monotonic()
        self.running_s = self.stopped_s = 0.0

        def progress(message: Message) -> None:
            now = time.monotonic() - began
            if message["kind"] != "progress":
                return
            if message["what"] == "running":
                self.running_s = now
            elif message["what"] == "stopping":
                self.stopped_s = now

        plan = make_plan(
            library.find("scenarios", "2021-03-10"), list(settings), seed=seed, engine="virtual", command=None
        )
        self.manifest = run_plan(plan, kernel_info(), folder, silence_s=300, progress=progress)
        self.run = RunDirectory.open(folder)

    @property
    def speed(self) -> float:
        """Emulated seconds a wall-clock second, boot and the check of the records included."""
        return float(self.manifest["emulated_s"] / self.manifest["wall_s"])

    @property
    def emulation_speed(self) -> float:
        """The same from the first transfer to the last."""
        return float(self.manifest["emulated_s"] / (self.stopped_s - self.running_s))

    def checksum(self) -> str:
        """Of all captures."""
        digest = hashlib.sha256()
        for path in sorted((self.run.path / "captures").iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()[:16]


def _spin() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy_processors() -> Iterator[None]:
    """One endless loop for each processor."""
    loops = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        for loop in loops:
            loop.terminate()


def conformance(timed: Timed, direction: str) -> float:
    """Rate that passes between the first and the last drop, when the bucket is empty, over the configured one."""
    transfer = next(
        each
        for each in timed.manifest["transfers"]
        if each["line"] == "mobile" and each["kind"] == "replay" and each["role"] == "target"
        and each["direction"] == direction
    )  # fmt: skip
    sent = segments(timed.run, transfer)
    drops, passed = np.flatnonzero(sent.dropped), np.flatnonzero(~sent.dropped)
    between = passed[(passed > drops[0]) & (passed < drops[-1])]
    rate = (sent.length[between] + HEADERS_BYTES).sum() * 8 / (sent.times_s[drops[-1]] - sent.times_s[drops[0]])
    box = next(iter(timed.run.plan["boxes"].values()))
    meters = cast("Mapping[str, Mapping[str, float]]", profiles_of(box)[0]["meter"])  # each with parameters of its own
    return float(rate / meters["token_bucket"]["rate_bps"])


def rtt_error_s(timed: Timed) -> float:
    """Largest difference between a TCP handshake and the planned round trip."""
    events: dict[str, dict[str, float]] = {}
    for record in timed.run.measurements():
        events.setdefault(record["transfer"], {}).setdefault(record["event"], record["t"])
    plan = timed.run.plan["rtt_s"]
    return max(
        abs(at["connected"] - at["started"] - plan[each["line"]]["origin"])
        for each in timed.manifest["transfers"]
        if each["kind"] == "fetch" and each["name"] != "kremlin.ru" and "connected" in (at := events[each["id"]])
    )


def goodput_range(timed: Timed) -> str:
    """Slowest and fastest throttled transfer, payload."""
    speeds = [(each["goodput_bps"] or 0.0) / 1000 for each in timed.manifest["transfers"] if each["throttled"]]
    return f"{min(speeds):.0f}–{max(speeds):.0f} kbit/s payload"


def main() -> None:
    """Run and print."""
    ensure_kernel(progress=lambda text: print(text, file=sys.stderr))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [Timed(folder / f"quiet{number}") for number in range(QUIET)]
        with busy_processors():
            runs += [Timed(folder / f"busy{number}") for number in range(BUSY)]
        other = Timed(folder / "other", seed=2)
        coarse = Timed(folder / "coarse", "meter=coarse_refill")
        quiet = runs[:QUIET]
        with_boot = statistics.median(each.speed for each in quiet)
        alone = statistics.median(each.emulation_speed for each in quiet)
        wall_s, wall_busy_s = (
            statistics.median(each.manifest["wall_s"] for each in some) for some in (quiet, runs[QUIET:])
        )
        rows = {
            "emulated seconds a second, boot included (median)": f"{with_boot:.1f}",
            "emulated seconds a second, emulation alone (median)": f"{alone:.1f}",
            "wall-clock time (median; with busy processors)": f"{wall_s:.1f} s; {wall_busy_s:.1f} s",
            f"different checksums of all captures in {QUIET + BUSY} runs, {BUSY} of them with busy processors": str(
                len({each.checksum() for each in runs})
            ),
            "another seed gives other captures": "yes" if other.checksum() != runs[0].checksum() else "NO",
            "policed rate over configured rate, download": f"{conformance(runs[0], 'download'):.4f}",
            "policed rate over configured rate, upload": f"{conformance(runs[0], 'upload'):.4f}",
            "throttled transfers, token bucket": goodput_range(runs[0]),
            "throttled transfers, coarse refill": goodput_range(coarse),
            "largest difference from the planned round trip": f"{rtt_error_s(runs[0]) * 1e6:.0f} µs",
            "valid runs": f"{sum(r.manifest['valid'] for r in [*runs, other, coarse])} of {len(runs) + 2}",
        }
    print("| first day | |\n|---|---|")
    for quantity, value in rows.items():
        print(f"| {quantity} | {value} |")


if __name__ == "__main__":
    main()
