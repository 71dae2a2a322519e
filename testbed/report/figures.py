"""The figures of a run: throughput over time, and the sequence plot with dropped segments marked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from testbed.report.drawing import STYLE, plt, save
from testbed.report.series import NotCapturedError, Segments, segments, series, windowed_throughput

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from testbed.records.manifest import TransferSummary
    from testbed.records.run import RunDirectory

__all__ = ["write_figures"]

_WINDOW_S = 0.5
_FLOOR_KBPS = 8.0  # a window in which nothing arrived is drawn here
_FIRST_SECONDS = 6.0  # as much as X21 Fig. 5 shows
_NOT_FOR_A_FILE_NAME = re.compile("[^A-Za-z0-9-]")
_TARGET, _CONTROL, _DROPPED = "#d55e00", "#0072b2", "#d55e00"  # of Okabe and Ito's palette, told apart by everybody


def write_figures(run: RunDirectory, transfers: list[TransferSummary], folder: Path) -> dict[str, str]:
    """Draw what the run has data for, each as SVG and PNG.

    Returns:
        File name of the SVG by title.
    """
    figures: dict[str, str] = {}
    with plt.rc_context(STYLE):
        replays = [each for each in transfers if each["kind"] == "replay" and each["ok"]]
        if replays:
            title = "Throughput over time: the recorded fetch and its bit-inverted control"
            figures[title] = save(_throughput(run, replays), folder, "throughput")
        for transfer in _plotted_in_sequence(replays):
            try:
                sent = segments(run, transfer)
            except NotCapturedError:
                continue  # the scenario asked for no captures at the box
            title = f"Data segments where they enter the box: {transfer['line']}, {transfer['direction']} replay"
            name = _NOT_FOR_A_FILE_NAME.sub("_", f"sequence-{transfer['line']}-{transfer['direction']}")
            figures[title] = save(_sequence(sent), folder, name)
    return figures


def _plotted_in_sequence(replays: list[TransferSummary]) -> list[TransferSummary]:
    """Return the first throttled replay in each direction."""
    chosen: dict[str, TransferSummary] = {}
    for transfer in replays:
        if transfer["throttled"]:
            chosen.setdefault(transfer["direction"], transfer)
    return list(chosen.values())


def _throughput(run: RunDirectory, replays: list[TransferSummary]) -> Figure:
    lines = list(dict.fromkeys(each["line"] for each in replays))
    directions = [each for each in ("download", "upload") if any(replay["direction"] == each for replay in replays)]
    figure, grid = plt.subplots(
        len(directions), len(lines), figsize=(3.2 * len(lines), 2.3 * len(directions)), sharey=True, sharex=True,
        squeeze=False,
    )  # fmt: skip
    for row, direction in zip(grid, directions, strict=True):
        for axes, line in zip(row, lines, strict=True):
            for replay in replays:
                if (replay["line"], replay["direction"]) == (line, direction):
                    _plot_throughput(axes, run, replay)
            # A throttled replay gets a small part of what its control gets: on a linear axis it would lie on the
            # bottom.
            axes.set_yscale("log", nonpositive="clip")
            axes.axhspan(130, 150, color="0.5", alpha=0.25, lw=0)
            axes.set_title(f"{line}, {direction}", fontsize=9, parse_math=False)
        row[0].set_ylabel("payload, kbit/s")
    for axes in grid[-1]:
        axes.set_xlabel("seconds since SYN")
    grid[0][0].set_ylim(bottom=_FLOOR_KBPS)  # of all panels, once they have their data: it ends autoscaling
    grid[0][0].legend(fontsize=8, frameon=False)
    figure.text(0.995, 0.0, "grey: 130–150 kbit/s, Xue et al. 2021", ha="right", va="top", fontsize=7, color="0.4")
    figure.tight_layout()
    return figure


def _plot_throughput(axes: Axes, run: RunDirectory, replay: TransferSummary) -> None:
    is_target = replay["role"] == "target"
    middles, rates = windowed_throughput(series(run, replay), _WINDOW_S)
    axes.step(
        middles, (rates / 1000).clip(_FLOOR_KBPS), where="mid", color=_TARGET if is_target else _CONTROL,
        lw=1.2 if is_target else 2.5,
        ls="-" if is_target else (0, (3, 1)),  # dashes: told apart without colours, too
        marker="o" if len(rates) == 1 else "",  # a step of one window has no line
        markersize=3, label="original" if is_target else "inverted (control)",
        zorder=3 if is_target else 2,
    )  # fmt: skip


def _sequence(sent: Segments) -> Figure:
    figure, (whole, close) = plt.subplots(1, 2, figsize=(9.6, 3.4))
    for axes, until in ((whole, None), (close, _FIRST_SECONDS)):
        shown = sent.times_s <= until if until else sent.times_s >= 0
        passed, dropped = shown & ~sent.dropped, shown & sent.dropped
        axes.plot(sent.times_s[passed], sent.sequence[passed] / 1000, ".", color=_CONTROL, ms=4, label="delivered")
        axes.plot(
            sent.times_s[dropped], sent.sequence[dropped] / 1000, "x", color=_DROPPED, ms=5, label="dropped by the box"
        )
        axes.set_xlabel("seconds since the first data segment")
    whole.set_ylabel("sequence number, kB")
    whole.set_title("whole transfer", fontsize=9)
    close.set_title(f"first {_FIRST_SECONDS:.0f} s", fontsize=9)
    close.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    return figure
