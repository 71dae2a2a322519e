"""Wehe's population rule: many paired tests of one network show a policy and its fixed rate.

Source: Li et al., "A Large-Scale Analysis of Deployed Traffic Differentiation Practices", SIGCOMM 2019; steps as in
FangfanLi/weheAnalysisPublicRepo at 4b557e4. The published resolution (bandwidth 0.1, width 0.5 Mbit/s) is a parameter:
it is far too coarse for limits of 0.14 Mbit/s. Delayed throttling (step b) is left to `find_delay`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import ruptures
from scipy import stats

from testbed.detectors.ks import SIGNIFICANCE, ks_test, resampling_ratio
from testbed.detectors.methods.wehe import RATIO, SHORTEST_S, SLICES
from testbed.detectors.samples import slice_speeds
from testbed.detectors.subjects import pairs
from testbed.detectors.verdict import Outcome, Verdict, inconclusive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from testbed.detectors.observation import Observation

__all__ = ["Peak", "PopulationDetector", "PopulationTest", "find_delay", "fixed_rates", "is_positive", "rate_peaks"]

MIN_TESTS: Final = 100
MIN_POSITIVES: Final = 10  # a group is skipped only if it lacks both
AREA: Final = 0.1
BANDWIDTH_BPS: Final = 0.1e6
GRID_BPS: Final = 0.1e6
WIDTH_BPS: Final = 0.5e6
DROPPED_TOP: Final = 0.01
SPIKE_SHARE: Final = 0.02  # of the synthetic sample that a peak must exceed
MAX_DELAY_SAMPLES: Final = 500
DELAY_PENALTY: Final = 20
_SEED: Final = 20190819


@dataclass(frozen=True, slots=True)
class PopulationTest:
    """One paired test: throughput samples, bits a second, shape (n,) and (m,)."""

    original: NDArray[np.float64]
    control: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Peak:
    """A rate at which transfers crowd, bits a second, and the interval in which they do."""

    rate_bps: float
    low_bps: float
    high_bps: float


def is_positive(test: PopulationTest, *, tests: int, rng: np.random.Generator) -> bool:
    """Judge one test (step a): stable KS below 0.05 / ``tests`` (Bonferroni), and means that differ by over a tenth."""
    original, control = test.original, test.control
    if not (original > 0).any() or not (control > 0).any():
        return False
    area = abs(control.mean() - original.mean()) / min(original.max(), control.max())
    p, _ = ks_test(original[original > 0], control[control > 0])
    if area <= AREA or p >= SIGNIFICANCE / tests:
        return False
    return resampling_ratio(original, control, p=p, rng=rng) > RATIO


def find_delay(samples: NDArray[np.float64]) -> float | None:
    """Return the share of a test before a single fall of its rate (step b), or None.

    Pairs of samples are averaged until at most 500 are left; PELT (rbf, penalty 20) must find exactly one change, and
    KS of both sides must be below 0.05 with a falling mean.
    """
    while len(samples) > MAX_DELAY_SAMPLES:
        samples = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1)
    least = 4
    if len(samples) < 2 * least:
        return None
    changes = ruptures.Pelt(model="rbf").fit(samples).predict(pen=DELAY_PENALTY)[:-1]
    if len(changes) != 1:
        return None
    before, after = samples[: changes[0]], samples[changes[0] :]
    fell = after.mean() < before.mean() and ks_test(before, after)[0] < SIGNIFICANCE
    return float(changes[0] / len(samples)) if fell else None


def rate_peaks(means: NDArray[np.float64], *, bandwidth_bps: float = BANDWIDTH_BPS) -> list[Peak]:
    """Find rates at which means crowd (step e): Gaussian kernels on a grid, above what 2 % at one value would give.

    Args:
        means: Mean rate of each transfer, bits a second, shape (n,).
        bandwidth_bps: Standard deviation of the kernels; the grid is as fine.
    """
    kept = np.sort(means)[: max(1, int(np.ceil(len(means) * (1 - DROPPED_TOP))))]
    middle, half = (kept[0] + kept[-1]) / 2, (kept[-1] - kept[0]) / 2
    reach = 1.5 * half if half >= 10 * bandwidth_bps else half + 10 * bandwidth_bps
    low = max(middle - reach, -10 * bandwidth_bps)
    grid = np.arange(low, middle + reach, bandwidth_bps)
    density = _density(kept, grid, bandwidth_bps)
    spikes = max(1, round(len(kept) * SPIKE_SHARE))
    uniform = np.linspace(grid[0], grid[-1], max(len(kept) - spikes, 1))
    threshold = _density(np.concatenate([uniform, np.full(spikes, middle)]), grid, bandwidth_bps).max()
    over = density > threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[False], over, [False]]).astype(np.int8)))
    return [
        Peak(
            rate_bps=float(grid[start + int(np.argmax(density[start:end]))]),
            low_bps=float(grid[start]),
            high_bps=float(grid[end - 1]),
        )
        for start, end in edges.reshape(-1, 2).tolist()
    ]


def _density(values: NDArray[np.float64], grid: NDArray[np.float64], bandwidth: float) -> NDArray[np.float64]:
    density: NDArray[np.float64] = stats.norm.pdf(grid[:, None], loc=values[None, :], scale=bandwidth).mean(axis=1)
    return density


def fixed_rates(
    originals: NDArray[np.float64],
    controls: NDArray[np.float64],
    positive: NDArray[np.bool_],
    *,
    bandwidth_bps: float = BANDWIDTH_BPS,
    width_bps: float = WIDTH_BPS,
) -> list[Peak]:
    """Return peaks of the originals that controls lack and that positive tests show too, widened to ``width_bps``."""
    if not positive.any():
        return []
    theirs = rate_peaks(controls, bandwidth_bps=bandwidth_bps)
    positives = rate_peaks(originals[positive], bandwidth_bps=bandwidth_bps)
    found = []
    for peak in rate_peaks(originals, bandwidth_bps=bandwidth_bps):
        if any(_meet(peak, other) for other in theirs) or not any(_meet(peak, other) for other in positives):
            continue
        missing = max(0.0, width_bps - (peak.high_bps - peak.low_bps)) / 2
        found.append(Peak(peak.rate_bps, peak.low_bps - missing, peak.high_bps + missing))
    return found


def _meet(first: Peak, second: Peak) -> bool:
    return first.low_bps <= second.high_bps and second.low_bps <= first.high_bps


@dataclass(frozen=True)
class PopulationDetector:
    """Judge all pairs of an observation as tests of one network, application and period.

    Attributes:
        bandwidth_bps: Resolution of rates; published: 0.1 Mbit/s.
        width_bps: Least width of a fixed rate's interval; published: 0.5 Mbit/s.
    """

    name: str = "wehe-population"
    summary: str = "many paired tests, fixed rates (Li et al., SIGCOMM 2019)"
    bandwidth_bps: float = BANDWIDTH_BPS
    width_bps: float = WIDTH_BPS

    def detect(self, observation: Observation) -> Verdict:
        """Judge the population: enough positives, all tests together differ, and they crowd at a rate."""
        tests = []
        for target, control in pairs(observation):
            if control.duration_s >= SHORTEST_S:
                width_s = control.duration_s / SLICES
                tests.append(PopulationTest(*(slice_speeds(item, width_s=width_s) for item in (target, control))))
        tests = [test for test in tests if (test.original > 0).any() and (test.control > 0).any()]
        if not tests:
            return inconclusive(self.name, "the rule needs many pairs of a target and a control that moved data")
        if len(tests) < MIN_POSITIVES:
            return inconclusive(self.name, f"{len(tests)} test(s); at least {MIN_POSITIVES} positive ones needed")
        rng = np.random.default_rng(_SEED)
        positive = np.array([is_positive(test, tests=len(tests), rng=rng) for test in tests])
        hits = int(positive.sum())
        if len(tests) < MIN_TESTS and hits < MIN_POSITIVES:
            why = f"{len(tests)} tests, {hits} positive; at least {MIN_TESTS} tests or {MIN_POSITIVES} positives needed"
            return inconclusive(self.name, why)
        originals = np.array([test.original.mean() for test in tests])
        controls = np.array([test.control.mean() for test in tests])
        p, _ = ks_test(originals, controls)
        slower = bool(np.median(originals[positive]) < np.median(controls[positive])) if hits else False
        peaks = fixed_rates(originals, controls, positive, bandwidth_bps=self.bandwidth_bps, width_bps=self.width_bps)
        at_peak = [any(peak.low_bps <= mean <= peak.high_bps for peak in peaks) for mean in originals[positive]]
        throttled = hits >= MIN_POSITIVES and p < SIGNIFICANCE and slower and any(at_peak)
        rates = ", ".join(f"{peak.rate_bps / 1e3:.0f}" for peak in peaks) or "none"
        return Verdict(
            detector=self.name,
            outcome=Outcome.THROTTLED if throttled else Outcome.NOT_THROTTLED,
            why=f"{hits} of {len(tests)} tests positive, {sum(at_peak)} of them at a fixed rate (kbit/s: {rates})",
            score=hits / len(tests),
            rate_bps=peaks[0].rate_bps if throttled else None,
            content_specific=True if throttled else None,
            details={"ks_p": p, "rates_bps": [peak.rate_bps for peak in peaks]},
        )
