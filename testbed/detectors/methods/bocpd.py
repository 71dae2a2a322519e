"""Bayesian online change-point detection on daily speeds.

Source: Adams & MacKay, "Bayesian Online Changepoint Detection", arXiv:0710.3742 (2007), with a Normal-Gamma prior:
the predictive distribution is Student's t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special, stats

from testbed.detectors.tools.daily import FALL, judge_log_speeds
from testbed.detectors.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["BocpdDetector", "Prior", "run_lengths"]

EXPECTED_RUN_DAYS: Final = 100.0  # 30 to 250 are usual
RECENT: Final = 3  # days: an alarm asks how likely a change within them is
ALARM: Final = 0.5
MIN_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Prior:
    """Normal-Gamma: mean ~ N(mean, 1/(strength * precision)), precision ~ Gamma(shape, rate)."""

    mean: float
    strength: float = 0.1
    shape: float = 1.0
    rate: float = 0.05


def run_lengths(values: NDArray[np.float64], prior: Prior, *, expected_run: float) -> NDArray[np.float64]:
    """Return the posterior of the run length after each value.

    Args:
        values: The series, shape (n,).
        prior: Of each segment's mean and precision.
        expected_run: Values between changes, on average; the hazard is its inverse.

    Returns:
        float64, shape (n + 1, n + 1): entry (t, r) is the probability that, after t values, r of them belong to the
        current run. Rows sum to 1.
    """
    count = len(values)
    hazard = 1 / expected_run
    log_joint = np.array([0.0])
    mean, strength = np.array([prior.mean]), np.array([prior.strength])
    shape, rate = np.array([prior.shape]), np.array([prior.rate])
    result = np.zeros((count + 1, count + 1))
    result[0, 0] = 1.0
    # In logarithms: the product of a hundred densities is no number that a float holds. Index r of each array is the
    # hypothesis that the last r values belong to the current run.
    for step, value in enumerate(values, start=1):
        scale = np.sqrt(rate * (strength + 1) / (shape * strength))
        predictive = stats.t.logpdf(value, df=2 * shape, loc=mean, scale=scale)
        grown = log_joint + predictive + np.log1p(-hazard)
        changed = special.logsumexp(log_joint + predictive + np.log(hazard))
        log_joint = np.concatenate([[changed], grown])  # a change leaves a run of length 0, all others grow by one
        log_joint -= special.logsumexp(log_joint)
        result[step, : step + 1] = np.exp(log_joint)
        new_rate = rate + strength * (value - mean) ** 2 / (2 * (strength + 1))
        new_mean = (strength * mean + value) / (strength + 1)
        mean = np.concatenate([[prior.mean], new_mean])
        strength = np.concatenate([[prior.strength], strength + 1])
        shape = np.concatenate([[prior.shape], shape + 0.5])
        rate = np.concatenate([[prior.rate], new_rate])
    return result


@dataclass(frozen=True)
class BocpdDetector:
    """Alarm when a change within the last days is more likely than not, and the level fell by half."""

    name: str = "bocpd"
    summary: str = "Bayesian online change points of daily speeds (Adams & MacKay 2007)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge a table of speeds day by day, by the logarithm of daily medians."""
        needed = f"at least {MIN_DAYS}"
        return judge_log_speeds(self.name, observation, self._judge, least_days=MIN_DAYS, needed=needed)

    def _judge(self, days: NDArray[np.float64], values: NDArray[np.float64]) -> Verdict:
        posterior = run_lengths(values, Prior(mean=float(values[0])), expected_run=EXPECTED_RUN_DAYS)
        alarms = []
        # As if each day were the last one known: the method is to raise an alarm in time, not to explain afterwards.
        for day in range(RECENT + 2, len(values) + 1):
            recent = posterior[day, : RECENT + 1]
            if recent.sum() > ALARM:
                start = day - max(int(np.argmax(recent)), 1)
                alarms.append((start, float(values[start:day].mean() - values[:start].mean()), float(recent.sum())))
        downward = [alarm for alarm in alarms if alarm[1] < np.log(FALL)]
        if not downward:
            why = f"{len(alarms)} alarm(s), none with a fall to less than {FALL:.0%}"
            return Verdict(detector=self.name, outcome=Outcome.NOT_THROTTLED, why=why, score=0.0)
        start, step, probability = downward[0]
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED,
            why=f"a fall to {np.exp(step):.0%} of the level before, with probability {probability:.2f}",
            score=probability,
            onset_s=float(days[start]),
        )
