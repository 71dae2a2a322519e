"""Frontiers: where on an axis a detector finds half of what there is to find, by bisection.

All detectors bisect the same interval, so that values are shared and their runs are made once. Draws have the same
seeds at every value. Where more is found although it is harder, that is told: bisection takes it for granted that this
is not so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.detectors.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from testbed.validation.scoring.scores import Scored
    from testbed.validation.suite import Frontier

__all__ = ["FrontierPoint", "find_frontier"]

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """Where a detector's share of found lines passes one half.

    Attributes:
        low, high: Between which values of the axis; None: it finds as much at both ends.
        shares: What was found at each value that was tried, in the axis's order: value, found, of how many.
        violations: Pairs of neighbouring values between which the share moved against the trend from end to end.
    """

    detector: str
    low: float | None
    high: float | None
    shares: tuple[tuple[float, int, int], ...]
    violations: tuple[tuple[float, float], ...]

    @property
    def found(self) -> int:
        """How much was found at all values together."""
        return sum(found for _, found, _ in self.shares)


def find_frontier(
    frontier: Frontier, detectors: Sequence[str], ask: Callable[[Sequence[float]], Mapping[float, Sequence[Scored]]]
) -> list[FrontierPoint]:
    """Return where each detector's frontier is.

    Args:
        frontier: The axis.
        detectors: Their names.
        ask: Makes the runs at some values, and returns the verdicts on them by value.
    """
    shares: dict[float, dict[str, tuple[int, int]]] = {}
    intervals = dict.fromkeys(detectors, (0.0, 1.0))

    def look(places: Iterable[float]) -> None:
        new = [place for place in sorted(set(places)) if place not in shares]
        by_value = ask([frontier.value(place) for place in new])
        for place in new:
            verdicts = by_value[frontier.value(place)]
            shares[place] = {name: _found(verdicts, name) for name in detectors}

    # Places are shares of the axis: halves of halves are exact, so that detectors which meet in one ask for it once.
    look([0.0, 1.0])
    looking = [name for name in detectors if _passes_half(shares[0.0][name], shares[1.0][name])]
    for _ in range(frontier.steps):
        look(sum(intervals[name]) / 2 for name in looking)
        for name in looking:
            low, high = intervals[name]
            middle = (low + high) / 2
            same = _is_half(shares[middle][name]) == _is_half(shares[low][name])
            intervals[name] = (middle, high) if same else (low, middle)
    return [_point(frontier, name, shares, intervals[name] if name in looking else None) for name in detectors]


def _found(verdicts: Sequence[Scored], detector: str) -> tuple[int, int]:
    """Of the lines at a value, whatever their label: at the end of an axis nothing may be left to find."""
    of_detector = [each for each in verdicts if each.detector == detector]
    return sum(each.outcome == Outcome.THROTTLED for each in of_detector), len(of_detector)


def _is_half(share: tuple[int, int]) -> bool:
    return share[1] > 0 and share[0] / share[1] >= _HALF


def _passes_half(start: tuple[int, int], end: tuple[int, int]) -> bool:
    return _is_half(start) != _is_half(end)


def _point(
    frontier: Frontier,
    name: str,
    shares: Mapping[float, Mapping[str, tuple[int, int]]],
    interval: tuple[float, float] | None,
) -> FrontierPoint:
    places = sorted(shares)
    found = [(frontier.value(place), *shares[place][name]) for place in places]
    rates = [hits / count if count else 0.0 for _, hits, count in found]
    trend = rates[-1] - rates[0]
    against = [
        (found[index][0], found[index + 1][0])
        for index in range(len(found) - 1)
        if trend and (rates[index + 1] - rates[index]) * trend < 0
    ]
    low, high = (None, None) if interval is None else (frontier.value(interval[0]), frontier.value(interval[1]))
    return FrontierPoint(name, low, high, tuple(found), tuple(against))
