"""Cumulative sums: the two-sided test, on the logarithm of daily speeds.

Source: Page, "Continuous Inspection Schemes", Biometrika 1954. What counts as a baseline, a shift and an alarm is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.daily import LEAST_SIGMA, judge_log_speeds, robust_sigma
from testbed.detectors.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["Alarm", "CusumDetector", "cusum"]

BASELINE_DAYS: Final = 7
SHIFT_SIGMAS: Final = 2.0
THRESHOLD_SIGMAS: Final = 8.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """Where a sum crossed its threshold: index, whether upward, and the index from which on it had been above zero."""

    index: int
    upward: bool
    since: int


def cusum(values: Sequence[float], *, mean: float, slack: float, threshold: float) -> Alarm | None:
    """Run the two-sided test: S+ = max(0, S+ + x - mean - slack), S- likewise downward; return the first alarm.

    Args:
        values: The series.
        mean: What it is expected to be around.
        slack: Usually half of the shift to be found.
        threshold: Alarm when a sum exceeds it.
    """
    upper = lower = 0.0
    upper_since = lower_since = 0
    for index, value in enumerate(values):
        # A sum below zero is forgotten: a long time of good days must not pay for bad ones to come.
        upper, lower = max(0.0, upper + value - mean - slack), max(0.0, lower - value + mean - slack)
        upper_since = upper_since if upper > 0 else index + 1
        lower_since = lower_since if lower > 0 else index + 1
        if upper > threshold or lower > threshold:
            return Alarm(index, upper > threshold, upper_since if upper > threshold else lower_since)
    return None


@dataclass(frozen=True)
class CusumDetector:
    """Two-sided test of the logarithm of daily medians, against the median and spread of the first week."""

    name: str = "cusum"
    summary: str = "CUSUM of daily speeds (Page 1954)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge a table of speeds: a downward alarm is a slowdown."""
        return judge_log_speeds(
            self.name,
            observation,
            self._judge,
            least_days=BASELINE_DAYS + 1,
            needed=f"more than {BASELINE_DAYS}",
            method="the test",
        )

    def _judge(self, days: NDArray[np.float64], values: NDArray[np.float64]) -> Verdict:
        first = values[:BASELINE_DAYS]
        mean = float(np.median(first))
        sigma = max(robust_sigma(first, mean), LEAST_SIGMA)
        # Logarithms: a fall to a half is as far as a rise to the double, on a fast line and on a slow one.
        alarm = cusum(
            values[BASELINE_DAYS:].tolist(),
            mean=mean,
            slack=SHIFT_SIGMAS * sigma / 2,
            threshold=THRESHOLD_SIGMAS * sigma,
        )
        if alarm is None or alarm.upward:
            why = "no alarm" if alarm is None else "the first alarm is a rise"
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why=f"daily speeds: {why}", score=0.0)
        since = BASELINE_DAYS + alarm.since
        after = float(np.median(values[since:]))
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED,
            why=f"daily median speeds fell to {np.exp(after - mean):.0%} of the first week's",
            score=(mean - after) / sigma,
            onset_s=float(days[since]),
        )
