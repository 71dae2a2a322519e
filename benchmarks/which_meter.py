"""Which meter had the boxes of 2021? Candidates before real TCP, each beside every row that was published.

    python benchmarks/which_meter.py                 some minutes on two processors
    python benchmarks/which_meter.py --draws 6       fewer settings of each
    python benchmarks/which_meter.py -o FOLDER       the tables into FOLDER/which-meter.md, and the figure beside them

Of each kind of meter settings are drawn over the whole of its ranges (a Latin hypercube), and then around the three
that meet most rows. A setting is tried once, the best of each kind with three seeds. What was read off a figure counts
as met within 10 %, which was said before anything was run.

Published: X21 (Xue et al., IMC 2021, https://doi.org/10.1145/3487552.3487858) and the crowd's data
(https://github.com/4ndv/russia-twitter-throttle), whose throttled fetches have a median of 108.6 kbit/s and half of
them between 100 and 115.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import qmc

from testbed import run
from testbed.conformance.figure_5 import PACKETS, mispredicted
from testbed.middlebox.meters import METERS, Beginning
from testbed.middlebox.meters.meter import Policer
from testbed.quantities import parse_duration, parse_rate, parse_size
from testbed.records.run import RunDirectory
from testbed.report.drawing import STYLE, plt, save
from testbed.report.series import segments, series, windowed_throughput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from testbed.api import Result, Transfer
    from testbed.records.manifest import TransferSummary

Meter = dict[str, str]
Floats = np.ndarray[Any, np.dtype[np.float64]]
SEEDS = (1, 2, 3)
AROUND = 0.08  # of a parameter's range, to either side
BEST = 3
READ = 0.1  # how far a reading off a figure may lie
AFTER_S, WINDOW_S = 3.0, 1.0  # X21 Fig. 4: windowed throughput after 3 s
LONG_RTT = 3.4 - 0.05  # what figure 5's gaps last, as finely as they were read
LINES_MS = {"paper": 190, "near": 54, "middle": 114, "far": 294}
_BOTTLENECK_MS = 20
HEAD = (
    "# Meters beside what was published", "",
    "Made by `python benchmarks/which_meter.py -o results/which-meter`; bold: agrees. What it means is in",
    "[which meter?](../../docs/explanation/which-meter.md).", "",
    "![Packets at a steady 200 kbit/s before each meter](which-meter.svg)", "",
)  # fmt: skip
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Candidate:
    """A kind of meter, and the ranges of its parameters: key to unit, lowest, highest."""

    kind: str
    summary: str
    ranges: Mapping[str, tuple[str, float, float]]

    def meter(self, point: Sequence[float]) -> Meter:
        """The setting at a point of the unit cube."""
        return {
            key: _written(low + (high - low) * at, unit)
            for at, (key, (unit, low, high)) in zip(point, self.ranges.items(), strict=True)
        }


def _written(value: float, unit: str) -> str:
    """Rates in what tc can hold: whole bytes a second."""
    return (
        f"{round(value / 8) * 8} bit/s" if unit == "bit/s" else f"{round(value)} B" if unit == "B" else f"{value:.3f} s"
    )


CANDIDATES = (
    Candidate("token_bucket", "a bucket that refills all the time", {
        "rate": ("bit/s", 110_000, 160_000), "burst": ("B", 9_000, 20_000)}),
    Candidate("debt_bucket", "the same, and dropped packets are charged", {
        "rate": ("bit/s", 110_000, 220_000), "burst": ("B", 9_000, 20_000), "debt": ("B", 1_000, 15_000)}),
    Candidate("two_buckets", "two buckets in a row", {
        "first_rate": ("bit/s", 150_000, 1_000_000), "first_burst": ("B", 3_000, 15_000),
        "rate": ("bit/s", 110_000, 160_000), "burst": ("B", 9_000, 20_000)}),
    Candidate("coarse_refill", "a bucket that refills in lumps", {
        "quantum": ("B", 12_000, 22_000), "period": ("s", 0.8, 1.4), "cap": ("B", 14_000, 22_000)}),
    Candidate("packet_window", "a window that the first packet opens", {
        "limit": ("B", 13_000, 24_000), "window": ("s", 0.7, 1.4)}),
    Candidate("sliding_window", "a window that ends now", {
        "limit": ("B", 13_000, 24_000), "window": ("s", 0.7, 1.4)}),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Something published: what, in words, and the values that agree with it."""

    name: str
    published: str
    low: float
    high: float
    unit: str

    def is_met(self, value: float) -> bool:
        """Whether ours agrees, as finely as it was published."""
        return self.low <= round(value, 1 if self.unit == "RTT" else 2 if self.unit in {"s", "kB"} else 0) <= self.high


ROWS = (
    Row("down", "130–150 kbit/s after 3 s", 130, 150, "kbit/s"),
    Row("up", "130–150 kbit/s after 3 s", 130, 150, "kbit/s"),
    Row("duration", "23 s for 383 kB (figure 4)", 23 * (1 - READ), 23 * (1 + READ), "s"),
    Row("windows", "mean of 1 s windows 122 kbit/s (figure 4)", 122 * (1 - READ), 122 * (1 + READ), "kbit/s"),
    Row("gap", "longest gap over 5 RTT", 5.01, np.inf, "RTT"),
    Row("gaps", "three gaps of 3.4 RTT or more in the first 5 s (figure 5)", 3, np.inf, ""),
    Row("first drop", "after 17.5 kB (figure 5)", 17.5 * (1 - READ), 17.5 * (1 + READ), "kB"),
    Row("figure 5", "92 of its 96 packets, open loop", 92, PACKETS, ""),
    Row("crowd", "median 100–115 kbit/s, round trips of 54 to 294 ms", 100, 115, "kbit/s"),
)


def scenario(kind: str, meter: Meter) -> dict[str, Any]:
    """The paper's replays on a line of 190 ms, and the crowd's fetches on three others."""
    lines = [
        {"name": name, "kind": "landline", "tspu": True, "down": "20 Mbit/s", "up": "20 Mbit/s",
         "delay": f"{rtt_ms / 2 - _BOTTLENECK_MS:g} ms"}
        for name, rtt_ms in LINES_MS.items()
    ]  # fmt: skip
    crowd = [name for name in LINES_MS if name != "paper"]
    parameters = {"servers": 2, "bottleneck_rate": "200 Mbit/s", "bottleneck_delay": f"{_BOTTLENECK_MS} ms"}
    keys: dict[str, str] = {**meter, "phase": "0 s"} if kind == "coarse_refill" else dict(meter)
    replay = {"replay": "image", "role": "target", "lines": ["paper"], "timeout": "300 s"}
    return {
        "format": 1, "title": "Which meter", "about": "A candidate.", "date": "2021-03-12T09:00Z",
        "network": {"topology": "dumbbell", "parameters": parameters},
        "lines": [*lines, {"name": "free", "kind": "landline", "tspu": False, "delay": "5 ms"}],
        "censors": {"tspu": {"based_on": "ru-tw-2021b", "meter": {"kind": kind, kind: keys}}},
        "origins": {"server1": {"serves": ["abs.twimg.com", "twitter.com"]}}, "replay_server": "server2",
        "recordings": [{"name": "image", "line": "free", "sni": "abs.twimg.com", "size": "383 kB"}],
        "variation": "natural", "captures": {"box": "headers"},
        "measurements": [
            {**replay, "direction": "download"}, {**replay, "direction": "upload"},
            {"fetch": "twitter.com", "size": "375 kB", "role": "target", "lines": crowd, "timeout": "300 s",
             "repeat": 2},
        ],
    }  # fmt: skip


def started(kind: str, meter: Meter) -> Policer:
    """The meter by itself, as at the beginning of a flow."""
    read = {"bit/s": parse_rate, "B": parse_size, "s": parse_duration}
    suffix = {"bit/s": "_bps", "B": "_bytes", "s": "_s"}
    plain: dict[str, object] = {}
    for key, text in meter.items():
        unit = text.split()[1]
        plain[key + suffix[unit]] = read[unit](text)
    if kind == "coarse_refill":
        plain["phase_s"] = 0.0
    found = METERS[kind].from_dict(plain).start(Beginning(0, 0, Random(1)))  # noqa: S311 - nothing secret is drawn
    if not isinstance(found, Policer):
        raise TypeError(f"{kind} is no policer")
    return found


def measure(task: tuple[str, Meter, int]) -> dict[str, float]:
    """The rows of one setting, with one seed, and the goodput by round trip."""
    kind, meter, seed = task
    with tempfile.TemporaryDirectory() as folder:
        result = run(scenario(kind, meter), seed=seed, output=Path(folder) / "run", must_be_valid=False)
        if not result.valid:
            raise SystemExit(f"{kind} {meter}: the run must not be scored: {result.problems}")
        return _rows(result, started(kind, meter))


def _rows(result: Result, meter: Policer) -> dict[str, float]:
    directory = RunDirectory.open(result.path)
    summaries = {each["id"]: each for each in directory.manifest()["transfers"]}
    replays = {each.direction: each for each in result.transfers if each.kind == "replay"}
    fetches = [each for each in result.transfers if each.kind == "fetch"]
    download = summaries[replays["download"].id]
    sent = segments(directory, download)
    passed = sent.times_s[~sent.dropped]
    gaps = np.diff(passed) / (LINES_MS["paper"] / 1000)
    early = gaps[passed[1:] <= passed[0] + 5]
    windows = windowed_throughput(series(directory, download), WINDOW_S)[1][int(AFTER_S / WINDOW_S) :]
    found = {
        "down": _settled(directory, download), "up": _settled(directory, summaries[replays["upload"].id]),
        "duration": replays["download"].duration_s or np.nan, "windows": float(windows.mean()) / 1000,
        "gap": float(gaps.max()), "gaps": float((early >= LONG_RTT).sum()),
        "first drop": float(sent.length[: int(np.argmax(sent.dropped))].sum()) / 1000,
        "figure 5": float(PACKETS - mispredicted(meter)), "crowd": _goodput(fetches),
    }  # fmt: skip
    return found | {f"at {LINES_MS[line]} ms": _goodput([each for each in fetches if each.line == line])
                    for line in LINES_MS if line != "paper"}  # fmt: skip


def _goodput(transfers: Sequence[Transfer]) -> float:
    return median((each.goodput_bps or 0.0) / 1000 for each in transfers)


def _settled(directory: RunDirectory, transfer: TransferSummary) -> float:
    """Payload kbit/s from the first arrival after 3 s to the last."""
    arrivals = series(directory, transfer)
    begin = int(np.searchsorted(arrivals.times_s, AFTER_S))
    span = arrivals.times_s[-1] - arrivals.times_s[begin]
    return float((arrivals.totals[-1] - arrivals.totals[begin]) * 8 / span) / 1000


def met(found: Mapping[str, float]) -> int:
    """How many rows."""
    return sum(row.is_met(found[row.name]) for row in ROWS)


def search(candidate: Candidate, draws: int, pool: ProcessPoolExecutor) -> list[tuple[Meter, dict[str, float]]]:
    """Settings of a candidate with their rows: all over its ranges, then around the best."""
    sampler = qmc.LatinHypercube(len(candidate.ranges), rng=np.random.default_rng(1))
    tried = _tried(candidate, sampler.random(draws), pool)
    best = sorted(range(len(tried)), key=lambda at: -met(tried[at][2]))[:BEST]
    near = [
        np.clip(tried[at][0] + (row * 2 - 1) * AROUND, 0, 1)
        for at in best
        for row in sampler.random(max(1, draws // 3))
    ]
    return [(meter, found) for _, meter, found in [*tried, *_tried(candidate, np.array(near), pool)]]


def _tried(
    candidate: Candidate, points: Floats, pool: ProcessPoolExecutor
) -> list[tuple[Floats, Meter, dict[str, float]]]:
    meters = [candidate.meter(point) for point in points]
    found = pool.map(measure, [(candidate.kind, meter, SEEDS[0]) for meter in meters])
    return list(zip(points, meters, found, strict=True))


def again(candidate: Candidate, meter: Meter, pool: ProcessPoolExecutor) -> dict[str, float]:
    """The rows of a setting as the medians over all seeds."""
    found = list(pool.map(measure, [(candidate.kind, meter, seed) for seed in SEEDS]))
    return {name: float(median(rows[name] for rows in found)) for name in found[0]}


def ranges(candidate: Candidate, tried: Sequence[tuple[Meter, dict[str, float]]]) -> str:
    """The parameters of those settings that meet most rows."""
    most = max(met(found) for _, found in tried)
    best = [meter for meter, found in tried if met(found) == most]
    spans = []
    for key, (unit, _, _) in candidate.ranges.items():
        values = [float(meter[key].split()[0]) for meter in best]
        scale, shown = {"bit/s": (1000, "kbit/s"), "B": (1000, "kB"), "s": (1, "s")}[unit]
        low, high = min(values) / scale, max(values) / scale
        spans.append(f"{key} {low:.3g}–{high:.3g} {shown}" if high > low else f"{key} {low:.3g} {shown}")
    return f"{most} of {len(ROWS)} in {len(best)} of {len(tried)} settings: {', '.join(spans)}"


def steady(kind: str, meter: Meter, rate_bps: int, seconds: int = 12) -> tuple[Floats, NDArray[np.bool_]]:
    """When the packets of a steady sender reach the meter alone, and which pass."""
    one = started(kind, meter)
    times = np.arange(0, seconds, 1500 * 8 / rate_bps)
    return times, np.array([one.conforms(1500, round(at * _NS_PER_S)) for at in times])


def losses_in_a_row(passes: NDArray[np.bool_]) -> tuple[int, int]:
    """The longest runs of dropped and of passed packets, once the first burst is over."""
    settled = passes[len(passes) // 4 :]
    edges = [0, *(np.flatnonzero(np.diff(settled.astype(int))) + 1), len(settled)]
    runs = [(bool(settled[start]), end - start) for start, end in pairwise(edges)]
    return tuple(
        max((length for is_passed, length in runs if is_passed == which), default=0) for which in (False, True)
    )  # type: ignore[return-value]


def drawn(best: Mapping[str, Meter]) -> Figure:
    """The fate of each packet of a sender at 200 kbit/s, by meter: what one capture at either end would show."""
    figure, axes = plt.subplots(figsize=(7.2, 0.55 * len(best) + 1.2))
    for at, (kind, meter) in enumerate(best.items()):
        times, passes = steady(kind, meter, 200_000)
        axes.plot(times[passes], [-at + 0.14] * int(passes.sum()), "|", color="#0072B2", markersize=9)
        axes.plot(times[~passes], [-at - 0.14] * int((~passes).sum()), "|", color="#D55E00", markersize=9)
    axes.set(
        yticks=[-at for at in range(len(best))], yticklabels=list(best), xlabel="seconds since the flow was matched"
    )
    axes.set_title("Packets at a steady 200 kbit/s: passed (blue, above) and dropped (orange, below)")
    return figure


def tables(found: Mapping[str, tuple[Candidate, Meter, dict[str, float], str]]) -> str:
    """What was tried, in Markdown."""
    kinds = list(found)
    lines = ["| published | " + " | ".join(f"`{kind}`" for kind in kinds) + " |", "|---|" + "---|" * len(kinds)]
    for row in ROWS:
        cells = []
        for kind in kinds:
            value = found[kind][2][row.name]
            shown = f"{value:.1f}" if row.unit in {"RTT", "s", "kB"} else f"{value:.0f}"
            cells.append(f"**{shown}**" if row.is_met(value) else shown)
        lines.append(f"| {row.name}: {row.published} | " + " | ".join(cells) + " |")
    lines.append("| rows met | " + " | ".join(f"{met(found[kind][2])} of {len(ROWS)}" for kind in kinds) + " |")
    lines += ["", "| meter | its best setting here | ranges of the settings that meet as many rows |", "|---|---|---|"]
    for kind, (candidate, meter, _, span) in found.items():
        setting = ", ".join(f"{key} {value}" for key, value in meter.items())
        lines.append(f"| `{kind}`: {candidate.summary} | {setting} | {span} |")
    lines += ["", "| what would tell them apart | " + " | ".join(f"`{kind}`" for kind in kinds) + " |"]
    lines.append("|---|" + "---|" * len(kinds))
    for name in (key for key in found[kinds[0]][2] if key.startswith("at ")):
        lines.append(
            f"| goodput of 375 kB, kbit/s, {name} | "
            + " | ".join(f"{found[kind][2][name]:.0f}" for kind in kinds)
            + " |"
        )
    rows = {kind: losses_in_a_row(steady(kind, found[kind][1], 200_000)[1]) for kind in kinds}
    lines.append(
        "| steady 200 kbit/s: longest run of losses | " + " | ".join(str(rows[kind][0]) for kind in kinds) + " |"
    )
    lines.append("| the same: longest run without a loss | " + " | ".join(str(rows[kind][1]) for kind in kinds) + " |")
    return "\n".join([*HEAD, *lines])


def main() -> None:
    """Try every candidate; print, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=20, help="settings of each kind at first (default: 20)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="runs at once")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    found: dict[str, tuple[Candidate, Meter, dict[str, float], str]] = {}
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for candidate in CANDIDATES:
            tried = search(candidate, arguments.draws, pool)
            meter = max(tried, key=lambda each: (met(each[1]), -_misses(each[1])))[0]
            found[candidate.kind] = candidate, meter, again(candidate, meter, pool), ranges(candidate, tried)
            print(f"{candidate.kind}: {len(tried)} settings, {found[candidate.kind][3]}", file=sys.stderr, flush=True)
    text = tables(found)
    if arguments.output is None:
        print(text)
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "which-meter.md").write_text(text + "\n", encoding="utf-8")
    with plt.rc_context(STYLE):
        save(drawn({kind: each[1] for kind, each in found.items()}), arguments.output, "which-meter")


def _misses(found: Mapping[str, float]) -> float:
    """By how much the rows that are not met are missed, as a share of what was published."""
    total = 0.0
    for row in ROWS:
        value = found[row.name]
        near = min(max(value, row.low), row.high)
        total += min(1.0, abs(value - near) / (row.low or 1.0))
    return total


if __name__ == "__main__":
    main()
