"""Cumulative sums: the two-sided test, and the two-state variant that OONI runs on its measurements.

Sources: Page, "Continuous Inspection Schemes", Biometrika 1954; ooni/data, oonipipeline/analysis/detector.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.methods.crowd import RATIO_RULE
from testbed.detectors.tools.daily import log_speeds
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.detectors.observation import Observation

__all__ = ["Alarm", "CusumDetector", "OoniCusumDetector", "State", "StateChange", "cusum", "state_changes"]

# OONI's variant
MEAN_OK: Final = 0.0
MEAN_BLOCKED: Final = 0.7
EXPECTED_DELAY: Final = 20  # observations until a change is found
GAP_HOURS: Final = 24.0  # a longer gap lets the sums decay
HALF_LIFE_HOURS: Final = 48.0
# daily speeds (ours)
BASELINE_DAYS: Final = 7
SHIFT_SIGMAS: Final = 2.0
THRESHOLD_SIGMAS: Final = 8.0
LEAST_SIGMA: Final = 0.05  # of a natural logarithm: speeds do not repeat to better than 5 %
_MAD_TO_SIGMA: Final = 1.4826


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
        upper, lower = max(0.0, upper + value - mean - slack), max(0.0, lower - value + mean - slack)
        upper_since = upper_since if upper > 0 else index + 1
        lower_since = lower_since if lower > 0 else index + 1
        if upper > threshold or lower > threshold:
            return Alarm(index, upper > threshold, upper_since if upper > threshold else lower_since)
    return None


class State(StrEnum):
    """What OONI's variant believes."""

    UNKNOWN = "unknown"
    OK = "ok"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class StateChange:
    """A change of belief at an observation; ``silent`` where nothing had been believed before."""

    index: int
    state: State
    silent: bool


def state_changes(
    times_s: Sequence[float], values: Sequence[float], *, expected_delay: float = EXPECTED_DELAY
) -> list[StateChange]:
    """Run OONI's two-state test.

    Args:
        times_s: Time of each observation, seconds; normally hourly.
        values: Share of anomalous measurements, 0 to 1.
        expected_delay: Observations after which a change is to be found; sets the threshold.
    """
    step = MEAN_BLOCKED - MEAN_OK
    threshold = expected_delay * step / 2
    state, up, down = State.UNKNOWN, 0.0, 0.0
    last_s: float | None = None
    changes: list[StateChange] = []
    for index, (time_s, value) in enumerate(zip(times_s, values, strict=True)):
        gap_hours = 0.0 if last_s is None else (time_s - last_s) / 3600
        last_s = time_s
        if gap_hours > GAP_HOURS:
            decay = 0.5 ** (gap_hours / HALF_LIFE_HOURS)
            up, down = up * decay, down * decay
        if state is not State.BLOCKED:
            up = max(0.0, up + value - MEAN_OK - step / 2)
        if state is not State.OK:
            down = max(0.0, down - (value - MEAN_BLOCKED) - step / 2)
        if up > threshold or down > threshold:  # strictly, as released
            changed = State.BLOCKED if up > threshold else State.OK
            changes.append(StateChange(index, changed, silent=state is State.UNKNOWN))
            state, up, down = changed, 0.0, 0.0
    return changes


@dataclass(frozen=True)
class CusumDetector:
    """Two-sided test of the logarithm of daily medians, against the median and spread of the first week."""

    name: str = "cusum"
    summary: str = "CUSUM of daily speeds (Page 1954)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge a table of speeds: a downward alarm is a slowdown."""
        if observation.speeds is None:
            return inconclusive(self.name, "the test needs a table of speeds over many days")
        days, values = log_speeds(observation.speeds)
        if len(days) <= BASELINE_DAYS:
            return inconclusive(self.name, f"{len(days)} days with tests; more than {BASELINE_DAYS} needed")
        first = values[:BASELINE_DAYS]
        mean = float(np.median(first))
        sigma = max(float(np.median(np.abs(first - mean))) * _MAD_TO_SIGMA, LEAST_SIGMA)
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


@dataclass(frozen=True)
class OoniCusumDetector:
    """OONI's two-state test on the hourly share of throttled tests (crowd rule)."""

    name: str = "ooni-cusum"
    summary: str = "two-state CUSUM of the share of slow tests (OONI)"

    def detect(self, observation: Observation) -> Verdict:
        """Judge a table of speeds with a control; the last state decides."""
        speeds = observation.speeds
        if speeds is None or not speeds.controls_bps:
            return inconclusive(self.name, "the test needs a table of speeds of a target and a control")
        control = speeds.controls_bps[min(speeds.controls_bps)]
        valid = (speeds.target_bps > 0) & (control > 0)
        slow = RATIO_RULE(speeds.target_bps, control)[valid]
        hours, place = np.unique(np.floor(speeds.times_s[valid] / 3600), return_inverse=True)
        share = np.bincount(place, weights=slow, minlength=len(hours)) / np.bincount(place, minlength=len(hours))
        changes = state_changes((hours * 3600).tolist(), share.tolist())
        if not changes:
            return inconclusive(self.name, f"{len(hours)} hours of tests did not settle on a state")
        last = changes[-1]
        blocked = last.state is State.BLOCKED
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if blocked else Outcome.NOT_THROTTLED,
            why=f"state {last.state} since hour {last.index + 1} of {len(hours)}, after {len(changes)} change(s)",
            score=float(share[last.index :].mean()),
            onset_s=float(hours[last.index] * 3600) if blocked else None,
            content_specific=True if blocked else None,
        )
