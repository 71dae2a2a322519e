"""The table of scores, as Markdown: the held-out part first, and where each detector was wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from testbed.detectors.verdict import Outcome
from testbed.validation.scoring.scores import part_scores, wilson
from testbed.validation.suite import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.records.label import Label
    from testbed.validation.scoring.scores import ConditionScore, PartScore, Scored

__all__ = ["scoreboard"]

_TITLES: Final = {
    "held_out": "Held out: conditions and seeds that nobody has tuned for",
    "development": "Development: conditions that authors of detectors may have looked at",
}


def scoreboard(scored: Sequence[Scored], *, title: str, notes: Sequence[str]) -> str:
    """Return the scores of a suite.

    Args:
        scored: Every verdict with its label.
        title: Of the suite.
        notes: Sentences on what was run, and on what is not in the table.
    """
    lines = [f"# {title}", "", *(f"{note}  " for note in notes), ""]
    for part in PARTS:
        scores = part_scores(scored, part)
        if scores:
            lines += [f"## {_TITLES[part]}", "", *_summary(scores), "", *_by_condition(scores), ""]
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
