"""Scores: verdicts counted against labels. Every number here is a count of cells that can be listed.

A detector that says "inconclusive" of a throttled line has not found it, and of another line has raised no alarm. Each
condition counts once in a mean over conditions, however many draws it has: draws of one condition are alike. Intervals
are Wilson's (E. B. Wilson, JASA 22, 1927), for 95 %.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import TYPE_CHECKING, NamedTuple

from scipy.stats import binomtest, mannwhitneyu

from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.records.label import Label
    from testbed.validation.keeping.store import VerdictRecord
    from testbed.validation.truth import LineTruth

__all__ = ["ConditionScore", "Details", "Interval", "PartScore", "Scored", "part_scores", "wilson"]


class Interval(NamedTuple):
    """Bounds of a share."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scored:
    """A verdict and what is true of the line that it is about; only lines with a label are scored.

    Attributes:
        cell: The id of its run, of which the line is one.
        observation: The digest of what the detector was given.
    """

    part: str
    condition: str
    cell: str
    line: str
    observation: str
    detector: str
    truth: LineTruth
    verdict: VerdictRecord

    @property
    def label(self) -> Label:
        """Whether the line should be called throttled."""
        return self.truth.label

    @property
    def outcome(self) -> str:
        """What the detector said."""
        return self.verdict["outcome"]

    @property
    def failed(self) -> bool:
        """Whether it broke instead of saying anything."""
        return "failed" in self.verdict

    @property
    def is_right(self) -> bool:
        """Whether a throttled line was called throttled, or another was not."""
        return (self.label == "throttled") == (self.outcome == Outcome.THROTTLED)


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
class Details:
    """How right a detector was in what it said beside its outcome. None: it never said it where it can be judged.

    Attributes:
        mechanism: Of throttled lines that it found and whose mechanism it named: how many rightly, of how many.
        content: Likewise, of whether the target alone is slow.
        rate_error: Median of what its rates differ by from the limits', as a share of the limit, without sign.
        onset_error_s: Median of what its onsets differ by from the first packet that was touched, without sign.
        auc: Area under the curve of found against false alarms, over all thresholds of its score: the chance that a
            throttled line has a higher score than another one.
    """

    mechanism: tuple[int, int] | None
    content: tuple[int, int] | None
    rate_error: float | None
    onset_error_s: float | None
    auc: float | None


@dataclass(frozen=True, slots=True)
class PartScore:
    """One detector on one part of a suite.

    Attributes:
        found, alarms: Mean over conditions of the share of throttled lines that were found, and of others that were
            called throttled; None: no condition has such lines.
        found_of, alarms_of: Lines, not conditions: how many were called throttled, of how many.
        inconclusive: Share of all lines.
        failed: Lines of which the detector said nothing, because it broke.
        histories: How many different observations it was given: equal ones tell nothing new.
        details: How right it was in what else it said.
    """

    detector: str
    conditions: dict[str, ConditionScore]
    found: float | None
    alarms: float | None
    found_of: tuple[int, int]
    alarms_of: tuple[int, int]
    inconclusive: float
    failed: int
    histories: int
    details: Details

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
    by_detector: dict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        if each.part == part:
            by_detector[each.detector].append(each)
    found = [_part_score(detector, of_detector) for detector, of_detector in by_detector.items()]
    return sorted(found, key=lambda each: (-(each.balanced or 0.0), each.detector))


def _part_score(detector: str, scored: Sequence[Scored]) -> PartScore:
    conditions: dict[str, ConditionScore] = defaultdict(ConditionScore)
    for each in scored:
        conditions[each.condition].outcomes[each.label][each.outcome] += 1
        conditions[each.condition].failed += each.failed
    return PartScore(
        detector,
        dict(conditions),
        found=_mean(conditions, "throttled"),
        alarms=_mean(conditions, "not throttled"),
        found_of=_called(conditions, "throttled"),
        alarms_of=_called(conditions, "not throttled"),
        inconclusive=fmean(each.outcome == Outcome.INCONCLUSIVE for each in scored),
        failed=sum(each.failed for each in scored),
        histories=len({each.observation for each in scored}),
        details=_details(scored),
    )


def _mean(conditions: dict[str, ConditionScore], label: Label) -> float | None:
    shares = [condition.share(label, Outcome.THROTTLED) for condition in conditions.values()]
    known = [share for share in shares if share is not None]
    return fmean(known) if known else None


def _called(conditions: dict[str, ConditionScore], label: Label) -> tuple[int, int]:
    hits = sum(condition.outcomes[label][Outcome.THROTTLED] for condition in conditions.values())
    return hits, sum(condition.count(label) for condition in conditions.values())


def _details(scored: Sequence[Scored]) -> Details:
    found = [each for each in scored if each.label == "throttled" and each.outcome == Outcome.THROTTLED]
    said = [(each.truth, each.verdict) for each in found]
    mechanisms = [
        verdict["mechanism"] == truth.mechanism
        for truth, verdict in said
        if truth.mechanism is not None and verdict["mechanism"] is not None
    ]
    contents = [
        verdict["content_specific"] == truth.content_specific
        for truth, verdict in said
        if truth.content_specific is not None and verdict["content_specific"] is not None
    ]
    rates = [
        abs(verdict["rate_bps"] / truth.rate_bps - 1)
        for truth, verdict in said
        if truth.rate_bps and verdict["rate_bps"] is not None
    ]
    onsets = [
        abs(verdict["onset_s"] - truth.onset_s)
        for truth, verdict in said
        if truth.onset_s is not None and verdict["onset_s"] is not None
    ]
    return Details(
        (sum(mechanisms), len(mechanisms)) if mechanisms else None,
        (sum(contents), len(contents)) if contents else None,
        median(rates) if rates else None,
        median(onsets) if onsets else None,
        _area(scored),
    )


def _area(scored: Sequence[Scored]) -> float | None:
    """Mann and Whitney's U over the number of pairs is that area (Hanley & McNeil, Radiology 143, 1982)."""
    by_label: dict[bool, list[float]] = {True: [], False: []}
    for each in scored:
        if (score := each.verdict["score"]) is not None:
            by_label[each.label == "throttled"].append(score)
    if not (by_label[True] and by_label[False]):
        return None
    statistic = mannwhitneyu(by_label[True], by_label[False], method="asymptotic").statistic
    return float(statistic) / (len(by_label[True]) * len(by_label[False]))
