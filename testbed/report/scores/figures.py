"""Figures of scores: who finds what on which condition, how scores part throttled lines from others, and frontiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.verdict import Outcome
from testbed.report.drawing import STYLE, plt, save
from testbed.validation.scoring.scores import part_scores
from testbed.validation.suite import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from testbed.records.label import Label
    from testbed.validation.frontier import FrontierPoint
    from testbed.validation.scoring.scores import Scored

__all__ = ["write_score_figures"]

_LABELS: Final[tuple[Label, ...]] = ("throttled", "not throttled")
_PER_ROW_IN, _PER_COLUMN_IN, _MARGIN_IN = 0.2, 0.36, 2.6
_MOST_CURVES = 8  # more cannot be told apart by colour and dash
_DASHES: Final = ("-", "--", "-.", ":")


def write_score_figures(
    scored: Sequence[Scored], frontiers: Mapping[str, Sequence[FrontierPoint]], folder: Path
) -> list[str]:
    """Draw what there is, each as SVG and PNG; return the names of the SVGs.

    Args:
        scored: Every verdict with what is true.
        frontiers: By what moves along the axis.
        folder: It is made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    with plt.rc_context(STYLE):
        names += [save(_heat_map(scored, label), folder, f"map-{label.replace(' ', '-')}") for label in _LABELS]
        if curves := list(_curves(scored)):
            names.append(save(_roc(curves[:_MOST_CURVES]), folder, "roc"))
        for number, (axis, points) in enumerate(frontiers.items(), start=1):
            names.append(save(_frontier(axis, points), folder, f"frontier-{number}"))
    return names


def _heat_map(scored: Sequence[Scored], label: Label) -> Figure:
    """Shares of lines that were called throttled: a row a condition, a column a detector, the best first."""
    scores = {part: part_scores(scored, part) for part in PARTS}
    # Those that are in doubt about everything would be empty columns; the board names them.
    order = [each.detector for each in scores["held_out"] or scores["development"] if each.inconclusive < 1]
    by_name = {part: {each.detector: each for each in found} for part, found in scores.items()}
    rows: list[tuple[str, list[float]]] = []
    for part in PARTS:
        known = {name for each in scores[part] for name, found in each.conditions.items() if found.count(label)}
        for condition in sorted(known):
            shares = []
            for detector in order:
                found = by_name[part].get(detector)
                share = (
                    None
                    if found is None or condition not in found.conditions
                    else (found.conditions[condition].share(label, Outcome.THROTTLED))
                )
                shares.append(np.nan if share is None else share)
            rows.append((f"{condition}{'' if part == 'held_out' else ' (dev.)'}", shares))
    size = (_MARGIN_IN + _PER_COLUMN_IN * len(order), _MARGIN_IN + _PER_ROW_IN * len(rows))
    figure, axes = plt.subplots(figsize=size)
    # Dark is called throttled: right in one figure, and wrong in the other. Grey, so that everybody can read it.
    values = np.array([shares for _, shares in rows]) if rows else np.full((1, max(1, len(order))), np.nan)
    axes.imshow(values, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    _write_values(axes, values)
    axes.set_xticks(range(len(order)), order, rotation=90)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.grid(visible=False)
    wanted = "should be dark" if label == "throttled" else "should be white"
    axes.set_title(f"Lines that are {label}: share called throttled ({wanted})")
    return figure


def _write_values(axes: Axes, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    middle = 0.5
    for (row, column), share in np.ndenumerate(values):
        if np.isfinite(share) and share > 0:
            color = "white" if share > middle else "black"
            axes.text(column, row, f"{share * 100:.0f}", ha="center", va="center", color=color, fontsize=6)


def _curves(scored: Sequence[Scored]) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yield false alarms and found, by threshold of the score, for each detector that has one on the held-out part."""
    for score in part_scores(scored, "held_out"):
        if score.details.auc is None:
            continue
        own = [
            (each.verdict["score"], each.label == "throttled")
            for each in scored
            if each.part == "held_out" and each.detector == score.detector and each.verdict["score"] is not None
        ]
        positives, negatives = sum(true for _, true in own), sum(not true for _, true in own)
        alarms, found = [0.0], [0.0]
        for threshold in sorted({value for value, _ in own if value is not None}, reverse=True):
            called = [true for value, true in own if value is not None and value >= threshold]
            found.append(sum(called) / positives)
            alarms.append((len(called) - sum(called)) / negatives)
        yield f"{score.detector} ({score.details.auc:.2f})", alarms, found


def _roc(curves: Sequence[tuple[str, list[float], list[float]]]) -> Figure:
    figure, axes = plt.subplots(figsize=(4.6, 4.4))
    for number, (name, alarms, found) in enumerate(curves):
        axes.plot(alarms, found, _DASHES[number % len(_DASHES)], label=name)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=0.8)
    axes.set(xlabel="false alarms", ylabel="found", title="Held out: all thresholds of the score (area)")
    axes.legend(fontsize=7)
    return figure


def _frontier(axis: str, points: Sequence[FrontierPoint]) -> Figure:
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    # Those that find most; who finds nothing anywhere would lie on one line with others.
    shown = sorted((each for each in points if each.found), key=lambda each: -each.found)[:_MOST_CURVES]
    for number, each in enumerate(shown):
        values = [value for value, _, _ in each.shares]
        shares = [found / count if count else np.nan for _, found, count in each.shares]
        axes.plot(values, shares, f"o{_DASHES[number % len(_DASHES)]}", markersize=3, label=each.detector)
    axes.axhline(0.5, color="0.7", linewidth=0.8)
    values = [value for each in points for value, _, _ in each.shares]
    if values and min(values) > 0 and max(values) / min(values) > 10:  # noqa: PLR2004 - an order of magnitude
        axes.set_xscale("log")
    axes.set(xlabel=axis, ylabel="called throttled", title="Where each detector finds half")
    if shown:
        axes.legend(fontsize=7)
    return figure
