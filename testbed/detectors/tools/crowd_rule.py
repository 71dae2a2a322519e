"""When a single speed test beside a control counts as throttled: the thresholds of the crowd measurements of 2021.

Sources: Xue et al., IMC 2021, §4; the test page's and the data set's own rules (4ndv/is-my-twitter-slow-or-what,
4ndv/russia-twitter-throttle).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DATA_SET_RULE", "PAGE_RULE", "RATIO_RULE", "CrowdRule"]


@dataclass(frozen=True, slots=True)
class CrowdRule:
    """When a single test counts as throttled. All three conditions must hold.

    Attributes:
        target_below_bps: The target was slower than this.
        control_above_bps: The control was faster than this.
        ratio_above: The control was faster than the target by more than this factor.
    """

    target_below_bps: float
    control_above_bps: float = 0.0
    ratio_above: float = 0.0

    def __call__(self, target_bps: NDArray[np.float64], control_bps: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Judge tests one by one; shape (n,)."""
        return (
            (target_bps < self.target_below_bps)
            & (control_bps > self.control_above_bps)
            & (control_bps > self.ratio_above * target_bps)
        )


PAGE_RULE: Final = CrowdRule(target_below_bps=600e3, control_above_bps=600e3)
DATA_SET_RULE: Final = CrowdRule(target_below_bps=200e3, control_above_bps=600e3)
RATIO_RULE: Final = CrowdRule(target_below_bps=200e3, ratio_above=2.0)  # ours: does not miss slow lines
