"""Gates: bounds on scores, and on what may get worse, that a project sets for itself in ``pyproject.toml``.

[tool.testbed.gates]
most-worse = 0

[[tool.testbed.gates.bounds]]
detector = "joint"
part = "held_out"
measure = "false alarms"
at-most = 0.05
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from pydantic import ConfigDict, Field, StrictInt, ValidationError, model_validator

from testbed.errors import InputError
from testbed.records.files import read_regular
from testbed.scenario.access import Strict
from testbed.scenario.refusal import in_words
from testbed.validation.scoring.comparison import Severity
from testbed.validation.scoring.scores import part_scores, wilson
from testbed.validation.suite import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from testbed.validation.scoring.comparison import Comparison
    from testbed.validation.scoring.scores import Interval, PartScore, Scored

__all__ = ["Bound", "GateResult", "Gates", "bound_results", "read_gates", "worse_results"]

Measure = Literal["found", "false alarms", "balanced accuracy", "inconclusive", "failed"]


def _hyphens(name: str) -> str:
    return name.replace("_", "-")


class _Toml(Strict):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_hyphens, validate_by_name=False)


class Bound(_Toml):
    """A bound on one score.

    Attributes:
        at_least, at_most: A share; of ``failed`` a number of lines. One of them.
        by: ``mean`` compares the mean over conditions; ``interval`` wants all of Wilson's interval of the lines within.
        severity: Whether the exit status tells it.
    """

    detector: str
    part: Literal["held_out", "development"] = "held_out"
    measure: Measure
    at_least: float | None = Field(default=None, ge=0)
    at_most: float | None = Field(default=None, ge=0)
    by: Literal["mean", "interval"] = "mean"
    severity: Literal["blocking", "advisory"] = "blocking"

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("say either at-least or at-most")
        bound = self.at_least if self.at_least is not None else self.at_most or 0.0
        if not math.isfinite(bound) or (self.measure != "failed" and bound > 1):
            raise ValueError(f"{self.measure} is a share, from 0 to 1 (5 % is 0.05), got {bound:g}")
        if self.by == "interval" and self.measure not in {"found", "false alarms"}:
            raise ValueError(f"{self.measure} has no interval; leave 'by' out")
        return self

    @property
    def text(self) -> str:
        """What it asks for."""
        limit = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{self.detector}, {self.part.replace('_', ' ')}: {self.measure} {limit}"

    def holds(self, value: float) -> bool:
        """Return whether a value is within."""
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0.0)


class Gates(_Toml):
    """What a project asks for.

    Attributes:
        suite: The suite that they are meant for, as it is called on the command line; None: any.
        most_worse: How many lines of a detector may get worse than in the baseline; None: as many as chance may do.
    """

    suite: str | None = None
    most_worse: StrictInt | None = Field(default=None, ge=0)
    bounds: tuple[Bound, ...] = ()

    def for_task(self, suite: str, named: Sequence[str]) -> Gates:
        """Return the gates that are meant for a suite, of the detectors that are asked about.

        Args:
            suite: As it is called on the command line.
            named: Detectors that were named; empty: all are asked.
        """
        if self.suite not in {None, suite}:
            return Gates()
        # A misspelt detector is told whenever all are asked; whoever names some asks about those alone.
        return self.model_copy(
            update={"bounds": tuple(each for each in self.bounds if not named or each.detector in named)}
        )


@dataclass(frozen=True, slots=True)
class GateResult:
    """What came of a gate.

    Attributes:
        name: What it asked for.
        passed: Whether that is so; None: there was nothing to look at.
        found: What was found.
        blocking: Whether the exit status tells.
        decided: Whether more runs would hardly change it: all of the interval lies on one side.
    """

    name: str
    passed: bool | None
    found: str
    blocking: bool
    decided: bool = True


def read_gates(path: Path) -> Gates:
    """Read the gates of a project; none, if its file has none.

    Args:
        path: Of a ``pyproject.toml``.

    Raises:
        InputError: It cannot be read, or has a gate that is none.
    """
    try:
        text = read_regular(path).decode()
        tool = tomllib.loads(text).get("tool", {})
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    try:
        return Gates.model_validate(tool.get("testbed", {}).get("gates", {}))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("tool", "testbed", "gates", *first["loc"])))
        raise InputError(f"{path}: {where}: {in_words(first, 'docs/reference/validation.md')}") from error
    except AttributeError as error:
        raise InputError(f"{path}: tool.testbed is no table") from error


def bound_results(gates: Gates, scored: Sequence[Scored]) -> list[GateResult]:
    """Return what came of the bounds on scores."""
    scores = {(part, each.detector): each for part in PARTS for each in part_scores(scored, part)}
    return [_bound_result(bound, scores.get((bound.part, bound.detector))) for bound in gates.bounds]


def _bound_result(bound: Bound, score: PartScore | None) -> GateResult:
    blocking = bound.severity == "blocking"
    value = None if score is None else _value(bound.measure, score)
    if score is None or value is None:
        return GateResult(bound.text, None, "nothing to look at: it was not asked, or has no such lines", blocking)
    interval = _interval(bound.measure, score)
    if interval is None:
        return GateResult(bound.text, bound.holds(value), f"{value:.3g}", blocking, decided=False)
    # Decided means that no value which chance leaves open is on the other side: more runs would hardly turn it.
    ends = [bound.holds(end) for end in interval]
    passed = all(ends) if bound.by == "interval" else bound.holds(value)
    found = f"{value:.3g}; lines {interval.low:.3g} to {interval.high:.3g}"
    return GateResult(bound.text, passed, found, blocking, decided=len(set(ends)) == 1)


def _value(measure: Measure, score: PartScore) -> float | None:
    values: dict[Measure, float | None] = {
        "found": score.found, "false alarms": score.alarms, "balanced accuracy": score.balanced,
        "inconclusive": score.inconclusive, "failed": score.failed,
    }  # fmt: skip
    return values[measure]


def _interval(measure: Measure, score: PartScore) -> Interval | None:
    counted = {"found": score.found_of, "false alarms": score.alarms_of}.get(measure)
    return None if counted is None else wilson(*counted)


def worse_results(gates: Gates, comparison: Comparison) -> list[GateResult]:
    """Return what came of the comparison with a baseline, a gate for each detector that has changed."""
    results = []
    if left_out := comparison.other_world + comparison.absent:
        found = f"{comparison.other_world} have another observation now, {comparison.absent} were not judged"
        results.append(
            GateResult(f"all lines of the baseline are compared, not {left_out} fewer", None, found, blocking=True)
        )
    for each in comparison.detectors:
        if each.severity is Severity.SAME:
            continue
        worse = len(each.worse)
        found = f"{worse} lines worse, {len(each.better)} better, {len(each.changes)} changed, p {each.p:.2g}"
        if gates.most_worse is not None:
            name = f"{each.detector}: at most {gates.most_worse} lines worse than in the baseline"
            results.append(GateResult(name, worse <= gates.most_worse, found, blocking=True))
        else:
            name = f"{each.detector}: no worse than in the baseline"
            # A single line that changed is a fact and no measure of anything: it is told, and does not fail a build.
            advisory = each.severity is Severity.WORSE
            results.append(GateResult(name, each.severity is Severity.CHANGED, found, blocking=not advisory))
    return results
