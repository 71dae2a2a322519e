"""OONI's two-state cumulative sum, on the hourly share of tests that were slow beside their control.

Source: ooni/data, oonipipeline/analysis/detector.py; after Page, "Continuous Inspection Schemes", Biometrika 1954.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.crowd_rule import RATIO_RULE
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.detectors.observation import Observation

__all__ = ["OoniCusumDetector", "State", "StateChange", "state_changes"]

MEAN_OK: Final = 0.0
MEAN_BLOCKED: Final = 0.7
EXPECTED_DELAY: Final = 20  # observations until a change is found
GAP_HOURS: Final = 24.0  # a longer gap lets the sums decay
HALF_LIFE_HOURS: Final = 48.0


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
        if gap_hours > GAP_HOURS:  # what was believed before a long silence counts less after it
            decay = 0.5 ** (gap_hours / HALF_LIFE_HOURS)
            up, down = up * decay, down * decay
        # In a state only the sum that leads out of it runs; before any is believed, both do.
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
