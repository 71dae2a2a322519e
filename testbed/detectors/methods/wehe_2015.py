"""The 2015 differentiation detector: area between the inverse distribution functions of throughput.

Source: Kakhki et al., "Identifying Traffic Differentiation in Mobile Networks", IMC 2015; constants of
arashmolavi/DifferentiationDetector at 16fc45e.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from testbed.detectors.tools.ks import SIGNIFICANCE, ks_test, resampling_ratio
from testbed.detectors.tools.samples import slice_speeds
from testbed.detectors.tools.subjects import pairs
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["Wehe2015Detector", "normalised_area"]

SLICE_S: Final = 0.25
MIN_SAMPLES: Final = 20  # ours: the resampling halves them, and halves of fewer never agree with the test
ACCEPT_RATIO: Final = 0.95
AREA: Final = 0.2  # the paper: 0.1 best in the testbed, 0.2 safer in the wild
_QUANTILES: Final = np.arange(1, 1001) / 1000
_SEED: Final = 20151028


def normalised_area(original: NDArray[np.float64], control: NDArray[np.float64]) -> float:
    """Integrate |F_o^-1(q) - F_c^-1(q)| over q = 0.001 .. 1 and divide by the smaller maximum.

    The inverse functions are straight lines between sorted samples, with the point (0, 0) before the first.

    Args:
        original: Throughput samples, shape (n,), of any unit.
        control: Likewise, shape (m,).

    Raises:
        ValueError: A list is empty or all zero.
    """
    largest = min(original.max(initial=0.0), control.max(initial=0.0))
    if not largest > 0:
        raise ValueError("one of the transfers has no throughput above zero")
    gap = np.abs(_inverse(original) - _inverse(control))
    return float(np.trapezoid(gap, _QUANTILES) / largest)


def _inverse(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.concatenate([[0.0], np.sort(samples)])
    inverse: NDArray[np.float64] = np.interp(_QUANTILES, np.arange(len(values)) / len(samples), values)
    return inverse


@dataclass(frozen=True)
class Wehe2015Detector:
    """Differentiation if the area reaches a threshold and the KS test rejects nearly all half samples; none if neither.

    One without the other is no verdict.

    Attributes:
        threshold: On the normalised area.
    """

    name: str = "wehe-2015"
    summary: str = "KS test and area between inverse CDFs (Kakhki et al., IMC 2015)"
    threshold: float = AREA

    def detect(self, observation: Observation) -> Verdict:
        """Pool the samples of all pairs, as the method pools its replays, and compare."""
        found = pairs(observation)
        if not found:
            return inconclusive(self.name, "the method needs a target and a control of the same direction")
        original = np.concatenate([slice_speeds(target, width_s=SLICE_S) for target, _ in found])
        control = np.concatenate([slice_speeds(other, width_s=SLICE_S) for _, other in found])
        if min(len(original), len(control)) < MIN_SAMPLES:
            sizes = f"{len(original)} and {len(control)}"
            return inconclusive(self.name, f"transfers too short: {sizes} samples of {SLICE_S} s, {MIN_SAMPLES} needed")
        try:
            area = normalised_area(original, control)
        except ValueError as error:
            return inconclusive(self.name, str(error))
        p, _ = ks_test(original, control)
        # The ratio says how many halves agree with the test; the method asks how many reject.
        agreeing = resampling_ratio(original, control, p=p, rng=np.random.default_rng(_SEED))
        rejecting = agreeing if p < SIGNIFICANCE else 1 - agreeing
        details = {"area": area, "ks_p": p, "rejecting_halves": rejecting}
        far, stable = area >= self.threshold, rejecting >= ACCEPT_RATIO
        if far != stable:
            why = f"area {area:.2f} against a threshold of {self.threshold:g}, but the KS test rejects {rejecting:.0%}"
            return inconclusive(self.name, f"{why} of half samples", version="2", details=details)
        slower = bool(original.mean() < control.mean())
        differs = far and stable
        return Verdict(
            detector=self.name,
            version="2",
            outcome=Outcome.THROTTLED if differs and slower else Outcome.NOT_THROTTLED,
            why=f"area {area:.2f} against a threshold of {self.threshold:g}, KS p {p:.2g}"
            + ("" if slower else "; the target was not slower"),
            score=area if slower else -area,
            rate_bps=float(original.mean()) if differs and slower else None,
            content_specific=True if differs and slower else None,
            details=details,
        )
