"""Rows of verdicts as a table for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from testbed.detectors.verdict import Outcome
from testbed.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.detectors.outputs.rows import DetectionRow

__all__ = ["format_table"]

_WHY_WIDTH: Final = 90


def format_table(rows: Sequence[DetectionRow], *, everything: bool = False, why_width: int = _WHY_WIDTH) -> str:
    """Return rows as a text table: subject, detector, verdict, rate, mechanism, and why.

    A detector that could judge none of several subjects is left out of the table and named below it, with its reason.
    ``everything`` keeps those rows.
    """
    idle = {} if everything else _without_verdict(rows)
    head = ("subject", "detector", "verdict", "kbit/s", "mechanism", "why")
    cells = [head, *(_cells(row, why_width) for row in rows if row.verdict.detector not in idle)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    previous = ""
    for line in cells:
        shown = ("" if line[0] == previous else line[0], *line[1:])
        previous = line[0]
        padded = [
            cell.rjust(width) if name == "kbit/s" else cell.ljust(width)
            for name, cell, width in zip(head, shown, widths, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("─" * width for width in widths))
    if idle:
        lines += ["", "inconclusive on everything:"]
        lines += [
            f"  {one_line(name):{max(map(len, idle))}}  {_shortened(why, why_width)}" for name, why in idle.items()
        ]
    return "\n".join(lines)


def _cells(row: DetectionRow, why_width: int) -> tuple[str, ...]:
    verdict = row.verdict
    rate = "" if verdict.rate_bps is None else f"{verdict.rate_bps / 1e3:.0f}"
    why = _shortened(verdict.why, why_width)
    return (one_line(row.subject), one_line(verdict.detector), str(verdict.outcome), rate, verdict.mechanism or "", why)


def _shortened(text: str, width: int) -> str:
    text = one_line(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _without_verdict(rows: Sequence[DetectionRow]) -> dict[str, str]:
    """Return the detectors that were inconclusive on each of several subjects, with the reason given most often.

    What they said of subjects that another detector calls throttled goes first: there a reader misses them.
    """
    throttled = {row.subject for row in rows if row.verdict.outcome is Outcome.THROTTLED}
    by_detector: dict[str, list[DetectionRow]] = {}
    for row in rows:
        by_detector.setdefault(row.verdict.detector, []).append(row)
    idle = {}
    for name, given in by_detector.items():
        if len(given) > 1 and all(row.verdict.outcome is Outcome.INCONCLUSIVE for row in given):
            missed = [row for row in given if row.subject in throttled] or given
            idle[name] = Counter(row.verdict.why for row in missed).most_common(1)[0][0]
    return idle
