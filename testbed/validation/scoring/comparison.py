"""Detectors now against a baseline, line by line: the observations are the same bytes, so a change is the detector's.

Whether a detector got worse by more than chance is McNemar's exact test on the lines that changed. Over detectors, and
over the conditions of each, p is corrected by Benjamini and Hochberg's procedure (J. R. Stat. Soc. B 57, 1995).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from scipy.stats import false_discovery_control

from testbed.errors import InvalidRunError
from testbed.validation.scoring.twins import mcnemar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from testbed.validation.scoring.baseline import Baseline, BaselineLine

__all__ = ["Change", "Comparison", "DetectorChange", "Severity", "compare"]

SIGNIFICANT = 0.05


class Severity(StrEnum):
    """What came of a detector."""

    REGRESSION = "regression"  # more lines got worse than better, by more than chance
    WORSE = "worse"  # more got worse than better, which chance may do
    CHANGED = "changed"  # not worse
    SAME = "same"


class Change(NamedTuple):
    """A verdict that is another one now; letters as in a baseline."""

    cell: str
    line: str
    condition: str
    label: str
    before: str
    now: str

    @property
    def is_worse(self) -> bool:
        """Whether it was right and is wrong."""
        return _right(self.label, self.before) and not _right(self.label, self.now)

    @property
    def is_better(self) -> bool:
        """Whether it was wrong and is right."""
        return not _right(self.label, self.before) and _right(self.label, self.now)


@dataclass(frozen=True, slots=True)
class DetectorChange:
    """What changed for one detector.

    Attributes:
        changes: Every verdict that changed.
        p: McNemar's over all lines, corrected for the number of detectors.
        conditions: By condition in which verdicts changed: McNemar's p, corrected for their number.
    """

    detector: str
    changes: tuple[Change, ...]
    p: float
    conditions: dict[str, float]

    @property
    def worse(self) -> list[Change]:
        """Lines that were right and are wrong."""
        return [each for each in self.changes if each.is_worse]

    @property
    def better(self) -> list[Change]:
        """Lines that were wrong and are right."""
        return [each for each in self.changes if each.is_better]

    @property
    def severity(self) -> Severity:
        """What that means."""
        if not self.changes:
            return Severity.SAME
        # What is lost in one condition is not made good by what is won in another: each is somebody's network.
        worse_in = [name for name, p in self.conditions.items() if p < SIGNIFICANT and self._balance(name) > 0]
        if worse_in or (self.p < SIGNIFICANT and self._balance() > 0):
            return Severity.REGRESSION
        return Severity.WORSE if self._balance() > 0 else Severity.CHANGED

    def _balance(self, condition: str | None = None) -> int:
        counted = [each for each in self.changes if condition in {None, each.condition}]
        return sum(each.is_worse for each in counted) - sum(each.is_better for each in counted)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Detectors against a baseline.

    Attributes:
        detectors: Those that both have.
        compared: How many lines.
        other_world: Lines whose observation is another one now: the world has changed, and they are not compared.
        absent: Lines of the baseline that were not judged now.
        added, removed: Detectors that one of the two has.
    """

    detectors: list[DetectorChange]
    compared: int
    other_world: int
    absent: int
    added: list[str]
    removed: list[str]


def compare(before: Baseline, now: Baseline) -> Comparison:
    """Compare two baselines.

    Raises:
        InvalidRunError: They are of different methods, or have no observation in common: nothing can be compared.
    """
    differing = [key for key, digest in now["method"].items() if before["method"].get(key) != digest]
    if differing:
        raise InvalidRunError(
            f"the baseline is of another method ({', '.join(differing)} changed), so that nothing can be compared; "
            "look at the scores, and make a new one with --write-baseline"
        )
    # By run and line, and not by number: a suite may have grown, or a run may be missing on one side.
    places = {(line["cell"], line["line"]): index for index, line in enumerate(before["lines"])}
    pairs = [
        (places[line["cell"], line["line"]], index)
        for index, line in enumerate(now["lines"])
        if (line["cell"], line["line"]) in places
    ]
    same = [(old, new) for old, new in pairs if _observation(before, old) == _observation(now, new)]
    if not same:
        raise InvalidRunError(
            f"none of the baseline's {len(before['lines'])} observations is there any more: the engine, the kernel or "
            "the scenarios changed (or other held-out seeds are used); make a new baseline with --write-baseline"
        )
    if not before["detectors"].keys() & now["detectors"].keys():
        raise InvalidRunError(
            f"the baseline has not asked {', '.join(sorted(now['detectors']))}, so that nothing can be compared; "
            "a detector is known by its name as it was given. Make a new baseline with --write-baseline"
        )
    shared = sorted(before["detectors"].keys() & now["detectors"].keys())
    changes = {
        name: tuple(
            _changes(now["lines"], same, before["detectors"][name]["outcomes"], now["detectors"][name]["outcomes"])
        )
        for name in shared
    }
    p = _corrected({name: _p(found) for name, found in changes.items()})
    return Comparison(
        [DetectorChange(name, changes[name], p[name], _by_condition(changes[name])) for name in shared],
        len(same),
        len(pairs) - len(same),
        len(before["lines"]) - len(pairs),
        sorted(now["detectors"].keys() - before["detectors"].keys()),
        sorted(before["detectors"].keys() - now["detectors"].keys()),
    )


def _observation(baseline: Baseline, index: int) -> str:
    return baseline["lines"][index]["observation"]


def _changes(lines: Sequence[BaselineLine], same: Sequence[tuple[int, int]], before: str, now: str) -> Iterator[Change]:
    for old, new in same:
        if before[old] != now[new]:
            line = lines[new]
            yield Change(line["cell"], line["line"], line["condition"], line["label"], before[old], now[new])


def _right(label: str, letter: str) -> bool:
    return (label == "throttled") == (letter == "T")


def _p(changes: Sequence[Change]) -> float:
    return mcnemar(sum(each.is_worse for each in changes), sum(each.is_better for each in changes))


def _by_condition(changes: Sequence[Change]) -> dict[str, float]:
    conditions: dict[str, list[Change]] = defaultdict(list)
    for each in changes:
        conditions[each.condition].append(each)
    return _corrected({name: _p(found) for name, found in conditions.items()})


def _corrected(p: Mapping[str, float]) -> dict[str, float]:
    if not p:
        return {}
    return dict(zip(p, map(float, false_discovery_control(list(p.values()))), strict=True))
