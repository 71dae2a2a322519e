"""A detector of somebody else's, as a package of its own: a download that crawls along at one speed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from testbed.detectors.observation import Role
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["FlatlineDetector"]

_LEAST_BYTES = 50_000
_QUARTERS = 4


@dataclass(frozen=True)
class FlatlineDetector:
    """Compare the target's speed in the later quarters of its bytes with the control's.

    Attributes:
        slower: How many times slower than the control a target is called throttled.
        steady: How much the quarters of its bytes may differ, as a factor.
    """

    name: str = "flatline"
    summary: str = "a target crawls along at one speed, and a control does not"
    slower: float = 2.0
    steady: float = 1.5

    def detect(self, observation: Observation) -> Verdict:
        """Judge all targets beside all controls."""
        targets = [found for each in observation.with_role(Role.TARGET) if (found := _later_speeds_bps(each))]
        controls = [found for each in observation.with_role(Role.CONTROL) if (found := _later_speeds_bps(each))]
        if not targets or not controls:
            return inconclusive(self.name, f"no target or no control with {_LEAST_BYTES} bytes")
        target_bps, control_bps = (median(median(each) for each in group) for group in (targets, controls))
        is_steady = median(max(each) / min(each) for each in targets) <= self.steady
        is_slower = control_bps > self.slower * target_bps
        outcome = Outcome.THROTTLED if is_slower and is_steady else Outcome.NOT_THROTTLED
        shape = "steady" if is_steady else "not steady"
        return Verdict(
            detector=self.name,
            outcome=outcome,
            why=f"target {target_bps / 1e3:.0f} kbit/s and {shape}, control {control_bps / 1e3:.0f} kbit/s",
            score=control_bps / target_bps,
            rate_bps=target_bps if outcome is Outcome.THROTTLED else None,
        )


def _later_speeds_bps(transfer: Transfer) -> list[float]:
    """Return the speeds of the second to the last quarter of the bytes; the first has what a bucket lets pass."""
    total = transfer.total_bytes
    if total < _LEAST_BYTES:
        return []
    marks = [transfer.times_s[transfer.bytes >= total * part / _QUARTERS][0] for part in range(1, _QUARTERS + 1)]
    spans = [later - earlier for earlier, later in pairwise(marks)]
    return [total / _QUARTERS * 8 / span for span in spans if span > 0]
