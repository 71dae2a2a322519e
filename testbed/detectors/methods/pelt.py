"""PELT on daily speeds: the exact segmentation with the least penalised cost.

Source: Killick, Fearnhead & Eckley, "Optimal Detection of Changepoints with a Linear Computational Cost", JASA 2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.daily import FALL, LEAST_SIGMA, judge_log_speeds, robust_sigma
from testbed.detectors.tools.segmentation import around_mean, changes
from testbed.detectors.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["PeltDetector", "change_points"]

MIN_DAYS: Final = 6
MIN_SEGMENT: Final = 2
STRICTNESS: Final = 2.0  # times the BIC-like penalty sigma² log n


def change_points(values: NDArray[np.float64], *, strictness: float = STRICTNESS) -> list[int]:
    """Return where the mean changes: indices of the first value of each new segment.

    The penalty is ``strictness`` * sigma² * log n, with sigma from the median absolute difference of neighbours.

    Args:
        values: The series, shape (n,), n at least 2 * `MIN_SEGMENT`.
        strictness: Larger finds fewer changes.
    """
    steps = np.diff(values)
    # a step is the difference of two values: its variance is twice theirs
    sigma = max(robust_sigma(steps, float(np.median(steps))) / np.sqrt(2), LEAST_SIGMA)
    penalty = strictness * sigma**2 * np.log(len(values))
    return changes(len(values), around_mean(values), penalty=penalty, min_size=MIN_SEGMENT)


@dataclass(frozen=True)
class PeltDetector:
    """Segment the logarithm of daily medians; a level that falls by half is a slowdown."""

    name: str = "pelt"
    summary: str = "PELT change points of daily speeds (Killick et al. 2012)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge a table of speeds by its deepest fall from one level to the next."""
        needed = f"at least {MIN_DAYS}"
        return judge_log_speeds(self.name, observation, self._judge, least_days=MIN_DAYS, needed=needed)

    def _judge(self, days: NDArray[np.float64], values: NDArray[np.float64]) -> Verdict:
        bounds = [0, *change_points(values), len(values)]
        levels = [float(values[low:high].mean()) for low, high in pairwise(bounds)]
        steps = np.diff(levels)
        if not len(steps) or steps.min() > np.log(FALL):
            why = f"{len(steps)} change(s) of the daily level, none a fall to less than {FALL:.0%}"
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why=why, score=0.0)
        deepest = int(np.argmin(steps))
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED,
            why=f"the daily level fell to {np.exp(steps[deepest]):.0%}; {len(steps)} change(s) in all",
            score=float(-steps[deepest]),
            rate_bps=float(np.exp(levels[deepest + 1])),
            onset_s=float(days[bounds[deepest + 1]]),
            details={"changes_s": [float(days[bound]) for bound in bounds[1:-1]]},
        )
