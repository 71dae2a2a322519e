"""Daily series out of a table of speed tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from testbed.detectors.observation import SpeedTable

__all__ = ["DAY_S", "DailySeries", "daily_medians", "daily_series", "log_speeds"]

DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class DailySeries:
    """One value a day with tests; shape (n,).

    Attributes:
        days_s: Start of each day (UTC), seconds since 1970, float64.
        values: float64.
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
    moved = column > 0
    return daily_series(speeds.times_s[moved], column[moved], lambda part: float(np.median(part)))


def log_speeds(speeds: SpeedTable) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return days (s since 1970) and natural logarithms of the target's daily median speed, shape (n,)."""
    series = daily_medians(speeds, speeds.target_bps)
    return series.days_s, np.log(series.values)
