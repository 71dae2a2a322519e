"""Daily series out of a table of speed tests, and what every method asks of them before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.verdict import inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation, SpeedTable
    from testbed.detectors.verdict import Verdict

    Judge = Callable[[NDArray[np.float64], NDArray[np.float64]], Verdict]

__all__ = [
    "DAY_S",
    "FALL",
    "LEAST_SIGMA",
    "DailySeries",
    "daily_medians",
    "daily_series",
    "judge_log_speeds",
    "log_speeds",
    "robust_sigma",
]

DAY_S: Final = 86_400.0
FALL: Final = 0.5  # ours: a level that falls to less than this share counts as a slowdown
LEAST_SIGMA: Final = 0.05  # of a natural logarithm: speeds do not repeat to better than 5 %
_MAD_TO_SIGMA: Final = 1.4826  # of a normal distribution


@dataclass(frozen=True, slots=True)
class DailySeries:
    """One value a day with tests; shape (n,).

    Attributes:
        days_s: Start of each day (UTC), seconds since 1970, float64.
        values: Summary of each day's tests, float64.
        tests: Tests of each day, int64.
    """

    days_s: NDArray[np.float64]
    values: NDArray[np.float64]
    tests: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.days_s)


def daily_series(
    times_s: NDArray[np.float64], values: NDArray[np.float64], summarise: Callable[[NDArray[np.float64]], float]
) -> DailySeries:
    """Summarise the values of each day (UTC); days without tests are absent."""
    order = np.argsort(times_s, kind="stable")
    day = np.floor(times_s[order] / DAY_S)
    days, first, tests = np.unique(day, return_index=True, return_counts=True)
    parts = np.split(values[order], first[1:]) if len(days) else []
    return DailySeries(days * DAY_S, np.array([summarise(part) for part in parts], np.float64), tests)


def daily_medians(speeds: SpeedTable, column: NDArray[np.float64]) -> DailySeries:
    """Return the daily medians of a column's speeds above zero, bits a second."""
    moved = column > 0  # a test that moved nothing tells of blocking or of a broken line, not of speed
    return daily_series(speeds.times_s[moved], column[moved], lambda part: float(np.median(part)))


def log_speeds(speeds: SpeedTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return days (s since 1970) and natural logarithms of the target's daily median speed, shape (n,)."""
    series = daily_medians(speeds, speeds.target_bps)
    return series.days_s, np.log(series.values)


def robust_sigma(values: NDArray[np.float64], middle: float) -> float:
    """Return the standard deviation that the median distance from ``middle`` speaks of; outliers do not enter."""
    return float(np.median(np.abs(values - middle))) * _MAD_TO_SIGMA


def judge_log_speeds(
    name: str, observation: Observation, judge: Judge, *, least_days: int, needed: str, method: str = "the method"
) -> Verdict:
    """Judge the logarithms of daily median speeds, or say what a method lacks to judge them.

    Args:
        name: Of the detector.
        observation: What it is given.
        judge: Judges days (s since 1970) and logarithms, both of shape (n,), n at least ``least_days``.
        least_days: Days with tests that the method needs.
        needed: The same in words, as in "at least 7".
        method: What the method calls itself.
    """
    if observation.speeds is None:
        return inconclusive(name, f"{method} needs a table of speeds over many days")
    days, values = log_speeds(observation.speeds)
    if len(days) < least_days:
        return inconclusive(name, f"{len(days)} days with tests; {needed} needed")
    return judge(days, values)
