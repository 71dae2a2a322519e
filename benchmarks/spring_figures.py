"""What Xue et al. (IMC 2021) drew and told of the boxes, measured on the lines of `history/2021-spring` as they did it.

    python benchmarks/spring_figures.py                          the table; a minute or two
    python benchmarks/spring_figures.py -o results/spring-2021   the table into figures.md, and the figures beside it

Figures 4, 5 and 6: replays of the image of 383 kB, down and up, as recorded and with every bit turned over. Section
6.4: hellos whose TTL ends at one hop after the other, on each line. Section 6.6: how long an idle flow is remembered.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import yaml

from testbed import run
from testbed.conformance.figure_5 import EVENTS, PACKETS
from testbed.records.run import RunDirectory
from testbed.report.drawing import STYLE, plt, save
from testbed.report.series import segments, series, windowed_throughput
from testbed.scenario import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from testbed.api import Result
    from testbed.records.manifest import TransferSummary
    from testbed.report.series import Segments

Floats = np.ndarray[Any, np.dtype[np.float64]]
HEAD = (
    "# Figures of the paper, on the lines of the spring", "",
    "Made by `python benchmarks/spring_figures.py -o results/spring-2021`. Published: Xue et al., ACM IMC 2021; values",
    "of figures are read off them, to about 5 %, and shown in the figures beside ours: bands hold 90 % of the windows",
    "of a second. Ours is the default meter, a token bucket of 140 kbit/s, which has none of the gaps;",
    "[which meter?](../../docs/explanation/which-meter.md) tells what follows.", "",
)  # fmt: skip
LINES = ("beeline", "mts", "tele2", "megafon", "obit", "ufanet1", "ufanet2")
PLACES = {"megafon": "2"}  # where more was told than of all lines
FIGURE_5_S = 5.5


class Spread(NamedTuple):
    """Of a throughput in windows, kbit/s."""

    low: float
    mean: float
    high: float

    @classmethod
    def of(cls, windows: Floats) -> Spread:
        """From the 5th to the 95th of a hundred windows."""
        low, high = np.percentile(windows, [5, 95])
        return cls(float(low), float(windows.mean()), float(high))


FIGURE_4, FIGURE_4_S = Spread(87, 122, 154), {"target": 23.0, "control": 4.1}
FIGURE_5_FIRST_KB, FIGURE_5_GAPS = 17.5, (5.3, 3.5, 3.4)
FIGURE_6, FIGURE_6_TELE2 = Spread(131, 150, 170), (120.0, 130.0)
SETTLED_S, WINDOW_S = 3.0, 1.0
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"


def scenario() -> dict[str, Any]:
    """The spring's lines on one day of March, with replays in the place of fetches."""
    document: dict[str, Any] = yaml.safe_load(library.find("scenarios", "2021-spring").read_text(encoding="utf-8"))
    for key in ("schedule", "events", "about"):
        del document[key]
    replay = {"replay": "image", "lines": ["beeline", "tele2"], "timeout": "300 s"}
    return document | {
        "title": "Replays of the spring", "about": "As Xue et al. measured.", "date": "2021-03-20T09:00:00Z",
        "censors": {"tspu": "ru-tw-2021"}, "captures": {"box": "headers"}, "replay_server": "university",
        "recordings": [{"name": "image", "line": "rostelecom", "sni": "abs.twimg.com", "size": "383 kB"}],
        "measurements": [
            {**replay, "direction": direction, "inverted": inverted, "role": "control" if inverted else "target"}
            for direction in ("download", "upload") for inverted in (False, True)
        ],
    }  # fmt: skip


def the(result: Result, line: str, direction: str, role: str) -> TransferSummary:
    """One replay."""
    return next(
        each
        for each in result.manifest["transfers"]
        if (each["line"], each["direction"], each["role"]) == (line, direction, role)
    )


def figure_4(result: Result) -> Figure:
    """Throughput of the download, in windows of a second."""
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    run_ = RunDirectory.open(result.path)
    for role, label, colour, style in (("target", "original", ORANGE, "-"), ("control", "inverted", BLUE, "--")):
        times, speeds = windowed_throughput(series(run_, the(result, "beeline", "download", role)), WINDOW_S)
        axes.plot(times, speeds / 1000, style, color=colour, label=label)
        axes.axvline(FIGURE_4_S[role], color=colour, linestyle=":", linewidth=1)
    axes.axhspan(FIGURE_4.low, FIGURE_4.high, color=ORANGE, alpha=0.15, label="published: original, after 3 s")
    axes.axhline(FIGURE_4.mean, color=ORANGE, alpha=0.5, linewidth=1)
    axes.set(yscale="log", xlim=(0, 25), ylim=(50, 2000), xlabel="time (s)", ylabel="throughput (kbit/s)",
             title="As figure 4: Beeline, download (dotted: when the published ones ended)")  # fmt: skip
    axes.set_yticks([50, 100, 200, 500, 1000, 2000], ["50", "100", "200", "500", "1000", "2000"])
    axes.minorticks_off()
    axes.legend()
    return figure


def figure_5(result: Result) -> Figure:
    """Sequence numbers of the first seconds as sent, with what was dropped; below, packets as published and as ours."""
    sent = segments(RunDirectory.open(result.path), the(result, "beeline", "download", "target"))
    early = sent.times_s <= FIGURE_5_S
    figure, (axes, published, ours) = plt.subplots(
        3, 1, sharex=True, figsize=(6.4, 5.4), layout="constrained", height_ratios=(2, 1, 1)
    )
    for dropped, label, colour, mark in ((False, "delivered", BLUE, "o"), (True, "dropped", ORANGE, "x")):
        shown = early & (sent.dropped == dropped)
        axes.plot(sent.times_s[shown], sent.sequence[shown] * 8 / 1000, mark, color=colour, label=label, markersize=3)
    axes.set(ylabel="sequence number (kbit)", title="As figure 5: Beeline, sent and received")
    axes.legend()
    begins_s = EVENTS[0][0]
    rows = [(time_s - begins_s, delivered, dropped) for time_s, delivered, dropped in EVENTS]
    _draw_fates(published, rows, "published")
    _draw_fates(ours, list(_fates(sent)), "ours")
    ours.set(xlabel="time since the first segment (s)")
    return figure


def _fates(sent: Segments) -> Iterator[tuple[float, int, int]]:
    """How many segments of the first seconds were delivered and dropped, by when they were sent."""
    times = np.round(sent.times_s, 2)
    for time_s in np.unique(times[times <= FIGURE_5_S]):
        dropped = sent.dropped[times == time_s]
        yield float(time_s), int((~dropped).sum()), int(dropped.sum())


def _draw_fates(axes: Axes, rows: Sequence[tuple[float, int, int]], label: str) -> None:
    """Draw delivered packets upwards and dropped ones downwards."""
    times, delivered, dropped = zip(*rows, strict=True)
    axes.bar(times, delivered, width=0.06, color=BLUE)
    axes.bar(times, [-each for each in dropped], width=0.06, color=ORANGE)
    axes.axhline(0, color=GREY, linewidth=0.5)
    axes.set(ylim=(-20, 14), yticks=(-20, -10, 0, 10), yticklabels=("20", "10", "0", "10"), ylabel=f"packets, {label}")


def passed_windows(result: Result, line: str, role: str) -> tuple[Floats, Floats]:
    """Throughput of an upload behind the box, kbit/s: what a reader of figure 6 sees, and no wait for a lost packet."""
    sent = segments(RunDirectory.open(result.path), the(result, line, "upload", role))
    times, lengths = sent.times_s[~sent.dropped], sent.length[~sent.dropped]
    edges = np.arange(0.0, times[-1], WINDOW_S)
    kilobits = np.histogram(times, edges, weights=lengths)[0] * 8 / 1000 / WINDOW_S
    return (edges[1:] + edges[:-1]) / 2, kilobits


def figure_6(result: Result) -> Figure:
    """Throughput of the upload on a line that is policed, and on one whose provider shapes all uploads."""
    figure, axes = plt.subplots(figsize=(6.4, 3.2))
    for line, role, label, colour, style in (
        ("beeline", "target", "Beeline, policed", ORANGE, "-"),
        ("tele2", "control", "Tele2, inverted: shaped, whatever it is", BLUE, "--"),
        ("tele2", "target", "Tele2, original", GREY, ":"),
    ):
        axes.plot(*passed_windows(result, line, role), style, color=colour, label=label)
    axes.axhspan(FIGURE_6.low, FIGURE_6.high, color=ORANGE, alpha=0.15, label="published: Beeline, settled")
    axes.axhspan(*FIGURE_6_TELE2, color=BLUE, alpha=0.15, label="published: Tele2, but for its beginning")
    axes.set(ylim=(0, 320), xlabel="time (s)", ylabel="throughput (kbit/s)", title="As figure 6: upload")
    axes.legend(loc="upper right")
    return figure


def settled(windows: Floats) -> Floats:
    """The windows after the first seconds."""
    return windows[int(SETTLED_S / WINDOW_S) :]


def replays(result: Result) -> Iterator[str]:
    """Figures 4 to 6 in numbers."""
    run_ = RunDirectory.open(result.path)
    arrivals = series(run_, the(result, "beeline", "download", "target"))
    down = settled(windowed_throughput(arrivals, WINDOW_S)[1]) / 1000
    up, tele2 = (settled(passed_windows(result, *which)[1]) for which in (("beeline", "target"), ("tele2", "control")))
    sent = segments(run_, the(result, "beeline", "download", "target"))
    passed = sent.times_s[~sent.dropped]
    rtt_s = run_.plan["rtt_s"]["beeline"]["university"]
    gaps = np.diff(passed[passed <= FIGURE_5_S]) / rtt_s
    first_kb = sent.length[: int(np.argmax(sent.dropped))].sum() / 1000
    early = sent.times_s <= FIGURE_5_S
    longest = sorted((float(gap) for gap in gaps), reverse=True)[: len(FIGURE_5_GAPS)]
    yield "| figure | quantity | published | ours | differs by |"
    yield "|---|---|---|---|---|"
    for role, word in (("target", "original"), ("control", "inverted")):
        duration_s = the(result, "beeline", "download", role)["duration_s"] or 0.0
        yield _row("4", f"duration, {word}", [FIGURE_4_S[role]], [duration_s], "s", digits=1)
    yield from _spread_rows("4", "download after 3 s", FIGURE_4, Spread.of(down))
    yield _row("5", "payload before the first drop", [FIGURE_5_FIRST_KB], [first_kb], "kB", digits=1)
    lost = sum(dropped for _, _, dropped in EVENTS)
    yield _row("5", "packets of the first 5.5 s", [PACKETS], [int(early.sum())], "")
    yield _row("5", "of them dropped", [lost], [int(sent.dropped[early].sum())], "")
    yield _row("5", "longest gaps on the wire, in round trips", FIGURE_5_GAPS, longest, "", digits=1)
    yield from _spread_rows("6", "upload, Beeline", FIGURE_6, Spread.of(up))
    spread = Spread.of(tele2)
    yield _row("6", "upload, Tele2, whatever it is: 5 and 95 %", FIGURE_6_TELE2, [spread.low, spread.high], "kbit/s")
    for role, word in (("target", "original"), ("control", "inverted")):
        yield f"| 6 | drops at Tele2's box, {word} | – | {the(result, 'tele2', 'upload', role)['drops']} | – |"


def _spread_rows(figure: str, what: str, published: Spread, ours: Spread) -> Iterator[str]:
    yield _row(figure, f"{what}: mean", [published.mean], [ours.mean], "kbit/s")
    ends = [published.low, published.high], [ours.low, ours.high]
    yield _row(figure, f"{what}: 5 and 95 % of the windows", *ends, "kbit/s")


def _row(
    figure: str, what: str, published: Sequence[float], ours: Sequence[float], unit: str, *, digits: int = 0
) -> str:
    """A row of the table; the difference is that of the numbers as shown."""
    shown = [[round(float(value), digits) for value in values] for values in (published, ours)]
    apart = [mine - theirs for theirs, mine in zip(*shown, strict=True)]
    cells = [", ".join(f"{value:.{digits}f}" for value in values) for values in shown]
    cells.append(", ".join(f"{value:+.{digits}f}" for value in apart))
    return f"| {figure} | {what} | " + " | ".join(f"{cell} {unit}".strip() for cell in cells) + " |"


def probed(folder: Path, probe: str, line: str) -> dict[str, Any]:
    """What a probe finds on a line."""
    path = folder / "scenario.yaml"
    path.write_text(json.dumps(scenario(), default=str), encoding="utf-8")  # JSON is YAML
    words = ["probe", probe, str(path), "--line", line, "--json", "-o", str(folder / f"{probe}-{line}")]
    done = subprocess.run([sys.executable, "-m", "testbed.cli", *words], capture_output=True, text=True, check=False)
    if not done.stdout:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def places() -> Iterator[str]:
    """Where the box is, line by line, and for how long it remembers."""
    yield "| line | box after hop: section 6.4 | ours, by TTL | as configured |"
    yield "|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        for line in LINES:
            said = probed(Path(folder), "ttl", line)
            agrees = "yes" if said["agrees"] else "**no**"
            published = PLACES.get(line, "within the first five")
            yield f"| {line} | {published} | {_hops(said['found'])} | {agrees} |"
        said = probed(Path(folder), "timeout", "beeline")
        found = said["found"]
        between = f"{found['remembers_s'] / 60:.2f} and {found['forgets_s'] / 60:.2f} min"
        yield f"\nAn idle flow is remembered for about 10 min (section 6.6); ours, by bisection, between {between}."


def _hops(found: dict[str, Any]) -> str:
    return " and ".join(str(value) for key, value in sorted(found.items()) if "hop" in key) or json.dumps(found)


def main() -> None:
    """Print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    lines = [*HEAD]
    with tempfile.TemporaryDirectory() as folder:
        result = run(scenario(), output=Path(folder) / "run")
        if arguments.output is not None:
            arguments.output.mkdir(parents=True, exist_ok=True)
            with plt.rc_context(STYLE):
                for name, figure in (("figure-4", figure_4), ("figure-5", figure_5), ("figure-6", figure_6)):
                    lines += [f"![As {name.replace('-', ' ')}]({save(figure(result), arguments.output, name)})"]
            lines.append("")
        lines += replays(result)
    lines += ["", *places()]
    text = "\n".join(lines) + "\n"
    if arguments.output is None:
        print(text, end="")
    else:
        (arguments.output / "figures.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
