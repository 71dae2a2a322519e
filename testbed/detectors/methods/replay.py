"""Record and replay with a scrambled control: the original converges to a narrow band of speeds, the control does not.

Source: Xue et al., "Throttling Twitter: An Emerging Censorship Technique in Russia", IMC 2021, §5. The paper states no
threshold; those here automate its two observations, contrast and plateau.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from testbed.detectors.observation import Observation, Transfer

__all__ = ["ReplayDetector"]

CONTRAST: Final = 2.0  # control over target; the paper saw more than 10
WINDOW_S: Final = 3.0  # long against refill periods of about 1.3 s (fit to the paper's Fig. 5)
SETTLED_AFTER_S: Final = 3.0  # X21 Fig. 4: windowed throughput after 3 s
PLATEAU_SPREAD: Final = 0.5  # (90th - 10th percentile) / median of the windows; X21 Fig. 4: 87-154 around 122 kbit/s
MIN_WINDOWS: Final = 3


@dataclass(frozen=True)
class ReplayDetector:
    """Contrast and plateau of a target beside its control.

    Attributes:
        contrast: Least ratio of goodput, control over target.
    """

    name: str = "replay"
    summary: str = "original against scrambled replay (Xue et al., IMC 2021)"
    contrast: float = CONTRAST

    def detect(self, observation: Observation) -> Verdict:
        """Judge every pair; one throttled pair decides."""
        verdicts = [self._judge(target, control) for target, control in pairs(observation)]
        if not verdicts:
            return inconclusive(self.name, "the method needs a target and a control of the same direction")
        order = [Outcome.THROTTLED, Outcome.NOT_THROTTLED, Outcome.INCONCLUSIVE]
        return min(verdicts, key=lambda verdict: order.index(verdict.outcome))

    def _judge(self, target: Transfer, control: Transfer) -> Verdict:
        fast, slow = control.goodput_bps, target.goodput_bps
        if fast is None:
            return inconclusive(self.name, f"control {control.id} moved no data: the path itself may be broken")
        if slow is None:
            return inconclusive(
                self.name, f"target {target.id} moved no data: blocked or broken, but no speed to judge"
            )
        ratio = fast / slow
        compared = f"{slow / 1e3:.0f} kbit/s, its control {fast / 1e3:.0f} ({ratio:.1f} times)"
        if ratio < self.contrast:
            return Verdict(
                detector=self.name, outcome=Outcome.NOT_THROTTLED, why=f"the target got {compared}", score=ratio
            )
        # Contrast alone is no throttling: a plateau tells a limit from a bad path.
        windows = slice_speeds(target, width_s=WINDOW_S)[int(SETTLED_AFTER_S / WINDOW_S) :]
        if len(windows) < MIN_WINDOWS:
            why = f"the target got {compared}, but lasted too short to see whether it settles"
            return inconclusive(self.name, why, details={"ratio": ratio})
        low, middle, high = np.percentile(windows, [10, 50, 90])
        spread = float((high - low) / middle) if middle > 0 else float(len(windows))
        settled = spread <= PLATEAU_SPREAD
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if settled else Outcome.INCONCLUSIVE,
            why=f"the target got {compared}; its speed {'settled' if settled else 'varied'} (spread {spread:.0%})",
            score=ratio,
            rate_bps=float(middle) if settled else None,
            content_specific=True if settled else None,
            details={"ratio": ratio, "spread": spread},
        )
