"""Anderson's rule for general throttling: the network-wide median speed falls far below its trailing mean.

Source: Anderson, "Dimming the Internet: Detecting Throttling as a Mechanism of Censorship in Iran", arXiv:1306.4361
(2013). Its cases fell by 77 % and 69 %; round-trip times did not rise in step, and speeds grew alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.daily import DailySeries, daily_medians
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation

__all__ = ["AndersonDetector", "falls"]

TRAILING: Final = 7  # days that make the trailing mean: a whole week, for weekends are unlike other days
FALL: Final = 0.5  # ours: the published cases fell by more than two thirds
DAYS_IN_A_ROW: Final = 3  # ours: one bad day is an outage, or few tests
MIN_TESTS: Final = 5  # a day with fewer tests has no median worth comparing


def falls(
    series: DailySeries, *, trailing: int = TRAILING, fall: float = FALL, in_a_row: int = DAYS_IN_A_ROW
) -> int | None:
    """Return the first of ``in_a_row`` days in a row whose medians lie more than ``fall`` below the mean before.

    The mean is that of the ``trailing`` days before the first of them.
    """
    # The mean is that of the days before the fall, and does not move on with it: it would follow a slowdown down.
    for day in range(trailing, len(series) - in_a_row + 1):
        baseline = series.values[day - trailing : day].mean()
        if (series.values[day : day + in_a_row] < (1 - fall) * baseline).all():
            return day
    return None


@dataclass(frozen=True)
class AndersonDetector:
    """Look for a fall of the daily median that stays; what hits controls alike is not content-specific."""

    name: str = "anderson"
    summary: str = "fall of a country's median speed (Anderson 2013)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge a table of speeds."""
        if observation.speeds is None:
            return inconclusive(self.name, "the rule needs a table of speeds over many days")
        speeds = observation.speeds
        series = _frequent(daily_medians(speeds, speeds.target_bps))
        if len(series) < TRAILING + DAYS_IN_A_ROW:
            why = f"{len(series)} days with at least {MIN_TESTS} tests; at least {TRAILING + DAYS_IN_A_ROW} needed"
            return inconclusive(self.name, why)
        day = falls(series)
        if day is None:
            why = f"the daily median never fell by more than {FALL:.0%} for {DAYS_IN_A_ROW} days"
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why=why, score=0.0)
        before = float(series.values[day - TRAILING : day].mean())
        after = float(np.median(series.values[day : day + DAYS_IN_A_ROW]))
        onset_s = float(series.days_s[day])
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED,
            why=f"the daily median fell from {before / 1e3:.0f} to {after / 1e3:.0f} kbit/s ({1 - after / before:.0%})",
            score=1 - after / before,
            content_specific=self._content_specific(observation, onset_s),
            onset_s=onset_s,
        )

    @staticmethod
    def _content_specific(observation: Observation, onset_s: float) -> bool | None:
        if observation.speeds is None or not observation.speeds.controls_bps:
            return None
        for column in observation.speeds.controls_bps.values():
            series = _frequent(daily_medians(observation.speeds, column))
            day = falls(series)
            # a control that falls within days of the target has the same cause: all of the network is slow
            if day is not None and abs(series.days_s[day] - onset_s) <= DAYS_IN_A_ROW * 86_400:
                return False
        return True


def _frequent(series: DailySeries) -> DailySeries:
    enough = series.tests >= MIN_TESTS
    return DailySeries(series.days_s[enough], series.values[enough], series.tests[enough])
