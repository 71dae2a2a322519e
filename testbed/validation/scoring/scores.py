"""Scores: verdicts counted against labels. Every number here is a count of cells that can be listed.

A detector that says "inconclusive" of a throttled line has not found it, and of another line has raised no alarm. Each
condition counts once in a mean over conditions, however many draws it has: draws of one condition are alike. Intervals
are Wilson's (E. B. Wilson, JASA 22, 1927), for 95 %.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from scipy.stats import binomtest

from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from testbed.records.label import Label

__all__ = ["ConditionScore", "Interval", "PartScore", "Scored", "part_scores", "wilson"]


class Interval(NamedTuple):
    """Bounds of a share."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A verdict and the label that it is counted against; only cells with a label are scored."""

    part: str
    condition: str
    cell: str
    detector: str
    label: Label
    outcome: str
    failed: bool = False


@dataclass(slots=True)
class ConditionScore:
    """One detector on one condition: outcomes by label."""

    outcomes: dict[Label, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    failed: int = 0

    def count(self, label: Label) -> int:
        """Return how many lines have a label."""
        return sum(self.outcomes[label].values())

    def share(self, label: Label, outcome: Outcome) -> float | None:
        """Return the share of the lines with a label of which this was said; None: there are none."""
        count = self.count(label)
        return self.outcomes[label][outcome] / count if count else None


@dataclass(frozen=True, slots=True)
class PartScore:
    """One detector on one part of a suite.

    Attributes:
        found, alarms: Mean over conditions of the share of throttled lines that were found, and of others that were
            called throttled; None: no condition has such lines.
        found_of, alarms_of: Lines, not conditions: how many were called throttled, of how many.
        inconclusive: Share of all lines.
        failed: Lines of which the detector said nothing, because it broke.
    """

    detector: str
    conditions: dict[str, ConditionScore]
    found: float | None
    alarms: float | None
    found_of: tuple[int, int]
    alarms_of: tuple[int, int]
    inconclusive: float
    failed: int

    @property
    def balanced(self) -> float | None:
        """Balanced accuracy: the mean of what was found and of what raised no alarm."""
        return None if self.found is None or self.alarms is None else (self.found + 1 - self.alarms) / 2


def wilson(hits: int, count: int) -> Interval:
    """Return the interval of a share for 95 %."""
    if not count:
        return Interval(0.0, 1.0)
    found = binomtest(hits, count).proportion_ci(confidence_level=0.95, method="wilson")
    return Interval(float(found.low), float(found.high))


def part_scores(scored: Iterable[Scored], part: str) -> list[PartScore]:
    """Return the scores of every detector on a part, the best balanced accuracy first."""
    by_detector: dict[str, dict[str, ConditionScore]] = {}
    for each in scored:
        if each.part == part:
            conditions = by_detector.setdefault(each.detector, {})
            condition = conditions.setdefault(each.condition, ConditionScore())
            condition.outcomes[each.label][each.outcome] += 1
            condition.failed += each.failed
    found = [_part_score(detector, conditions) for detector, conditions in by_detector.items()]
    return sorted(found, key=lambda each: (-(each.balanced or 0.0), each.detector))


def _part_score(detector: str, conditions: dict[str, ConditionScore]) -> PartScore:
    lines = sum(condition.count(label) for condition in conditions.values() for label in condition.outcomes)
    doubts = sum(
        outcomes[Outcome.INCONCLUSIVE] for condition in conditions.values() for outcomes in condition.outcomes.values()
    )
    return PartScore(
        detector,
        conditions,
        found=_mean(conditions, "throttled"),
        alarms=_mean(conditions, "not throttled"),
        found_of=_called(conditions, "throttled"),
        alarms_of=_called(conditions, "not throttled"),
        inconclusive=doubts / lines if lines else 0.0,
        failed=sum(condition.failed for condition in conditions.values()),
    )


def _mean(conditions: dict[str, ConditionScore], label: Label) -> float | None:
    shares = [condition.share(label, Outcome.THROTTLED) for condition in conditions.values()]
    known = [share for share in shares if share is not None]
    return fmean(known) if known else None


def _called(conditions: dict[str, ConditionScore], label: Label) -> tuple[int, int]:
    hits = sum(condition.outcomes[label][Outcome.THROTTLED] for condition in conditions.values())
    return hits, sum(condition.count(label) for condition in conditions.values())
