"""What changed against a baseline, and which gates were passed, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from testbed.validation.scoring.comparison import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from testbed.validation.scoring.comparison import Change, Comparison, DetectorChange
    from testbed.validation.scoring.gates import GateResult

__all__ = ["changes_text", "gates_text"]

_WORDS: Final = {"T": "throttled", "N": "not throttled", "I": "inconclusive", "F": "failed"}
_MOST_LINES = 40


def changes_text(comparison: Comparison) -> str:
    """Return every verdict that changed, by detector, those that got worse first."""
    changed = [each for each in comparison.detectors if each.severity is not Severity.SAME]
    lines = ["## Against the baseline", "", f"{comparison.compared} lines compared, the same observations in both.  "]
    if comparison.other_world:
        lines.append(f"{comparison.other_world} lines have another observation now, and are not compared.  ")
    for what, names in (("new", comparison.added), ("not asked now", comparison.removed)):
        if names:
            lines.append(f"Detectors that are {what}: {', '.join(names)}.  ")
    same = len(comparison.detectors) - len(changed)
    lines.append(f"{same} detectors say the same of every line.")
    order = list(Severity)
    for each in sorted(changed, key=lambda each: (order.index(each.severity), each.detector)):
        lines += ["", *_detector(each)]
    return "\n".join(lines)


def _detector(each: DetectorChange) -> Iterator[str]:
    worse, better = each.worse, each.better
    others = [change for change in each.changes if not (change.is_worse or change.is_better)]
    yield (
        f"### `{each.detector}`: {each.severity}: {len(worse)} lines worse, {len(better)} better, "
        f"{len(others)} changed and as right as before (McNemar p {each.p:.2g}, corrected)"
    )
    yield ""
    conditions = [f"{name} (p {p:.2g})" for name, p in sorted(each.conditions.items(), key=lambda item: item[1])]
    yield f"Conditions: {', '.join(conditions)}."
    yield ""
    told: list[tuple[str, Change]] = [
        *(("worse", one) for one in worse), *(("better", one) for one in better), *(("other", one) for one in others),
    ]  # fmt: skip
    yield "| | run | line | label | before | now |"
    yield "|---|---|---|---|---|---|"
    for what, one in told[:_MOST_LINES]:
        yield f"| {what} | {one.cell} | {one.line} | {one.label} | {_WORDS[one.before]} | {_WORDS[one.now]} |"
    if len(told) > _MOST_LINES:
        yield f"\n… and {len(told) - _MOST_LINES} more"


def gates_text(results: Sequence[GateResult]) -> str:
    """Return which gates were passed; empty: there are none."""
    if not results:
        return ""
    lines = ["## Gates", "", "| gate | | found |", "|---|---|---|"]
    for each in results:
        said = {True: "passed", False: "**not passed**", None: "**nothing to look at**"}[each.passed]
        lines.append(f"| {each.name} | {said}{'' if each.blocking else ' (advice)'} | {each.found} |")
    return "\n".join(lines)
