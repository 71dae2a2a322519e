"""How soon is an onset or a lift seen in daily speeds, and how often where there is none?

    python benchmarks/onset_and_lift.py                    emulated lines; some minutes
    python benchmarks/onset_and_lift.py --crowd FOLDER     and the crowd of 2021, which saw neither: the data of
                                                           github.com/4ndv/russia-twitter-throttle
    python benchmarks/onset_and_lift.py -o results/onset   the tables into onset.md

Each method is given the days so far, day by day, as somebody who watches would. The delay is the number of whole days
from the change to the first alarm that lies behind it; an alarm before the change is false. A lift is a fall of the
time that a fetch takes, so the methods are given the inverse of the speeds. Three fetches a day on each of three lines;
rates of lines, the day of the change and small variations are drawn.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from testbed import run
from testbed.detectors.observation import Observation, SpeedTable
from testbed.detectors.registry import load_detector
from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

METHODS = ("cusum", "pelt", "bocpd", "anderson")
DAYS, SEEDS = 24, 10
FIRST = datetime(2021, 2, 20, tzinfo=UTC)
CHANGES = (10, 16)  # the day of a change is one of these and those between
RATE = "uniform(600 kbit/s, 8 Mbit/s)"
DAY_S = 86_400.0
KINDS = {
    "onset": "Onset", "half": "Onset for half of all flows", "lift": "Lift", "none": "No change, watched for an onset",
}  # fmt: skip
HEAD = (
    "# Onset and lift in daily speeds", "",
    "Made by `python benchmarks/onset_and_lift.py --crowd FOLDER -o results/onset`.",
)  # fmt: skip
LEAST_TESTS = 20  # a day, of a provider of the crowd
THROTTLED_KBPS = 200  # what the crowd's authors call throttled


class Series(NamedTuple):
    """Speeds over days: when (s since 1970), bits a second; the day of the change, from 0 on, None: there is none."""

    times_s: np.ndarray[Any, np.dtype[np.float64]]
    speeds_bps: np.ndarray[Any, np.dtype[np.float64]]
    change: int | None


def scenario(kind: str, seed: int) -> tuple[dict[str, Any], int | None]:
    """Three lines over some weeks; the censor begins or ends on a drawn day, or does not."""
    change = None if kind == "none" else int(np.random.default_rng(seed).integers(*CHANGES, endpoint=True))
    events = []
    if change is not None:
        at = FIRST + timedelta(days=change)
        event: dict[str, Any] = {"at": f"{at:%Y-%m-%dT%H:%M}Z", "censor": "none" if kind == "lift" else "ru-tw-2021b"}
        events = [{"censor": {**event, **({"share": "50 %"} if kind == "half" else {})}}]
    until = FIRST + timedelta(days=DAYS) - timedelta(hours=1)
    return {
        "format": 1, "title": "Days", "about": "Three lines.", "date": f"{FIRST:%Y-%m-%dT%H:%M}Z",
        "network": {"topology": "russia2021"},
        "lines": [{"name": name, "kind": "mobile", "tspu": True, "down": RATE} for name in "abc"],
        "censors": {"tspu": "ru-tw-2021b" if kind == "lift" else "none"},
        "origins": {"origin": {"serves": ["twitter.com"]}},
        "measurements": [{"fetch": "twitter.com", "size": "100 kB", "role": "target"}],
        "schedule": {"every": "8 h", "until": f"{until:%Y-%m-%dT%H:%M}Z"}, "variation": "natural",
        "captures": {"box": "compared"}, "events": events,
    }, change  # fmt: skip


def emulated(task: tuple[str, int]) -> Series:
    """The speeds of one emulated run."""
    kind, seed = task
    document, change = scenario(kind, seed)
    with tempfile.TemporaryDirectory() as folder:
        transfers = [
            each for each in run(document, seed=seed, output=Path(folder) / "run").transfers if each.goodput_bps
        ]
    times = np.array([FIRST.timestamp() + (each.start_s or 0.0) for each in transfers])
    return Series(times, np.array([float(each.goodput_bps or 0.0) for each in transfers]), change)


def first_alarm(method: str, series: Series, *, lift: bool) -> int | None:
    """The day on which a method that is given the days so far first calls them slowed down, from 0 on."""
    detector = load_detector(method)
    values = 1e12 / series.speeds_bps if lift else series.speeds_bps
    dates = (series.times_s // DAY_S).astype(int)  # of the calendar, as the methods have them
    days = dates - dates.min()
    for day in range(int(days.max()) + 1):
        known = days <= day
        group = np.full(int(known.sum()), "all")
        speeds = SpeedTable(times_s=series.times_s[known], target_bps=values[known], group=group)
        if detector.detect(Observation(source="days", speeds=speeds)).outcome is Outcome.THROTTLED:
            return day
    return None


def row(method: str, found: Sequence[tuple[Series, int | None]]) -> str:
    """What came of the series of one kind."""
    delays = [
        alarm - each.change
        for each, alarm in found
        if each.change is not None and alarm is not None and alarm >= each.change
    ]
    false = sum(alarm is not None and (each.change is None or alarm < each.change) for each, alarm in found)
    watched = sum((DAYS if each.change is None else each.change) for each, _ in found)
    seen = f"{len(delays)} of {len(found)}" if any(each.change is not None for each, _ in found) else "–"
    delay = f"{median(delays):.0f} ({min(delays)}–{max(delays)})" if delays else "–"
    return f"| `{method}` | {seen} | {delay} | {false} in {watched} days |"


def tables(pool: ProcessPoolExecutor) -> Iterator[str]:
    """Onset, lift, and neither."""
    for kind, what in KINDS.items():
        series = list(pool.map(emulated, [(kind, seed) for seed in range(1, SEEDS + 1)]))
        yield from (
            f"\n## {what}: {SEEDS} emulated series\n",
            "| method | seen | days until then: median (range) | false alarms |",
        )
        yield "|---|---|---|---|"
        for method in METHODS:
            yield row(method, [(each, first_alarm(method, each, lift=kind == "lift")) for each in series])
        print(what, file=sys.stderr, flush=True)


def crowd(folder: Path) -> dict[str, Series]:
    """Throttled fetches of each large provider of the crowd: days on which nothing changed."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.rglob("2021-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for each in csv.DictReader(file):
                speed = float(each["test_result"] or 0)
                if each["as_country"] == "RU" and 0 < speed < THROTTLED_KBPS:
                    when = datetime.strptime(each["datetime_rounded"], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC)
                    rows.setdefault(each["as_organization"], []).append((when.timestamp(), speed * 1000))
    found = {}
    for name, of_provider in rows.items():
        times, speeds = (np.array(column) for column in zip(*of_provider, strict=True))
        days = len(np.unique(times // DAY_S))
        if len(times) >= LEAST_TESTS * days and days > CHANGES[0]:
            found[name] = Series(times, speeds, None)
    return found


def crowd_table(folder: Path) -> Iterator[str]:
    """Alarms in days of the crowd on which nothing is known to have changed."""
    series = crowd(folder)
    if not series:
        raise SystemExit(f"{folder}: no provider with {LEAST_TESTS} throttled tests a day; expected data/2021-*/*.csv")
    yield f"\n## The crowd, {len(series)} providers, throttled throughout\n"
    yield from ("| method | alarms for an onset | alarms for a lift |", "|---|---|---|")
    for method in METHODS:
        alarms = [
            sum(first_alarm(method, each, lift=lift) is not None for each in series.values()) for lift in (False, True)
        ]
        yield f"| `{method}` | {alarms[0]} of {len(series)} | {alarms[1]} of {len(series)} |"


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crowd", type=Path, metavar="FOLDER")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    lines = [*HEAD]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        lines += tables(pool)
    lines += (
        crowd_table(arguments.crowd)
        if arguments.crowd
        else ["\nThe crowd: not checked; give its CSV files by --crowd."]
    )
    text = "\n".join(lines) + "\n"
    if arguments.output is None:
        print(text, end="")
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "onset.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
