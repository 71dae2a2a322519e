"""The spring of 2021 on eight lines, beside what was published: table 1, and figures 4 and 7 of Xue et al. (IMC 2021).

    testbed run 2021-spring --by-day -o DAYS          a run of each day
    python benchmarks/spring_2021.py DAYS             tables and a figure of them
    python benchmarks/spring_2021.py DAYS -o FOLDER   written to a folder: spring.md, throttled-share.svg

Shares of figure 7 are read off it, to about 5 %. Of a day we have six requests a line.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from testbed import load
from testbed.report.drawing import STYLE, plt, save

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from testbed.api import Result

Day = dt.date
FIRST, LAST = Day(2021, 3, 11), Day(2021, 5, 19)
LIFT = Day(2021, 5, 18)  # the first whole day after the lift on landlines

TABLE_1: Mapping[str, bool] = {
    "beeline": True, "mts": True, "tele2": True, "megafon": True, "obit": True, "ufanet1": True, "ufanet2": True,
    "rostelecom": False,
}  # fmt: skip
"""Whether a line was throttled on 11 March."""


class Period(NamedTuple):
    """Days of one line, and the share of its requests that was throttled according to figure 7."""

    line: str
    first: Day
    last: Day
    share: float


DIPS: Mapping[str, tuple[Day, tuple[float, ...]]] = {
    "beeline": (Day(2021, 4, 11), (0.96, 0.93, 0.90, 0.88, 0.74, 0.80, 0.75, 0.85, 0.80, 0.86)),
    "tele2": (Day(2021, 4, 23), (0.95, 0.60, 0.49, 0.57, 0.58, 0.51, 0.35)),
}
"""Days on which figure 7 has another share each, from the first on."""
FIGURE_7 = (
    Period("beeline", FIRST, Day(2021, 4, 10), 1.0),
    Period("beeline", Day(2021, 4, 11), Day(2021, 4, 20), float(np.mean(DIPS["beeline"][1]))),
    Period("beeline", Day(2021, 4, 21), LAST, 1.0),
    Period("mts", FIRST, LAST, 1.0),
    Period("tele2", FIRST, Day(2021, 4, 22), 1.0),
    Period("tele2", Day(2021, 4, 23), Day(2021, 4, 29), float(np.mean(DIPS["tele2"][1]))),
    Period("tele2", Day(2021, 4, 30), LAST, 0.0),
    Period("megafon", FIRST, LAST, 1.0),
    Period("obit", Day(2021, 3, 20), Day(2021, 3, 20), 0.0),
    Period("obit", Day(2021, 4, 9), Day(2021, 4, 9), 1.0),
    Period("obit", Day(2021, 4, 10), LAST, 0.0),
    Period("ufanet1", FIRST, Day(2021, 5, 16), 1.0),
    Period("ufanet1", LIFT, LAST, 0.0),
    Period("ufanet2", FIRST, Day(2021, 5, 15), 1.0),
    Period("ufanet2", LIFT, LAST, 0.0),
    Period("rostelecom", FIRST, LAST, 0.0),
)
HEAD = (
    "# The spring of 2021 on eight lines, beside what was published", "",
    "Made by `testbed run 2021-spring --by-day -o DAYS` and by",
    "`python benchmarks/spring_2021.py DAYS -o results/spring-2021`.",
    "Published: Xue et al., ACM IMC 2021, table 1 and figures 4 and 7. The shares of figure 7 went into the scenario,",
    "day by day; what is compared is what came of them, with six requests a day and line. Where the box is out of the",
    "path, or the rules changed, is in the scenario too. Left out are days of which the figure shows nothing to",
    "read (OBIT before 9 April but for 20 March), and days of transition (16 and 17 May).", "",
    "![Share of requests that was throttled, by day](throttled-share.svg)", "",
)  # fmt: skip
"""What a reader of the tables has to know: no agreement here is a prediction."""
STATE_SITES = ("kremlin.ru", "rkn.gov.ru")
OUT = tuple(dt.datetime(2021, 3, 10, hour, tzinfo=dt.UTC) for hour in (7, 13))
FIGURE_4_S = {"target": 23.0, "control": 4.1}
"""Seconds for 383 kB, with Twitter's name and without."""


def daily(results: Sequence[Result]) -> dict[str, dict[Day, list[bool]]]:
    """Whether each request for the target was throttled, by line and day."""
    found: dict[str, dict[Day, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        start = dt.datetime.fromtimestamp(result.manifest["start_ns"] / 1e9, tz=dt.UTC)
        for each in result.transfers:
            if each.role == "target" and each.start_s is not None:
                found[each.line][(start + dt.timedelta(seconds=each.start_s)).date()].append(each.throttled)
    return found


def published(line: str) -> dict[Day, float]:
    """The share of a line's requests that was throttled according to figure 7, by day."""
    found = {
        first + dt.timedelta(days=number): share_
        for of, first, last, share_ in FIGURE_7
        for number in range((last - first).days + 1)
        if of == line
    }
    if line in DIPS:
        first, shares = DIPS[line]
        found |= {first + dt.timedelta(days=number): share_ for number, share_ in enumerate(shares)}
    return found


def by_chance(share_: float, count: int) -> str:
    """How far a share of so many draws is from the true one in 95 of 100 cases (normal approximation), in words."""
    points = 1.96 * math.sqrt(share_ * (1 - share_) / count) * 100
    return f" (by chance: up to {points:.0f})" if points else ""


def share(days: Mapping[Day, Sequence[bool]], first: Day, last: Day) -> tuple[int, int]:
    """How many requests were throttled in a period, of how many."""
    requests = [each for day, of_day in days.items() if first <= day <= last for each in of_day]
    return sum(requests), len(requests)


def tables(results: Sequence[Result]) -> str:
    """What was published, and what ours is."""
    transfers = [each for result in results for each in result.transfers]
    days = daily(results)
    lines = ["| line | throttled on 11 March: table 1 | ours |", "|---|---|---|"]
    for line, is_throttled in TABLE_1.items():
        hits, count = share(days[line], FIRST, FIRST)
        lines.append(f"| {line} | {'yes' if is_throttled else 'no'} | {hits} of {count} requests |")
    lines += ["", "| line | days | throttled: figure 7 | ours | differs by |", "|---|---|---|---|---|"]
    for line, first, last, published_share in FIGURE_7:
        hits, count = share(days[line], first, last)
        if not count:
            lines.append(f"| {line} | {first} to {last} | {published_share:.0%} | the run has no such days | |")
            continue
        ours = f"{hits / count:.0%} ({hits} of {count})"
        difference = f"{(hits / count - published_share) * 100:+.0f} points{by_chance(published_share, count)}"
        lines.append(f"| {line} | {first} to {last} | {published_share:.0%} | {ours} | {difference} |")
    lines += ["", "| Beeline, 383 kB | figure 4 | ours (median) | differs by |", "|---|---|---|---|"]
    for role, published_s in FIGURE_4_S.items():
        times = [
            each.duration_s
            for each in transfers
            if each.line == "beeline" and each.role == role and each.duration_s and each.throttled == (role == "target")
        ]
        ours_s = round(median(times), 1)
        lines.append(f"| {role} | {published_s:.1f} s | {ours_s:.1f} s | {ours_s - published_s:+.1f} s |")
    lines += ["", "| state sites from one line, by the clock of Moscow | published | ours |", "|---|---|---|"]
    lines += state_sites(results)
    emulated_s = sum(float(result.manifest["emulated_s"]) for result in results)
    size = sum(path.stat().st_size for result in results for path in result.path.rglob("*") if path.is_file())
    run = f"{len(transfers)} transfers on {len(results)} days, {emulated_s / 86_400:.0f} days of emulated time"
    return "\n".join([*HEAD, *lines, "", f"{run}, {size / 1e6:.0f} MB. {speed(results, emulated_s)}"])


def speed(results: Sequence[Result], emulated_s: float) -> str:
    """How long the days took on the machine that ran them."""
    took_s = [float(result.manifest["wall_s"]) for result in results]
    return (
        f"On one of two processors a day took {median(took_s):.1f} s ({min(took_s):.1f} to {max(took_s):.1f}), all of "
        f"them {sum(took_s):.0f} s: {emulated_s / sum(took_s):.0f} emulated seconds a second; on both, twice as many."
    )


def state_sites(results: Sequence[Result]) -> list[str]:
    """Whether the state sites answered while the gateway was out, and otherwise."""
    counts = {True: [0, 0], False: [0, 0]}
    for result in results:
        start = dt.datetime.fromtimestamp(result.manifest["start_ns"] / 1e9, tz=dt.UTC)
        for each in result.transfers:
            if each.sni in STATE_SITES and each.start_s is not None:
                was_out = OUT[0] <= start + dt.timedelta(seconds=each.start_s) < OUT[1]
                counts[was_out][0] += each.ok
                counts[was_out][1] += 1
    return [
        f"| 10 March, 10:00 to 16:00 | unreachable | {counts[True][0]} of {counts[True][1]} fetches answered |",
        f"| all other rounds | – | {counts[False][0]} of {counts[False][1]} answered |",
    ]


def drawn(results: Sequence[Result]) -> Figure:
    """A row a line, as in figure 7: the share of requests that was throttled on each day."""
    found = daily(results)
    figure, rows = plt.subplots(len(TABLE_1), 1, sharex=True, sharey=True, figsize=(7.2, 7.6))
    for axes, line in zip(rows, TABLE_1, strict=True):
        dates = sorted(found[line])
        shares = [float(np.mean(found[line][day])) for day in dates]
        read_off = published(line)
        axes.plot([np.datetime64(day) for day in read_off], list(read_off.values()), "o", color="#D55E00", markersize=4)
        axes.step([np.datetime64(day) for day in dates], shares, where="mid", color="#0072B2", linewidth=1.2)
        axes.set(ylim=(-0.1, 1.1), yticks=(0, 1))
        axes.set_ylabel(line, rotation=0, ha="right", va="center")
    rows[0].set_title("Share of requests that was throttled, by day (line: ours; dots: read off figure 7)")
    rows[-1].tick_params(axis="x", rotation=30)
    return figure


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("days", type=Path, help="what `testbed run 2021-spring --by-day -o` wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    results = [load(path.parent) for path in sorted(arguments.days.glob("*/manifest.json"))]
    if not results:
        raise SystemExit(f"{arguments.days}: there are no runs in it")
    for result in results:
        if not result.valid:
            raise SystemExit(f"{result.path}: not to be scored: {'; '.join(result.problems) or 'it was not completed'}")
    text = tables(results)
    if arguments.output is None:
        print(text)
        return
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "spring.md").write_text(text + "\n", encoding="utf-8")
    with plt.rc_context(STYLE):
        save(drawn(results), arguments.output, "throttled-share")


if __name__ == "__main__":
    main()
