"""OONI's throttling metrics: read speed and TLS handshake time of targets against concurrent other names.

Sources: OONI design document dd-007 ("extreme" throttling: at least ten times slower); OONI's reports on Russia (2022)
and Kazakhstan (2023: median handshakes above 2 s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.observation import CLOCK_S, Direction, Ending, Role
from testbed.detectors.verdict import Mechanism, Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, Transfer
    from testbed.detectors.verdict import JsonValue

__all__ = ["OoniDetector", "comparable_time", "read_speed"]

EXTREME: Final = 10.0  # dd-007: "10x or more"
SLOW_HANDSHAKE_S: Final = 2.0  # Kazakhstan 2023
BODY_CAP_BYTES: Final = 1 << 19  # dd-007


def read_speed(transfer: Transfer) -> float | None:
    """Return bytes read until the last read that succeeded, by that time, bits a second: timeouts do not enter."""
    return transfer.goodput_bps


def comparable_time(transfer: Transfer, size: int) -> float | None:
    """Return the seconds that the first ``size`` bytes took, or None if fewer came."""
    reached = np.flatnonzero(transfer.bytes >= size)
    return float(transfer.times_s[reached[0]]) if len(reached) else None


@dataclass(frozen=True)
class OoniDetector:
    """Compare medians of targets and controls: read speed, handshake time, time for the same number of bytes.

    Attributes:
        factor: How many times slower counts.
    """

    name: str = "ooni"
    summary: str = "read speed and handshake time against other names (OONI dd-007)"
    factor: float = EXTREME

    def detect(self, observation: Observation) -> Verdict:
        """Judge the downloads; a target that timed out after some progress is evidence, not a failure."""
        targets = [item for item in observation.with_role(Role.TARGET) if item.direction is Direction.DOWN]
        controls = [item for item in observation.with_role(Role.CONTROL) if item.direction is Direction.DOWN]
        if not targets or not controls:
            return inconclusive(self.name, "OONI compares downloads of a target with those of other names")
        if not any(item.total_bytes for item in controls):
            return inconclusive(self.name, "no control moved data: the path itself may be broken")
        ratios = self._ratios(targets, controls)
        details: dict[str, JsonValue] = {
            **ratios,
            "timeouts": sum(item.ending is Ending.TIMEOUT for item in targets),
        }
        if not any(item.total_bytes for item in targets):
            return Verdict(
                detector=self.name,
                outcome=Outcome.NOT_THROTTLED,
                why="no target moved any data while controls did: that is blocking, not throttling",
                score=0.0,
                mechanism=Mechanism.BLOCKED,
                details=details,
            )
        if not ratios:
            return inconclusive(self.name, "neither speeds nor handshake times to compare", details=details)
        name, ratio = max(ratios.items(), key=lambda item: item[1])
        throttled = ratio >= self.factor
        speeds = [speed for item in targets if (speed := read_speed(item)) is not None]
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if throttled else Outcome.NOT_THROTTLED,
            why=f"by {name.replace('_', ' ')} the target is {ratio:.1f} times slower; {self.factor:g} times is extreme",
            score=ratio,
            rate_bps=float(np.median(speeds)) if throttled and speeds else None,
            content_specific=True if throttled else None,
            details=details,
        )

    @staticmethod
    def _ratios(targets: list[Transfer], controls: list[Transfer]) -> dict[str, float]:
        ratios: dict[str, float] = {}
        slow = [speed for item in targets if (speed := read_speed(item)) is not None]
        fast = [speed for item in controls if (speed := read_speed(item)) is not None]
        if slow and fast:
            ratios["read_speed"] = float(np.median(fast) / np.median(slow))
        long = [item.handshake_s for item in targets if item.handshake_s is not None]
        brief = [item.handshake_s for item in controls if item.handshake_s is not None and item.handshake_s >= CLOCK_S]
        # Handshakes of milliseconds differ by ten times for no reason: only one that a user notices is looked at.
        if long and brief and np.median(long) > SLOW_HANDSHAKE_S:
            ratios["handshake_time"] = float(np.median(long) / np.median(brief))
        moved = [item.total_bytes for item in (*targets, *controls) if item.total_bytes]
        if moved:
            # A small object is over before a connection has its speed: compared is how long its bytes took of each.
            size = min(BODY_CAP_BYTES, *moved) if len(moved) > 1 else min(BODY_CAP_BYTES, moved[0])
            late = [time for item in targets if (time := comparable_time(item, size)) is not None]
            early = [time for item in controls if (time := comparable_time(item, size)) is not None and time >= CLOCK_S]
            if late and early:
                ratios["time_for_the_same_bytes"] = float(np.median(late) / np.median(early))
        return ratios
