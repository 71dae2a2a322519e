"""Twins: the same line and seed with the box, and without. A detector that says the same of both has not seen the box.

What it says of the two is a pair, and pairs are compared with McNemar's exact test (Q. McNemar, Psychometrika 12,
1947): of the pairs in which it called one of the two throttled, chance would call the twin as often as the other.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import binomtest

from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from testbed.validation.scoring.scores import Scored

__all__ = ["TwinScore", "mcnemar", "twin_scores"]


@dataclass(frozen=True, slots=True)
class TwinScore:
    """One detector on all pairs whose line was throttled.

    Attributes:
        only_with, both, only_without, neither: Pairs in which it called throttled the line with the box alone, both,
            the one without alone, none.
        p: Of McNemar's exact test, two-sided.
    """

    detector: str
    only_with: int
    both: int
    only_without: int
    neither: int
    p: float


def twin_scores(scored: Iterable[Scored]) -> list[TwinScore]:
    """Return the scores of every detector, that with the most pairs told apart first."""
    said: dict[str, dict[tuple[str, str], dict[bool, Scored]]] = defaultdict(lambda: defaultdict(dict))
    for each in scored:
        is_twin = each.part == "twin"
        said[each.detector][each.cell.removesuffix("/twin"), each.line][is_twin] = each
    found = [
        _score(detector, [pair for pair in pairs.values() if len(pair) == 2 and pair[False].label == "throttled"])  # noqa: PLR2004
        for detector, pairs in said.items()
    ]
    return sorted((each for each in found if each is not None), key=lambda each: (-each.only_with, each.detector))


def _score(detector: str, pairs: Sequence[dict[bool, Scored]]) -> TwinScore | None:
    if not pairs:
        return None
    # Twice the same answer says nothing for or against: only the pairs that were told apart enter the test.
    called = [tuple(pair[is_twin].outcome == Outcome.THROTTLED for is_twin in (False, True)) for pair in pairs]
    only_with, only_without = called.count((True, False)), called.count((False, True))
    return TwinScore(
        detector, only_with, called.count((True, True)), only_without, called.count((False, False)),
        mcnemar(only_with, only_without),
    )  # fmt: skip


def mcnemar(one: int, other: int) -> float:
    """Return the two-sided p of McNemar's exact test: pairs that changed one way, and the other way."""
    return float(binomtest(one, one + other).pvalue) if one + other else 1.0
