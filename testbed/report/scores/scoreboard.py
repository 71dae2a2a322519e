"""The table of scores, as Markdown: the held-out part first, and where each detector was wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from testbed.detectors.verdict import Outcome
from testbed.validation.scoring.scores import Details, part_scores, wilson
from testbed.validation.suite import PARTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from testbed.records.label import Label
    from testbed.validation.frontier import FrontierPoint
    from testbed.validation.scoring.patience import Needed
    from testbed.validation.scoring.scores import ConditionScore, PartScore, Scored
    from testbed.validation.scoring.twins import TwinScore

__all__ = ["scoreboard"]

_TITLES: Final = {
    "held_out": "Held out: conditions and seeds that nobody has tuned for",
    "development": "Development: conditions that authors of detectors may have looked at",
}


_HEAD = 2
_NOTHING = Details(None, None, None, None, None)


def scoreboard(
    scored: Sequence[Scored],
    *,
    title: str,
    notes: Sequence[str],
    twins: Sequence[TwinScore] = (),
    frontiers: Mapping[str, Sequence[FrontierPoint]] | None = None,
    needed: Mapping[str, Needed] | None = None,
) -> str:
    """Return the scores of a suite.

    Args:
        scored: Every verdict with its label.
        title: Of the suite.
        notes: Sentences on what was run, and on what is not in the table.
        twins: What detectors said of lines and of their twins without a box.
        frontiers: By what moves along the axis.
        needed: How much of its transfers each detector needs.
    """
    lines = [f"# {title}", "", *(f"{note}  " for note in notes), ""]
    for part in PARTS:
        every = part_scores(scored, part)
        scores = [each for each in every if each.inconclusive < 1 or each.failed]
        if every:
            lines += [f"## {_TITLES[part]}", "", *_summary(scores), "", *_details(scores)]
            lines += [*_by_condition(scores), "", *_silent(every)]
    lines += [*_needed(needed or {}), *_twins(twins), *_frontiers(frontiers or {})]
    lines += [
        "Found and false alarms are means over conditions, each counted once; in brackets stand lines, with Wilson's",
        "interval for 95 %. A detector that is always in doubt has a balanced accuracy of 50 %. By condition: share of",
        "lines that were called throttled.",
    ]
    return "\n".join(lines)


def _summary(scores: Sequence[PartScore]) -> list[str]:
    rows = [
        "| detector | balanced accuracy | found | false alarms | inconclusive | failed |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for each in scores:
        cells = (
            f"`{each.detector}`", _percent(each.balanced), _share(each.found, each.found_of),
            _share(each.alarms, each.alarms_of), _percent(each.inconclusive), str(each.failed),
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _details(scores: Sequence[PartScore]) -> list[str]:
    """A row for each detector that says more than its outcome."""
    rows = [
        "| detector | mechanism right | name alone right | rate off by | onset off by | ROC area | observations |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in scores:
        of = each.details
        # A row of dashes would hide those that say something.
        if of == _NOTHING:
            continue
        cells = (
            f"`{each.detector}`", _count(of.mechanism), _count(of.content),
            "–" if of.rate_error is None else _percent(of.rate_error),
            "–" if of.onset_error_s is None else f"{of.onset_error_s:.2g} s",
            "–" if of.auc is None else f"{of.auc:.2f}", str(each.histories),
        )  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""] if len(rows) > _HEAD else []


def _count(counted: tuple[int, int] | None) -> str:
    return "–" if counted is None else f"{counted[0]} of {counted[1]}"


def _twins(twins: Sequence[TwinScore]) -> list[str]:
    if not twins:
        return []
    rows = [
        "## Twins: throttled lines, and the same without a box", "",
        "| detector | called throttled: with the box alone | both | without it alone | neither | McNemar p |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for each in twins:
        called = (each.only_with, each.both, each.only_without, each.neither)
        rows.append(f"| `{each.detector}` | {' | '.join(map(str, called))} | {each.p:.2g} |")
    return [*rows, ""]


def _needed(needed: Mapping[str, Needed]) -> list[str]:
    if not needed:
        return []
    rows = [
        "## How much of each transfer is needed to find a throttled line (medians, to a factor of two)", "",
        "| detector | seconds | of the target | lines |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, each in sorted(needed.items(), key=lambda item: item[1].seconds):
        rows.append(f"| `{name}` | {each.seconds:.2g} | {each.target_bytes / 1000:.0f} kB | {each.lines} |")
    return [*rows, ""]


def _frontiers(frontiers: Mapping[str, Sequence[FrontierPoint]]) -> list[str]:
    lines = []
    for axis, points in frontiers.items():
        lines += [
            f"## Frontier: {axis}", "",
            "| detector | finds half between | found at each value | against the trend |", "|---|---|---|---|",
        ]  # fmt: skip
        for each in sorted((each for each in points if each.found), key=lambda each: -each.found):
            shares = ", ".join(f"{value:.4g}: {found} of {count}" for value, found, count in each.shares)
            against = ", ".join(f"{low:.4g} to {high:.4g}" for low, high in each.violations) or "–"
            lines.append(f"| `{each.detector}` | {_half(each)} | {shares} | {against} |")
        if nothing := sorted(f"`{each.detector}`" for each in points if not each.found):
            tried = ", ".join(f"{value:.4g}" for value, _, _ in points[0].shares)
            lines += ["", f"Find nothing at any value ({tried}): {', '.join(nothing)}."]
        lines.append("")
    return lines


def _half(point: FrontierPoint) -> str:
    """Say between which values a detector finds half; it may find more, or less, at both ends."""
    if point.low is not None:
        return f"{point.low:.4g} and {point.high:.4g}"
    _, found, count = point.shares[0]
    return "half or more at both ends" if 2 * found >= count else "less than half at both ends"


def _silent(scores: Sequence[PartScore]) -> list[str]:
    """Those that are about other data, such as months of many subscribers, would only fill the tables."""
    names = [f"`{each.detector}`" for each in scores if each.inconclusive == 1 and not each.failed]
    return [f"In doubt about every line: {', '.join(sorted(names))}.", ""] if names else []


def _share(mean: float | None, counted: tuple[int, int]) -> str:
    if mean is None:
        return "none to judge"
    low, high = wilson(*counted)
    return f"{_percent(mean)} ({counted[0]} of {counted[1]}, {_percent(low)} to {_percent(high)})"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.0f} %"


def _by_condition(scores: Sequence[PartScore]) -> list[str]:
    """A row a condition, first those that are throttled."""
    names = list(dict.fromkeys(name for each in scores for name in each.conditions))
    rows = [
        f"| condition | label | lines | {' | '.join(f'`{each.detector}`' for each in scores)} |",
        "|---|---|---|" + "---|" * len(scores),
    ]
    labels: tuple[Label, ...] = ("throttled", "not throttled")
    for label in labels:
        for name in names:
            known = [each.conditions[name] for each in scores if name in each.conditions]
            if known and known[0].count(label):
                shares = [_called(each.conditions.get(name), label) for each in scores]
                rows.append(f"| {name} | {label} | {known[0].count(label)} | {' | '.join(shares)} |")
    return rows


def _called(condition: ConditionScore | None, label: Label) -> str:
    return "–" if condition is None else _percent(condition.share(label, Outcome.THROTTLED))
