"""A detector as a Python package: did the second half of the bytes take much longer than the first?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.subjects import judge_each
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, Transfer

MIN_POINTS: Final = 10


@dataclass(frozen=True)
class HalftimeDetector:
    """Compare the time of the first half of the bytes with that of the second.

    Attributes:
        factor: How many times longer the second half must take.
    """

    name: str = "halftime"
    summary: str = "the second half of the bytes takes much longer than the first"
    factor: float = 3.0

    def detect(self, observation: Observation) -> Verdict:
        """Judge every target by itself; `judge_each` sums up and looks at the controls."""
        return judge_each(self.name, observation, self._judge)

    def _judge(self, transfer: Transfer) -> Verdict:
        if len(transfer.times_s) < MIN_POINTS:
            return inconclusive(self.name, f"{len(transfer.times_s)} points; at least {MIN_POINTS} needed")
        half_s = float(transfer.times_s[np.searchsorted(transfer.bytes, transfer.total_bytes / 2)])
        if half_s <= 0:
            return inconclusive(self.name, "the first half took no time")
        ratio = (transfer.duration_s - half_s) / half_s
        throttled = ratio >= self.factor
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if throttled else Outcome.NOT_THROTTLED,
            why=f"the second half took {ratio:.1f} times as long as the first",
            score=ratio,
            onset_s=half_s if throttled else None,
        )
